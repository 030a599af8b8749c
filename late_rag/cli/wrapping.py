"""Text with places in it that matter, brought to the width of a terminal; knows nothing of colours."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len

from late_rag.cli.layout import Stretch, stretches

if TYPE_CHECKING:
    from late_rag.types import TextSpan

_WORD = re.compile(r"\S+")
_DOTS = "…"
_TAB = " " * 4


@dataclass(frozen=True)
class Line:
    """A text without line ends, and the matches in it, as starts and stops."""

    text: str
    matches: tuple[tuple[int, int], ...] = ()

    def part(self, start: int, stop: int) -> "Line":
        """The characters from ``start`` to ``stop``."""
        inside = ((max(first, start) - start, min(last, stop) - start) for first, last in self.matches)
        return Line(self.text[start:stop], tuple((first, last) for first, last in inside if first < last))

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
        spans: the matches.
        width: of the lines, dots included.
        count: show only so many lines, those in a row with the most matches, with dots where something is left out.
        by_lines: it is a text of lines, such as code, all through.
    """
    paragraphs = [_line(text, stretch, spans) for stretch in stretches(text, by_lines=by_lines)]
    lines = [line for paragraph in paragraphs for line in wrap(paragraph, width)]
    if count is None or len(lines) <= count:
        return lines
    room = width - 2 * (len(_DOTS) + 1)
    return _densest([line for paragraph in paragraphs for line in wrap(paragraph, room)], count)


def wrap(line: Line, width: int) -> list[Line]:
    """The line broken between words, or within those that are wider than ``width`` cells; indented as it was."""
    edges: list[tuple[int, int]] = []
    for word in _WORD.finditer(line.text):
        start = word.start()
        for piece in _pieces(word.group(), width):
            stop = start + len(piece)
            if edges and start == word.start() and cell_len(line.text[edges[-1][0] : stop]) <= width:
                edges[-1] = edges[-1][0], stop
            else:
                indented = not edges and cell_len(line.text[:stop]) <= width
                edges.append((0 if indented else start, stop))
            start = stop
    return [line.part(start, stop) for start, stop in edges]


def _pieces(word: str, width: int) -> Iterator[str]:
    """The word, or what it must be broken into."""
    start = 0
    while cell_len(word[start:]) > width:
        stop = start + 1
        while cell_len(word[start : stop + 1]) <= width:
            stop += 1
        yield word[start:stop]
        start = stop
    yield word[start:]


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


def _line(text: str, stretch: Stretch, spans: "Sequence[TextSpan]") -> Line:
    if stretch.kept:
        return _without_tabs(_part(text, stretch.start, stretch.stop, spans))
    words = _WORD.finditer(text, stretch.start, stretch.stop)
    return _joined([_part(text, word.start(), word.end(), spans) for word in words])


def _without_tabs(line: Line) -> Line:
    def moved(place: int) -> int:
        return place + line.text.count("\t", 0, place) * (len(_TAB) - 1)

    matches = tuple((moved(start), moved(stop)) for start, stop in line.matches)
    return Line(line.text.replace("\t", _TAB), matches)


def _part(text: str, start: int, stop: int, spans: "Sequence[TextSpan]") -> Line:
    matches = [(span.start, span.end) for span in spans if span.start < stop and span.end > start]
    return Line(text, tuple(matches)).part(start, stop)


def _joined(words: Sequence[Line]) -> Line:
    matches: list[tuple[int, int]] = []
    offset = 0
    for word in words:
        matches.extend((start + offset, stop + offset) for start, stop in word.matches)
        offset += len(word.text) + 1
    return Line(" ".join(word.text for word in words), tuple(matches))
