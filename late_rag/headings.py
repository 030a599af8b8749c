"""Markdown headings (CommonMark 0.31: ATX and setext headings), for loaders and chunkers alike."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from late_rag.front_matter import front_matter

_BLOCKS = (
    "address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|div|dl|dt|"
    "fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|legend|li|link|main|menu|"
    "menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|table|tbody|td|tfoot|th|thead|title|tr|"
    "track|ul"
)
"""HTML elements whose tag begins a block that ends at a blank line."""

FENCE = r"(?P<item>(?:[-*+]|\d{1,9}[.)])[^\S\n]++)?(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})[^\n]*$"
"""The line that opens code in fences, also in an item of a list, behind its indentation."""

_MARK = re.compile(
    r"^ {0,3}(?:"
    r"(?P<atx>\#{1,6})(?:[^\S\n]+(?P<title>[^\n]*))?$"
    r"|(?P<underline>=+|-+)[^\S\n]*$"
    rf"|{FENCE}"
    r"|<(?P<hidden>!--|\?|!\[CDATA\[|!(?=[a-z])|(?:pre|script|style|textarea)(?=[\s>])|(?:/?(?:"
    + _BLOCKS
    + r")(?=[\s>]|/>|$)))"
    r")",
    re.MULTILINE | re.IGNORECASE,
)
"""Everything that makes a heading or hides one."""

_CLOSING_MARKS = re.compile(r"(?:^|\s)#+\s*$")
_ENDS = {
    "!--": re.compile(r"-->[^\n]*"),
    "?": re.compile(r"\?>[^\n]*"),
    "![cdata[": re.compile(r"\]\]>[^\n]*"),
    "!": re.compile(r">[^\n]*"),
    **dict.fromkeys(
        ("pre", "script", "style", "textarea"),
        re.compile(r"</(?:pre|script|style|textarea)>[^\n]*", re.IGNORECASE),
    ),
}
"""Where HTML ends that does not end at a blank line."""

_UNINDENTED = re.compile(r"^(?=\S)", re.MULTILINE)
"""Where an item of a list ends, and code in it whose fence is never closed."""

_BLANK_LINE = re.compile(r"^[^\S\n]*$", re.MULTILINE)

_BOUNDARY = re.compile(r"[^\S\n]*$| {0,3}\#{1,6}(?:\s|$)", re.MULTILINE)
"""Lines below which a paragraph begins: blank ones and headings."""

_CONTAINER = re.compile(r" {0,3}(?:>|[-*+](?:\s|$)|\d{1,9}[.)](?:\s|$)|\|)", re.MULTILINE)
"""Lines that take what follows into a quote, list item or table, so that no underline makes a heading of it."""

_CODE = re.compile(r"(?:(?: {4}|\t)[^\n]*\n)*")
"""Indented lines, which are code where no paragraph has begun."""

_MARKUP = (
    (re.compile(r"!?\[([^\[\]]*)\](?:\((?:[^()]|\([^()]*\))*\)|\[[^\[\]]*\])"), r"\1"),  # links and images
    (re.compile(r"(?<!`)(`+)(?!`)([^`]+)\1(?!`)"), r"\2"),  # code
    *2 * ((re.compile(r"(?<!\*)(\*{1,3})(?=[^\s*])([^*]+)(?<=\S)\1(?![\w*])"), r"\2"),),  # emphasis, inside another too
    *2 * ((re.compile(r"(?<!\w)(_{1,3})(?=[^\s_])([^_]+)(?<=\S)\1(?!\w)"), r"\2"),),
    (re.compile(r"(?<!~)(~~)(?=[^\s~])([^~]+)(?<=\S)\1(?![\w~])"), r"\2"),
    (re.compile(r"[^\S\n]\{[^{}\n]*\}$"), ""),  # attributes such as {#anchor}
    (re.compile(r"\\([!-/:-@\[-`{-~])"), r"\1"),  # escapes
)
"""What is taken out of a title. No pattern looks beyond the next mark of its kind, so each is linear."""

_LONGEST = 1000
"""Characters of a heading: below a longer paragraph an underline is a rule, and of a longer line markup stays."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: where its line or lines begin and end, its level from 1, and its text without markup."""

    start: int
    end: int
    level: int
    title: str


def headings(text: str) -> Iterator[Heading]:
    """The headings of a Markdown text in order; none from code, HTML, comments and front matter. One pass."""
    front = front_matter(text)
    place = floor = front.end if front else 0
    barred = 0  # what stands before belongs to no heading, though a paragraph may go on below
    while mark := _MARK.search(text, place):
        start, place = mark.span()
        if mark["atx"]:
            yield Heading(start, place, len(mark["atx"]), _plain(_CLOSING_MARKS.sub("", mark["title"] or "")))
        elif mark["underline"]:
            above = _start_of_paragraph(text, floor, barred, start)
            if above is not None and above < start:
                yield Heading(above, place, 1 if mark["underline"][0] == "=" else 2, _plain(text[above:start]))
            elif mark["underline"][0] == "=":  # text like any other
                barred = barred if above is not None else place
                continue
        else:
            place = _end_of_hidden(text, mark)
        floor = place


def _end_of_hidden(text: str, mark: re.Match[str]) -> int:
    """Where a fenced code block, comment or HTML block that begins at the mark ends."""
    closing = closing_fence(mark["fence"]) if mark["fence"] else _ENDS.get(mark["hidden"].lower(), _BLANK_LINE)
    end = closing.search(text, mark.end())
    if end is None and mark["item"]:
        end = _UNINDENTED.search(text, mark.end() + 1)
    return end.end() if end else len(text)


def closing_fence(fence: str) -> re.Pattern[str]:
    """Finds the line that ends code which this fence opens."""
    return re.compile(rf"^[^\S\n]*+{fence[0]}{{{len(fence)},}}[^\S\n]*$", re.MULTILINE)


def _start_of_paragraph(text: str, floor: int, barred: int, end: int) -> int | None:
    """Where the lines of plain text between ``floor`` and ``end``, right before ``end``, begin; ``end`` if none.

    None where a paragraph stands there that no underline makes a heading of.
    """
    start = end
    while end - start <= _LONGEST:
        line = max(floor, text.rfind("\n", 0, max(0, start - 1)) + 1)
        if start <= floor or _BOUNDARY.match(text, line):
            return _CODE.match(text, start, end).end()  # type: ignore[union-attr]  # it always matches
        if line < barred or _CONTAINER.match(text, line):
            return None
        start = line
    return None


def _plain(title: str) -> str:
    title = " ".join(title.split())
    for pattern, replacement in _MARKUP if len(title) <= _LONGEST else ():
        title = pattern.sub(replacement, title)
    return title.strip()
