"""Rows of a sheet as a Markdown table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from late_rag import tables
from late_rag.loaders.spreadsheet.sizes import MOST_TEXT

_MOST_LINES_IN_FRONT = 10
_LARGEST_WHOLE = 10**15


def sheet_table(rows: Iterable[Iterable[Any]]) -> str:
    """The rows that have text, the first as the header; what stands alone in its row above it is a line.

    Raises:
        ValueError: they have more text than the limit.
    """
    filled = _filled(rows)
    begun = list(islice(filled, _MOST_LINES_IN_FRONT + 1))
    alone = next((place for place, row in enumerate(begun) if sum(map(bool, row)) > 1), 0)
    lines = ["".join(row) + "\n" for row in begun[:alone]]
    length = 0
    for number, row in enumerate(chain(begun[alone:], filled)):
        lines.append(tables.row(row))
        if number == 0:
            lines.append(tables.delimiter_row(len(row)))
        length += len(lines[-1])
        if length > MOST_TEXT:
            raise ValueError(f"has more than {MOST_TEXT:,} characters in its cells, which is the limit")
    return "\n".join(lines) + "\n" if lines else ""


def _filled(rows: Iterable[Iterable[Any]]) -> Iterator[list[str]]:
    for row in rows:
        cells = [" ".join(_text(cell).split()) for cell in row]
        if any(cells):
            yield cells


def _text(cell: Any) -> str:
    """A value as a reader would write it, dates in ISO 8601."""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < _LARGEST_WHOLE else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.isoformat(timespec="seconds")
    if isinstance(cell, dt.timedelta):
        minutes, seconds = divmod(round(cell.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return cell.isoformat() if isinstance(cell, (dt.date, dt.time)) else str(cell)
