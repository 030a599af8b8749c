"""The blocks of a text that are read line by line: tables, code, logs."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from late_rag.headings import FENCE, closing_fence
from late_rag.tables import DELIMITER, is_header


class Style(Enum):
    """What the lines of a block are."""

    TABLE = auto()
    CODE = auto()
    LINES = auto()


@dataclass(frozen=True, slots=True)
class Block:
    """Characters ``start`` to ``end`` of a text, to be broken between lines.

    What stands before ``body`` (a table's header, the opening fence) is not parted from the line that begins there, nor
    what begins at ``tail`` (the closing fence) from the line before it.
    """

    start: int
    end: int
    style: Style
    body: int
    tail: int

    @classmethod
    def whole(cls, start: int, end: int, style: Style) -> Block:
        """A block of nothing but lines."""
        return cls(start, end, style, start, end + 1)


class Blocks:
    """The blocks of a stretch of text, in order and without overlap, found by place."""

    def __init__(self, blocks: Iterable[Block] = ()) -> None:
        self._blocks = list(blocks)
        self._starts = [block.start for block in self._blocks]

    def at(self, place: int) -> Block | None:
        """The block that begins at the place or before, and goes on after it."""
        number = bisect_right(self._starts, place) - 1
        return self._blocks[number] if number >= 0 and place < self._blocks[number].end else None

    def inside(self, place: int) -> Block | None:
        """The block that would be cut in two at the place."""
        block = self.at(place)
        return block if block and block.start < place else None

    def edges(self, low: int, high: int) -> Iterator[int]:
        """Where in ``low … high`` blocks begin and end."""
        for number in range(max(0, bisect_right(self._starts, low) - 1), bisect_right(self._starts, high)):
            block = self._blocks[number]
            yield from (place for place in (block.start, block.end) if low <= place <= high)


_MARK = re.compile(
    rf"(?:^|(?<=\f))(?:[^\S\n]*+{FENCE}"
    rf"|(?P<delimiter>{DELIMITER.pattern}))",
    re.MULTILINE,
)
"""An opening fence, or what may be the second row of a table."""


def markdown_blocks(text: str, start: int, stop: int) -> Iterator[Block]:
    """The tables and the code in fences of a stretch of Markdown that begins with a line. One pass."""
    place = start
    while mark := _MARK.search(text, place, stop):
        block = _code(text, mark, stop) if mark["fence"] else _table(text, mark, place, stop)
        if block:
            yield block
        place = max(block.end if block else 0, mark.end() + 1)
        if place >= stop:
            return


def _code(text: str, mark: re.Match[str], stop: int) -> Block:
    end = closing_fence(mark["fence"]).search(text, mark.end(), stop)
    begin, body = text.rfind("\n", 0, mark.start("fence")) + 1, min(mark.end() + 1, stop)
    if end is None:
        return Block(begin, stop, Style.CODE, body, stop + 1)
    return Block(begin, end.end(), Style.CODE, body, max(body, end.start()))


def _table(text: str, mark: re.Match[str], floor: int, stop: int) -> Block | None:
    """The table whose second row the mark may be."""
    if mark.start() <= floor:
        return None
    start = max(text.rfind("\n", floor, mark.start() - 1) + 1, floor)
    if not is_header(text[start : mark.start() - 1], mark["delimiter"]):
        return None
    end = body = min(mark.end() + 1, stop)
    while end < stop:
        line = text.find("\n", end, stop)
        line = stop if line < 0 else line
        if text.find("|", end, line) < 0:
            break
        end = min(line + 1, stop)
    return Block(start, _without_break(text, body, end), Style.TABLE, body, end + 1)


def _without_break(text: str, least: int, end: int) -> int:
    return end - 1 if end > least and text[end - 1] == "\n" else end
