"""Markdown headings, and the sections of text below them (CommonMark 0.31: ATX and setext headings)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from late_rag.chunkers.spans import skip_space

_MARK = re.compile(
    r"^ {0,3}(?:"
    r"(?P<atx>\#{1,6})(?:[^\S\n]+(?P<title>[^\n]*))?$"
    r"|(?P<underline>=+|-+)[^\S\n]*$"
    r"|(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})[^\n]*$"
    r"|(?P<block><!--|<(?P<tag>pre|script|style|textarea)\b)"
    r")",
    re.MULTILINE | re.IGNORECASE,
)
"""Everything that makes a heading or hides one."""

_CLOSING_MARKS = re.compile(r"(?:^|\s)#+\s*$")
_END_OF_COMMENT = re.compile(r"-->[^\n]*")
_END_OF_TAG = re.compile(r"</(?:pre|script|style|textarea)>[^\n]*", re.IGNORECASE)
_FRONT_MATTER = re.compile(r"\A---[^\S\n]*\n.*?^(?:---|\.\.\.)[^\S\n]*$", re.MULTILINE | re.DOTALL)

_BOUNDARY = re.compile(r"[^\S\n]*$| {0,3}\#{1,6}(?:\s|$)", re.MULTILINE)
"""Lines below which a paragraph begins: blank ones and headings."""

_CONTAINER = re.compile(r" {0,3}(?:>|[-*+](?:\s|$)|\d{1,9}[.)](?:\s|$)|\|)", re.MULTILINE)
"""Lines that take what follows into a quote, list item or table, so that no underline makes a heading of it."""

_CODE = re.compile(r"(?:(?: {4}|\t)[^\n]*\n)*")
"""Indented lines, which are code where no paragraph has begun."""

_MARKUP = (
    (re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])"), r"\1"),  # links and images
    (re.compile(r"(\*{1,3}|_{1,3}|`+|~~)(?=\S)(.+?)(?<=\S)\1(?!\w)"), r"\2"),  # emphasis and code
    (re.compile(r"[^\S\n]\{[^{}\n]*\}$"), ""),  # attributes such as {#anchor}
    (re.compile(r"\\([!-/:-@\[-`{-~])"), r"\1"),  # escapes
)

_LONGEST = 1000
"""Characters of a heading: below a longer paragraph an underline is a rule, and of a longer line markup stays."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: where its line or lines begin and end, its level from 1, and its text without markup."""

    start: int
    end: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Section:
    """Characters ``start`` to ``end`` of a document and what is known of them.

    ``headings`` is the path of the section, its own heading last; ``above`` are those of them that stand before
    ``start`` and so are not in its text. ``page`` counts from 1.
    """

    start: int
    end: int
    headings: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    page: int | None = None


def sections(text: str) -> Iterator[Section]:
    """The text cut before its headings, from beginning to end; a heading without text of its own joins the next."""
    path: list[Heading] = []
    start, inside = 0, 0
    end_of_heading = -1
    for heading in headings(text):
        bare = end_of_heading >= 0 and skip_space(text, end_of_heading, heading.start) == heading.start
        if not (bare and heading.level > path[-1].level):
            if heading.start > start:
                yield _section(start, heading.start, path, inside)
            start = heading.start
            inside = sum(1 for above in path if above.level < heading.level)
        path = [above for above in path if above.level < heading.level] + [heading]
        end_of_heading = heading.end
    yield _section(start, len(text), path, inside)


def _section(start: int, end: int, path: list[Heading], above: int) -> Section:
    titles = [heading.title for heading in path]
    return Section(
        start, end, tuple(title for title in titles if title), tuple(title for title in titles[:above] if title)
    )


def headings(text: str) -> Iterator[Heading]:
    """The headings of a Markdown text in order; none from code, comments and front matter. One pass, nothing kept."""
    front_matter = _FRONT_MATTER.match(text)
    place = floor = front_matter.end() if front_matter else 0
    while mark := _MARK.search(text, place):
        start, place = mark.span()
        if mark["atx"]:
            yield Heading(start, place, len(mark["atx"]), _plain(_CLOSING_MARKS.sub("", mark["title"] or "")))
        elif mark["underline"]:
            above = _start_of_paragraph(text, floor, start)
            if above < start:
                yield Heading(above, place, 1 if mark["underline"][0] == "=" else 2, _plain(text[above:start]))
            elif mark["underline"][0] == "=":
                continue  # text like any other
        else:
            place = _end_of_hidden(text, mark)
        floor = place


def _end_of_hidden(text: str, mark: re.Match[str]) -> int:
    """Where a fenced code block, comment or HTML block that begins at the mark ends."""
    if mark["fence"]:
        fence = mark["fence"]
        closing = re.compile(rf"^[^\S\n]*{fence[0]}{{{len(fence)},}}[^\S\n]*$", re.MULTILINE)
    else:
        closing = _END_OF_TAG if mark["tag"] else _END_OF_COMMENT
    end = closing.search(text, mark.end())
    return end.end() if end else len(text)


def _start_of_paragraph(text: str, floor: int, end: int) -> int:
    """Where the lines of plain text between ``floor`` and ``end``, right before ``end``, begin; ``end`` if none."""
    start = end
    while end - start <= _LONGEST:
        line = max(floor, text.rfind("\n", 0, max(0, start - 1)) + 1)
        if start <= floor or _BOUNDARY.match(text, line):
            return _CODE.match(text, start, end).end()  # type: ignore[union-attr]  # it always matches
        if _CONTAINER.match(text, line):
            return end
        start = line
    return end


def _plain(title: str) -> str:
    title = " ".join(title.split())
    for pattern, replacement in _MARKUP if len(title) <= _LONGEST else ():
        title = pattern.sub(replacement, title)
    return title.strip()
