"""Rows of a table in text, read so that a line which breaks the rules costs no other line.

Python's reader does the parsing, strictly. Where it refuses, or finds another number of cells than the header has,
the other ways of writing a table are tried: a space before a quote, a backslash before one. What no way reads is a
line of its own, whose quotes are letters.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

LONGEST_ROW = 2**25
"""Characters that a row over several lines may have; a quote that is open for longer was never closed."""

_LONGEST_CELL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Style:
    """How cells are written, apart from their delimiter."""

    skip_space: bool = False
    """Whether spaces before a cell are no part of it, so that a quote may follow them."""

    backslash: bool = False
    """Whether a backslash takes the meaning from a quote, a delimiter or a backslash behind it."""


class Rows:
    """The rows that have cells, each with the number of its first line; blank lines are passed over.

    Every line is looked at a bounded number of times. ``style`` is that of the last row, and ``width`` the number of
    cells of the first.

    Args:
        lines: with their ends.
        delimiter: one character.
        style: to begin with.
        lines_before: how many lines of the file stand before these.
    """

    def __init__(
        self, lines: Iterable[str], delimiter: str, style: Style | None = None, *, lines_before: int = 0
    ) -> None:
        csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))  # texts are longer than its 131,072
        self.style = style or Style()
        self.width = 0
        self._lines = iter(lines)
        self._delimiter = delimiter
        self._number = lines_before
        self._ahead = deque[str]()
        self._taken: list[str] = []
        self._readers: dict[Style, Iterator[list[str]]] = {}
        self._futile: dict[Style, int] = {}
        mark = re.escape(delimiter)
        self._space_and_quote = re.compile(rf'(?:^|{mark}) +"')
        self._escape = re.compile(rf'\\["{mark}]')
        self._kept_backslash = re.compile(rf'\\(?:([\\"{mark}])|)')

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        while True:
            self._taken = []
            first = self._number + 1
            cells = self._attempt(self.style)
            if not self._taken:
                return
            if cells is None or self._may_be_other(cells):
                cells = self._otherwise(cells)
            if cells:
                self.width = self.width or len(cells)
                yield first, cells

    def _attempt(self, style: Style) -> list[str] | None:
        """The next row in this style; None where it breaks the rules, and at the end, where no line is taken."""
        reader = self._readers.get(style)
        if reader is None:
            reader = self._readers[style] = csv.reader(
                self._feed(style),
                delimiter=self._delimiter,
                strict=True,
                skipinitialspace=style.skip_space,
                escapechar="\\" if style.backslash else None,
            )
        try:
            return next(reader, None)
        except csv.Error:
            del self._readers[style]
            self._give_up(style)
            return None

    def _feed(self, style: Style) -> Iterator[str]:
        """Lines for a reader, which takes more than one where a quote is open; it ends where that leads nowhere."""
        held = 0
        while True:
            line = self._ahead.popleft() if self._ahead else next(self._lines, None)
            if line is None:
                return
            held = held + len(line) if self._taken else len(line)
            self._number += 1
            futile = bool(self._taken) and (
                self._number <= self._futile.get(style, 0) or held > LONGEST_ROW or self._is_row(line)
            )
            self._taken.append(line)
            if futile:
                return
            yield self._kept_backslash.sub(_keep, line) if style.backslash and "\\" in line else line

    def _is_row(self, line: str) -> bool:
        """Whether a line after an open quote is no part of its cell: cells of tables with tabs have no tabs."""
        return self._delimiter == "\t" and "\t" in line.partition('"')[0]

    def _give_up(self, style: Style) -> None:
        """Remembers that a quote which is open in a line up to here is not closed by what follows."""
        self._futile[style] = max(self._futile.get(style, 0), self._number)

    def _put_back(self, kept: int) -> None:
        back = self._taken[kept:]
        self._ahead.extendleft(reversed(back))
        self._number -= len(back)
        self._taken = self._taken[:kept]

    def _may_be_other(self, cells: list[str]) -> bool:
        if not self.style.skip_space and any(cell.startswith(" ") and cell.lstrip(" ")[:1] == '"' for cell in cells):
            return True
        return not self.style.backslash and len(cells) != self.width > 0 and self._has(self._escape)

    def _has(self, mark: re.Pattern[str]) -> bool:
        return any(mark.search(line) for line in self._taken)

    def _otherwise(self, plain: list[str] | None) -> list[str] | None:
        """The row in the first other style that suits it better, which is kept; else as it was, or its line alone."""
        for style in self._other_styles():
            self._put_back(0)
            cells = self._attempt(style)
            if cells is not None and (self.width in (0, len(cells)) or (plain is None and len(self._taken) == 1)):
                self.style = style
                self._readers = {style: self._readers[style]}
                return cells
            self._give_up(style)
        if plain is not None:
            self._put_back(0)
            return self._attempt(self.style)
        self._put_back(1)
        return loose_cells(self._taken[0], self._delimiter, self.width)

    def _other_styles(self) -> list[Style]:
        spaced = not self.style.skip_space and self._has(self._space_and_quote)
        escaped = not self.style.backslash and self._has(self._escape)
        found = [replace(self.style, skip_space=True)] if spaced else []
        found += [replace(self.style, backslash=True)] if escaped else []
        return [*found, Style(skip_space=True, backslash=True)] if spaced and escaped else found


def _keep(backslash: re.Match[str]) -> str:
    """The reader drops every backslash that is not doubled; one before a letter, as in paths, belongs to the text."""
    return backslash[0] if backslash[1] else "\\\\"


def loose_cells(line: str, delimiter: str, width: int) -> list[str]:
    """The cells of one line that breaks the rules: of its quotes only those are marks that stand on both ends.

    Args:
        line: with its end.
        delimiter: one character.
        width: how many cells it should have; the last takes the rest where it begins with a quote. 0 is any number.
    """
    line = line.rstrip("\r\n")
    closing = re.compile(rf'"(?={re.escape(delimiter)}|$)')
    cells, start, closes = list[str](), 0, True
    while start <= len(line):
        quoted = line.startswith('"', start)
        if quoted and len(cells) == width - 1:
            cells.append(_rest(line[start:]))
            break
        mark = closing.search(line, start + 1) if quoted and closes else None
        closes = closes and (mark is not None or not quoted)
        if mark:
            cells.append(_unquoted(line[start : mark.end()]))
            start = mark.end() + 1
            continue
        end = line.find(delimiter, start)
        end = len(line) if end < 0 else end
        cells.append(line[start:end])
        start = end + 1
    return cells


def _rest(text: str) -> str:
    return _unquoted(text) if len(text) > 1 and text.endswith('"') else text


def _unquoted(cell: str) -> str:
    """A cell between quotes without them, unless each belongs to a phrase of its own, as in ``"x" and "y"``."""
    inner = cell[1:-1].replace('""', '"')
    first, last = inner.find('"'), inner.rfind('"')
    phrases = 0 < first < last < len(inner) - 1 and not (inner[first + 1].isalnum() or inner[last - 1].isalnum())
    return cell if phrases and not inner[first - 1].isspace() and not inner[last + 1].isspace() else inner
