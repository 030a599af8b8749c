"""XML as lines of text, element by element.

An element is a line of its own where its parent holds elements alone, and part of its parent's line where it stands
between words; whether its parent has words is known when that ends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from html.entities import html5

DEEPEST = 10_000
"""Elements inside each other."""

MOST_ELEMENTS = 4_000_000
"""Of a file, each of which takes 250 bytes while it is read."""

_MOST_MISSING = 100
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]{2}")
_SPACES = re.compile(r"\s+")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BLOCKS = _names(
    "p para simpara formalpara title subtitle section chapter sect1 sect2 sect3 sect4 sect5 div list item listitem "
    "itemizedlist orderedlist variablelist varlistentry ul ol li table row entry tr td th head lg l ab abstract figure "
    "example note tip warning caution important programlisting screen literallayout blockquote quotedblock caption "
    "footnote dd dt dl h1 h2 h3 h4 h5 h6 br lb pb cb break"
)
"""Elements of documents (DocBook, DITA, TEI, JATS, XHTML) that are lines of their own between words as well."""

_AS_IT_STANDS = _names("programlisting screen literallayout pre codeblock synopsis")
_TOLD = _names(
    "title label name value text description desc alt caption summary content tooltip hint message heading subject "
    "comment term"
)
"""Attributes that are read where they have a letter, ``value`` always; others must have two words."""

_UNTOLD = _names(
    "id class style href src url uri type rel lang d points transform viewbox xpath select match test use expr "
    "expression pattern format font-family charset media"
)
_FEEDS = frozenset({"rss", "feed", "rdf"})
_FEED_TEXTS = _names("description encoded content summary subtitle title")
_KEEP = str.maketrans({"\n": "\x01", " ": "\x02", "\t": "\x03"})
_GIVE_BACK = str.maketrans({"\x01": "\n", "\x02": " ", "\x03": "\t"})
"""White space that stays as it is, in the meantime as characters that XML does not allow."""


class RefusedError(Exception):
    """What is not read although it is XML; the message names the limit."""


@dataclass(slots=True)
class _Open:
    """An element that has not ended: where its parts begin, whether it has words, and where its children are."""

    name: str
    start: int
    kept: bool
    told: int | None = None
    worded: bool = False
    children: list[_Child] = field(default_factory=list)


@dataclass(slots=True)
class _Child:
    """An element that has ended: where the line breaks before and behind it are, and the text of its attributes.

    ``inner`` are the lines in it, where nothing in it must be one.
    """

    before: int
    behind: int
    block: bool
    told: int | None
    inner: list[_Child]


class Lines:
    """Takes the events of a parser and gives the text.

    Args:
        room: the characters that the text may have, elements counted as four.
    """

    def __init__(self, room: int) -> None:
        self.title: str | None = None
        self.missing: list[str] = []
        self._room, self._elements = room, 0
        self._parts: list[str] = []
        self._open: list[_Open] = []
        self._feed = False

    def text(self) -> str:
        """The lines that are not empty."""
        lines = (" ".join(line.split()) for line in "".join(self._parts).split("\n"))
        return "\n".join(line for line in lines if line).translate(_GIVE_BACK).strip("\n")

    def miss(self, what: str) -> None:
        """Notes something that the text lacks, once."""
        if what not in self.missing and len(self.missing) < _MOST_MISSING:
            self.missing.append(what)

    def close(self) -> None:
        """Ends what was not ended."""
        while self._open:
            self.end()

    def start(self, name: str, attrs: Mapping[str, str]) -> None:
        """An element begins."""
        local = name.rpartition(":")[2].lower()
        if len(self._open) >= DEEPEST:
            raise RefusedError(f"more than {DEEPEST:,} elements stand inside each other")
        self._elements += 1
        if self._elements > MOST_ELEMENTS:
            raise RefusedError(f"it has more than {MOST_ELEMENTS:,} elements, which is the limit")
        if not self._open:
            self._feed = local in _FEEDS
        self._parts.append("\n")
        opened = _Open(local, len(self._parts), self._keeps(local, attrs))
        told = " ".join(_told(attrs)) if attrs else ""
        if told:
            opened.told = len(self._parts)
            self._parts.append(f"{told} ")
        self._take(4 + len(told))
        self._open.append(opened)

    def characters(self, content: str) -> None:
        """Text of the innermost element."""
        self._take(len(content))
        opened = self._open[-1]
        opened.worded = opened.worded or not content.isspace()
        self._parts.append(content.translate(_KEEP) if opened.kept else _SPACES.sub(" ", content))

    def end(self, _: str = "") -> None:
        """The innermost element ends."""
        opened = self._open.pop()
        flows = opened.worded or (len(opened.children) < 2 and not any(child.inner for child in opened.children))
        if flows:
            self._join(opened)
        if self._feed and not opened.children and opened.name in _FEED_TEXTS:
            self._unwrap(opened)
        if opened.name == "title" and self.title is None:
            self.title = " ".join("".join(self._parts[opened.start :]).translate(_GIVE_BACK).split())
        if self._open:
            block = opened.name in _BLOCKS or any(child.block for child in opened.children)
            inner = [] if flows or block else opened.children
            self._open[-1].children.append(_Child(opened.start - 1, len(self._parts), block, opened.told, inner))
        self._parts.append("\n")

    def skip_entity(self, name: str, _: bool = False) -> None:
        """An entity that is not defined: one of HTML's, or its name as it stands."""
        if self._open:
            self.characters(html5.get(f"{name};", f"&{name};"))

    def _take(self, count: int) -> None:
        self._room -= count
        if self._room < 0:
            raise RefusedError("entities make the text more than a million characters longer than the file")

    def _keeps(self, name: str, attrs: Mapping[str, str]) -> bool:
        """Whether white space stays as it is in an element."""
        if self._open and self._open[-1].kept:
            return True
        return name in _AS_IT_STANDS or attrs.get("xml:space") == "preserve" or (self._feed and name in _FEED_TEXTS)

    def _join(self, opened: _Open) -> None:
        """Puts the children into the line of their parent; those that touch are words of their own."""
        last = -1
        for child in opened.children:
            if not child.block:
                self._parts[child.before] = " " if child.inner or child.before == last + 1 else ""
                self._parts[child.behind] = " " if child.inner else ""
                self._space(child.inner)
                if child.told is not None and opened.worded:
                    self._parts[child.told] = ""
            last = child.behind

    def _space(self, children: list[_Child]) -> None:
        """Puts elements that were lines into one line, and so those in them."""
        waiting = list(children)
        while waiting:
            child = waiting.pop()
            self._parts[child.before] = self._parts[child.behind] = " "
            waiting += child.inner

    def _unwrap(self, opened: _Open) -> None:
        """The text of a feed's element, which often is a page."""
        text = "".join(self._parts[opened.start :]).translate(_GIVE_BACK)
        self._parts[opened.start :] = [_from_page(text) if "<" in text else _SPACES.sub(" ", unescape(text))]


def _from_page(text: str) -> str:
    from late_rag.loaders.html import html_to_markdown

    try:
        return html_to_markdown(text)[0].strip().translate(_KEEP)
    except ValueError:  # markup that no page has
        return text


def _told(attrs: Mapping[str, str]) -> list[str]:
    """The values of attributes that read like text."""
    values = []
    for name, value in attrs.items():
        prefix, _, local = name.rpartition(":")
        if local.lower() in _UNTOLD or name == "xmlns" or prefix in ("xml", "xmlns", "xsi"):
            continue
        if _reads_like_text(local.lower(), value):
            values.append(" ".join(value.split()))
    return values


def _reads_like_text(name: str, value: str) -> bool:
    if name in _TOLD:
        return name == "value" or bool(_LETTER.search(value))
    return _has_words(value)


def _has_words(value: str) -> bool:
    """Whether there are two words among the first."""
    return " " in value and sum(map(bool, map(_WORD.search, value[:500].split()))) > 1
