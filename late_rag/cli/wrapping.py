"""Text with places in it that matter, brought to the width of a terminal; knows nothing of colours."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from rich.cells import cell_len

from late_rag.cli.layout import Stretch, stretches

if TYPE_CHECKING:
    from late_rag.types import TextSpan

_WORD = re.compile(r"\S+")
_DOTS = "…"
_TAB = " " * 4
_MOST_PER_CELL = 8
"""Characters: a letter with several marks, or a joined emoji."""


@dataclass(frozen=True)
class Line:
    """A text without line ends, and the matches in it, as starts and stops; in order, none overlapping."""

    text: str
    matches: tuple[tuple[int, int], ...] = ()

    def part(self, start: int, stop: int) -> "Line":
        """The characters from ``start`` to ``stop``."""
        inside = self.matches[
            bisect_right(self.matches, start, key=itemgetter(1)) : bisect_left(self.matches, stop, key=itemgetter(0))
        ]
        moved = ((max(first, start) - start, min(last, stop) - start) for first, last in inside)
        return Line(self.text[start:stop], tuple(moved))

    def within(self, before: str = "", after: str = "") -> "Line":
        """The line between two texts."""
        moved = tuple((first + len(before), last + len(before)) for first, last in self.matches)
        return Line(f"{before}{self.text}{after}", moved)


def passage_lines(
    text: str, spans: "Sequence[TextSpan]", width: int, count: int | None = None, *, by_lines: bool = False
) -> list[Line]:
    """The text as lines of ``width`` cells at most.

    Args:
        text: white space in prose becomes single spaces, but paragraphs and items are kept apart; lines of code,
            tables and logs stay as they are, but for those that are too wide.
        spans: the matches, in order, none overlapping.
        width: of the lines, dots included.
        count: show only so many lines, those in a row with the most matches, with dots where something is left out.
        by_lines: it is a text of lines, such as code, all through.
    """
    whole = Line(text, tuple((span.start, span.end) for span in spans if span.start < span.end))
    paragraphs = [_line(whole, stretch) for stretch in stretches(text, by_lines=by_lines)]
    lines = [line for paragraph in paragraphs for line in wrap(paragraph, width)]
    if count is None or len(lines) <= count:
        return lines
    room = width - 2 * (len(_DOTS) + 1)
    return _densest([line for paragraph in paragraphs for line in wrap(paragraph, room)], count)


def wrap(line: Line, width: int) -> list[Line]:
    """The line broken between words, or within those that are wider than ``width`` cells; indented as it was.

    What takes no room (combining marks) is broken too, after as many characters as no writing needs for a line.
    """
    text, edges = line.text, list[tuple[int, int]]()
    for word in _WORD.finditer(text):
        start = word.start()
        while start < word.end():
            if edges and start == word.start() and _fits(text, edges[-1][0], word.end(), width):
                edges[-1] = edges[-1][0], word.end()
                break
            stop = _end_of_piece(text, start, word.end(), width)
            indented = not edges and _fits(text, 0, stop, width)
            edges.append((0 if indented else start, stop))
            start = stop
    return [line.part(start, stop) for start, stop in edges]


def _end_of_piece(text: str, start: int, end: int, width: int) -> int:
    """Where a piece ends that begins at ``start`` and is as long as fits; of one character at least."""
    if _fits(text, start, end, width):
        return end
    stops = range(start + 1, min(end, start + _MOST_PER_CELL * width) + 1)
    fitting = bisect_left(stops, True, key=lambda stop: not _fits(text, start, stop, width))
    return start + max(1, fitting)


def _fits(text: str, start: int, stop: int, width: int) -> bool:
    return stop - start <= _MOST_PER_CELL * width and cell_len(text[start:stop]) <= width


def _densest(lines: Sequence[Line], count: int) -> list[Line]:
    first = max(
        range(len(lines) - count + 1),
        key=lambda start: sum(len(line.matches) for line in lines[start : start + count]),
    )
    shown = list(lines[first : first + count])
    if first:
        shown[0] = shown[0].within(before=f"{_DOTS} ")
    if first + count < len(lines):
        shown[-1] = shown[-1].within(after=f" {_DOTS}")
    return shown


def _line(whole: Line, stretch: Stretch) -> Line:
    if stretch.kept:
        return _without_tabs(whole.part(stretch.start, stretch.stop))
    words = _WORD.finditer(whole.text, stretch.start, stretch.stop)
    return _joined([whole.part(word.start(), word.end()) for word in words])


def _without_tabs(line: Line) -> Line:
    tabs = [found.start() for found in re.finditer("\t", line.text)]

    def moved(place: int) -> int:
        return place + bisect_left(tabs, place) * (len(_TAB) - 1)

    matches = tuple((moved(start), moved(stop)) for start, stop in line.matches)
    return Line(line.text.replace("\t", _TAB), matches)


def _joined(words: Sequence[Line]) -> Line:
    matches: list[tuple[int, int]] = []
    offset = 0
    for word in words:
        matches.extend((start + offset, stop + offset) for start, stop in word.matches)
        offset += len(word.text) + 1
    return Line(" ".join(word.text for word in words), tuple(matches))
