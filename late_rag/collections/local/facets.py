"""Metadata as an indexed table, and filters over it.

Each name under which a chunk's metadata has a value gives the table ``facets`` a row ``(row, key, type, value)`` or
a few; each element of a list as many, with its type moved up. So a condition is a search in one index, and what joins
conditions joins sets of row numbers. Values are bound parameters, always. What a filter means is said by
:func:`late_rag.filters.matches`; :func:`where` and :func:`rows` are the same in SQL.
"""

from __future__ import annotations

import functools
import json
import sqlite3
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from late_rag.collections.kit.facet_types import ELEMENT, Type, stored, text_of
from late_rag.collections.local.facet_sets import SQL, AllOf, AnyOf, Others, Rows, RowSet, row_set
from late_rag.errors import CollectionDamagedError
from late_rag.filters import Filter
from late_rag.filters.fields import named_values
from late_rag.filters.predicate import contains_ignoring_case, like
from late_rag.types import Metadata

__all__ = ["ELEMENT", "KINDS", "SCHEMA", "Type", "facet_rows", "prepare", "rows", "where"]

SCHEMA = """
CREATE TABLE facets (
    row INTEGER NOT NULL, key TEXT NOT NULL, type INTEGER NOT NULL, value NOT NULL,
    PRIMARY KEY (row, key, type, value)) WITHOUT ROWID;
CREATE INDEX facets_by_value ON facets (key, type, value, row);
"""
"""The primary key finds what belongs to one chunk. ``value`` has no type, so that nothing is converted."""

KINDS = frozenset(map(int, Type))
"""What stands in the column ``type`` for a value that is no element of a list."""

RowNumbers: TypeAlias = npt.NDArray[np.int64]
"""``(rows,) int64``, ascending, each once."""

_FEW = 1000
"""Up to so many rows are looked up one by one rather than by fetching all that meet another condition."""


def prepare(connection: sqlite3.Connection) -> None:
    """Gives a connection the functions that SQLite has not; every connection that runs a filter needs them."""
    connection.create_function("late_rag_like", 2, like, deterministic=True)
    connection.create_function("late_rag_imatches", 2, contains_ignoring_case, deterministic=True)
    connection.create_function("late_rag_json", 1, json.loads, deterministic=True)
    connection.create_function("late_rag_text", 2, text_of, deterministic=True)


def facet_rows(row: int, metadata: Metadata) -> list[tuple[int, str, int, Any]]:
    """What the chunk with this row number has in the table ``facets``: (row, key, type, value), each once."""
    found: dict[tuple[int, str, int, Any], None] = {}
    for key, value in named_values(metadata).items():
        for kind, plain in stored(value):
            found[row, key, int(kind), plain] = None
        for item in value if isinstance(value, list) else ():
            for kind, plain in stored(item):
                found[row, key, kind + ELEMENT, plain] = None
    return list(found)


def where(filter: Filter) -> SQL:  # noqa: A002
    """The filter as an expression over the table ``chunks``, and its parameters: ``SELECT row FROM chunks WHERE …``.

    It is true or false for every row, never NULL. Where only row numbers are wanted, :func:`rows` is faster.
    """
    return _expression(row_set(filter))


def _expression(rows: RowSet) -> SQL:
    if isinstance(rows, Rows):
        select, values = _union(rows)
        return f"chunks.row IN ({select})", values
    if isinstance(rows, Others):
        inner, values = _expression(rows.of)
        return f"NOT {inner}", values
    parts = [_expression(part) for part in rows.sets]
    joiner = " AND " if isinstance(rows, AllOf) else " OR "
    return f"({joiner.join(part for part, _ in parts)})", [value for _, values in parts for value in values]


def _union(rows: Rows) -> SQL:
    selects = rows.selects or (("SELECT NULL AS row WHERE 0", []),)
    return " UNION ALL ".join(select for select, _ in selects), [value for _, values in selects for value in values]


def rows(
    connection: sqlite3.Connection,
    filter: Filter,  # noqa: A002
    within: RowNumbers | None = None,
) -> RowNumbers:
    """The row numbers of the chunks that the filter means, of those in ``within`` where that is given.

    Several SELECTs may run: begin a transaction before, so that they see one state. Each comes back as one text of
    numbers, which costs a tenth of fetching them row by row, and joining the sets is left to numpy.
    """
    return _Evaluation(connection).rows(row_set(filter), within)


class _Evaluation:
    """One filter on one state of the database."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @functools.cached_property
    def _every(self) -> RowNumbers:
        return _ascending(self._fetched(("SELECT row FROM chunks", [])))

    def rows(self, wanted: RowSet, within: RowNumbers | None = None) -> RowNumbers:
        """The wanted rows, of those in ``within`` where that is given."""
        if isinstance(wanted, Rows):
            return self._selected(wanted, within)
        if isinstance(wanted, Others):
            others = self._every if within is None else within
            return np.setdiff1d(others, self.rows(wanted.of, within), assume_unique=True)
        if isinstance(wanted, AnyOf):
            return _ascending(np.concatenate([self.rows(part, within) for part in wanted.sets]))
        return self._in_all(wanted, within)

    def _in_all(self, wanted: AllOf, within: RowNumbers | None) -> RowNumbers:
        """A set of few rows comes first, for then the others need not be fetched whole; complements only subtract."""
        waiting: list[RowSet] = []
        for part in wanted.sets:
            few = self._few(part) if within is None else None
            if few is None:
                waiting.append(part)
            else:
                within = few
        for part in sorted(waiting, key=lambda part: isinstance(part, Others)):
            within = self.rows(part, within)
        return np.empty(0, np.int64) if within is None else within

    def _few(self, part: RowSet) -> RowNumbers | None:
        if not isinstance(part, Rows):
            return None
        select, values = _union(part)
        found = self._fetched((f"{select} LIMIT {_FEW + 1}", values))
        return _ascending(found) if len(found) <= _FEW else None

    def _selected(self, wanted: Rows, within: RowNumbers | None) -> RowNumbers:
        if within is None or len(within) > _FEW:
            return _common(_ascending(self._fetched(_union(wanted))), within)
        numbers = json.dumps(within.tolist())
        restricted = [
            (f"{select} AND row IN (SELECT value FROM json_each(?))", [*values, numbers])
            for select, values in wanted.selects
        ]
        return _ascending(self._fetched(_union(Rows(tuple(restricted)))))

    def _fetched(self, select: SQL) -> RowNumbers:
        """As they come: a row that is found by two values comes twice."""
        sql, values = select
        (text,) = self._connection.execute(f"SELECT group_concat(row) FROM ({sql})", values).fetchone()
        try:
            return np.fromstring(text, np.int64, sep=",") if text else np.empty(0, np.int64)
        except (ValueError, TypeError, DeprecationWarning) as error:
            raise CollectionDamagedError(f"facets of rows that are no numbers ({error}); run late-rag repair") from None


def _ascending(numbers: RowNumbers) -> RowNumbers:
    """Sorted, each once; quick where they come in sorted runs, as they do."""
    numbers = np.sort(numbers, kind="stable")
    return numbers[np.diff(numbers, prepend=-1) > 0]


def _common(found: RowNumbers, within: RowNumbers | None) -> RowNumbers:
    return found if within is None else np.intersect1d(found, within, assume_unique=True)
