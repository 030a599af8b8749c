"""Two columns of a PDF page that were drawn row by row, read one after the other.

That is done only where running text can be told from the cells of a table: a line of running text ends where its next
word would not have fitted into the column, and goes on in the middle of a sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import NamedTuple, TypeAlias

from late_rag.loaders.pdf.characters import Box, Characters, Line
from late_rag.loaders.pdf.words import DIVIDED

Row: TypeAlias = list[Line]

_FEWEST_ROWS = 4
_MOST_ROWS = 2000  # a page that has more is no running text
_FEWEST_WORDS = 3  # of a line, on average
_GUTTER = 0.8  # of the height of the letters, at least
_FILLED = 0.8  # of the lines end because the next word does not fit
_GOES_ON = 0.5  # of the lines begin in the middle of a sentence
_ENDS = (".", "!", "?", ":", ";", '"', "”", ")", "»")


class _Gap(NamedTuple):
    """The widest gap of a row of drawn text."""

    left: float
    right: float
    bottom: float
    top: float


class _Piece(NamedTuple):
    """What a row has in one column."""

    row: Row
    text: str
    width: float


def read_by_columns(characters: Characters, rows: list[Row]) -> list[Row]:
    """The rows in reading order: where two columns of running text were drawn row by row, the left one first."""
    if not _FEWEST_ROWS <= len(rows) <= _MOST_ROWS or characters.count_runs() < len(rows) + _FEWEST_ROWS:
        return rows
    ordered: list[Row] = []
    gaps = _blocks(characters.runs())
    for gap, group in groupby(rows, lambda row: _gap_of(characters, row, gaps)):
        block = list(group)
        ordered += _one_after_the_other(characters, block, gap) if gap else block
    return ordered


def _gap_of(characters: Characters, row: Row, gaps: list[_Gap]) -> _Gap | None:
    height = characters.origin(row[0].first)[1]
    return next((gap for gap in gaps if gap.bottom <= height <= gap.top), None)


def _blocks(runs: list[Box]) -> list[_Gap]:
    """The gutters that several rows in succession have in common."""
    blocks: list[list[_Gap]] = []
    for gap in map(_widest_gap, _drawn_rows(runs)):
        if gap is None:
            blocks.append([])
        elif blocks and blocks[-1] and _common([*blocks[-1], gap]):
            blocks[-1].append(gap)
        else:
            blocks.append([gap])
    found = (_common(block) for block in blocks if len(block) >= _FEWEST_ROWS)
    return [gap for gap in found if gap]


def _drawn_rows(runs: list[Box]) -> Iterator[list[Box]]:
    """Runs that follow each other to the right at one height."""
    row: list[Box] = []
    for run in runs:
        middle = (run.bottom + run.top) / 2
        if row and not (row[-1].bottom <= middle <= row[-1].top and run.left >= row[-1].left):
            yield row
            row = []
        row.append(run)
    if row:
        yield row


def _widest_gap(row: list[Box]) -> _Gap | None:
    bottom, top = min(run.bottom for run in row), max(run.top for run in row)
    gaps = sorted((other.left - run.right, run.right, other.left) for run, other in pairwise(row))
    wide = bool(gaps) and gaps[-1][0] > _GUTTER * (top - bottom)
    if not wide or (len(gaps) > 1 and 2 * gaps[-2][0] > gaps[-1][0]):
        return None
    return _Gap(gaps[-1][1], gaps[-1][2], bottom, top)


def _common(gaps: list[_Gap]) -> _Gap | None:
    left, right = max(gap.left for gap in gaps), min(gap.right for gap in gaps)
    bottom, top = min(gap.bottom for gap in gaps), max(gap.top for gap in gaps)
    return _Gap(left, right, bottom, top) if right - left > _GUTTER * (gaps[0].top - gaps[0].bottom) else None


def _one_after_the_other(characters: Characters, rows: list[Row], gap: _Gap) -> list[Row]:
    middle = (gap.left + gap.right) / 2
    columns: tuple[list[_Piece], list[_Piece]] = ([], [])
    for row in rows:
        for column, part in zip(columns, _split(characters, row, middle), strict=True):
            if part:
                column.append(_piece(characters, part))
    left, right = columns
    if not (_is_running_text(left) and _is_running_text(right) and _goes_on(left, right)):
        return rows
    return [piece.row for piece in (*_divided(left), *right)]


def _split(characters: Characters, row: Row, middle: float) -> tuple[Row, Row]:
    """The parts of a row on both sides of the gutter."""
    low, high = row[0].first, row[-1].last + 1
    while low < high:
        index = (low + high) // 2
        if characters.origin(index)[0] < middle:
            low = index + 1
        else:
            high = index
    left = [characters.line(line.start, min(line.end, low), line.ending) for line in row]
    right = [characters.line(max(line.start, low), line.end, line.ending) for line in row]
    before = [line for line in left if line]
    if before:
        before[-1] = before[-1]._replace(end=before[-1].last + 1, ending="\n")
    return before, [line for line in right if line]


def _piece(characters: Characters, row: Row) -> _Piece:
    width = characters.box(row[-1].last).right - characters.box(row[0].first).left
    return _Piece(row, characters.units[row[0].first : row[-1].last + 1], width)


def _is_running_text(column: list[_Piece]) -> bool:
    if len(column) < _FEWEST_ROWS or sum(len(piece.text.split()) for piece in column) < _FEWEST_WORDS * len(column):
        return False
    widest = max(piece.width for piece in column)
    filled = [_with_next_word(piece, after) > widest for piece, after in _inside_sentences(column)]
    return len(filled) > 1 and sum(filled) >= _FILLED * len(filled)


def _with_next_word(piece: _Piece, after: _Piece) -> float:
    """How wide a line would be with the first word of the next."""
    letters = 1 + len(after.text.split()[0])
    return piece.width + letters * after.width / len(after.text)


def _goes_on(left: list[_Piece], right: list[_Piece]) -> bool:
    """Whether enough lines begin in the middle of a sentence, and sentences do not begin in both columns at once."""
    pairs = [*_inside_sentences(left), *_inside_sentences(right)]
    together = sum(
        all(before.text.endswith(_ENDS) for before, _ in (one, other))
        for one, other in zip(pairwise(left), pairwise(right), strict=False)
    )
    return together < 2 and sum(after.text[0].islower() for _, after in pairs) >= _GOES_ON * len(pairs)


def _inside_sentences(column: list[_Piece]) -> list[tuple[_Piece, _Piece]]:
    return [(piece, after) for piece, after in pairwise(column) if not piece.text.endswith(_ENDS)]


def _divided(column: list[_Piece]) -> Iterator[_Piece]:
    """Marks words that are divided at the end of a line, which pdfium does not see in front of a gutter."""
    for piece, after in pairwise(column):
        if piece.text.endswith("-") and piece.text[-2:-1].isalpha() and after.text[0].islower():
            *lines, last = piece.row
            yield piece._replace(row=[*lines, last._replace(end=last.last, ending=DIVIDED)])
        else:
            yield piece
    yield column[-1]
