"""Cells and exponents that touch what stands before them on a PDF page, though they were drawn apart from it.

pdfium takes a gap of less than a blank for none. Where text was drawn in pieces, their ends tell more; but some writers
draw words, or even letters, in pieces, and those belong together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from late_rag.loaders.pdf.characters import Characters, Line
from late_rag.loaders.pdf.columns import Row

_APART = 0.07  # of the height of the letters: more than kerning
_JOINED = 0.2  # of the ends of pieces within words, at most, where a writer draws cells
_RAISED = 0.08  # of the height of the letters
_LIKE = 0.9  # of the height of the letters: less is another size
_LAST_ALPHABET = "\u0590"  # scripts behind it run to the left, join their letters, or need no blanks
_EXPONENT = re.compile(r"[-+−–]?[0-9]{1,9}([/⁄]?)")
_BEFORE, _AFTER = "%)€", "-−+($€£"  # what a cell can end and begin with besides letters and digits


def part_pieces(characters: Characters, rows: list[Row]) -> list[Row]:
    """The rows, with their lines parted where cells or numbers touch."""
    ends = [[list(_ends(characters, line)) for line in row] for row in rows]
    gaps = [gap for row in ends for line in row for before, _ in line if (gap := _gap(characters, before)) is not None]
    cells = sum(gap <= _APART for gap in gaps) <= _JOINED * len(gaps)
    return [
        [part for line, found in zip(row, row_ends, strict=True) for part in _parts(characters, line, found, cells)]
        for row, row_ends in zip(rows, ends, strict=True)
    ]


def number_apart(characters: Characters, before: int, after: int) -> str:
    """What stands between two characters at different heights for them not to look like one number: 10^6, no 106."""
    units = characters.units
    exponent = _EXPONENT.match(units, after)
    if not exponent or not _is_digit(units[before]):
        return ""
    box, other = characters.box(before), characters.box(after)
    size, height = box.top - box.bottom, other.top - other.bottom
    rise = characters.origin(after)[1] - characters.origin(before)[1]
    if rise > _RAISED * size and height < _LIKE * size:
        return " " if exponent.group(1) else "^"
    return " " if abs(rise) > _RAISED * size and _is_digit(units[after]) else ""


def _is_digit(unit: str) -> bool:
    return "0" <= unit <= "9"


def _ends(characters: Characters, line: Line) -> Iterator[tuple[int, bool]]:
    """The last characters of pieces that touch the next, and whether one of both pieces has more than a letter."""
    found, spans = [], [(line.first, line.last)]
    while spans:
        low, high = spans.pop()
        if characters.piece(low) == characters.piece(high):
            continue
        if high - low == 1:
            found.append(low)
        else:
            middle = (low + high) // 2
            spans += [(middle, high), (low, middle)]
    for (start, end), (_, following) in pairwise(pairwise([line.first - 1, *found, line.last])):
        if not characters.units[end].isspace() and not characters.units[end + 1].isspace():
            yield end, end - start > 1 or following - end > 1


def _parts(characters: Characters, line: Line, ends: list[tuple[int, bool]], cells: bool) -> Iterator[Line]:
    for before, words in ends:
        between = number_apart(characters, before, before + 1)
        if not between and cells and words and (_gap(characters, before) or 0.0) > _APART:
            between = " "
        if between:
            yield line._replace(end=before + 1, ending=between, last=before)
            line = line._replace(start=before + 1, first=before + 1)
    yield line


def _gap(characters: Characters, before: int) -> float | None:
    """How far two letters at one height are apart, by their height; None where they tell nothing about cells."""
    left, right = characters.units[before], characters.units[before + 1]
    if max(left, right) >= _LAST_ALPHABET and not {left, right} & {"€", "−"}:
        return None
    if not (left.isalnum() or left in _BEFORE) or not (right.isalnum() or right in _AFTER):
        return None
    box, other = characters.box(before), characters.box(before + 1)
    size, height = box.top - box.bottom, other.top - other.bottom
    rise = abs(characters.origin(before)[1] - characters.origin(before + 1)[1])
    if not size or min(size, height) < _LIKE * max(size, height) or rise > _RAISED * size:
        return None
    return (other.left - box.right) / size
