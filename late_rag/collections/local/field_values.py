"""What the chunks of a collection have under one name: the distinct values, how many, and their range.

What these mean is said by :class:`late_rag.protocols.Collection`. Each type of value is one run through the index
``facets_by_value``, which has the values in order: equal ones are counted where they stand together, and only what is
distinct is sorted.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from late_rag.collections.kit.checks import Order
from late_rag.collections.kit.facet_types import ELEMENT, Type, given
from late_rag.errors import CollectionDamagedError
from late_rag.filters.fields import metadata_key
from late_rag.filters.values import time_in
from late_rag.types import FieldValue

_ORDERS: Mapping[str, str] = {"value": "kind, value, typeof(value)", "count": "chunks DESC, kind, value, typeof(value)"}

_BUILT_IN: Mapping[str, str] = {
    "$id": "(SELECT row, id AS value FROM chunks)",
    "$document_id": "(SELECT row, document_id AS value FROM chunks)",
    "$text": "(SELECT row, text AS value FROM chunks)",
    "$source": "(SELECT row, location AS value FROM chunks JOIN sources ON sources.id = source_id)",
}


def _both(*types: Type) -> tuple[int, ...]:
    """Of a value itself, and of a list's elements."""
    return tuple(kind + element for kind in types for element in (0, ELEMENT))


_COUNTED: tuple[tuple[Type, tuple[int, ...], str], ...] = (
    (Type.BOOL, _both(Type.BOOL), ""),
    (Type.NUMBER, _both(Type.NUMBER), " AND typeof(value) = 'integer'"),
    (Type.NUMBER, _both(Type.NUMBER), " AND typeof(value) = 'real'"),
    (Type.NAN, _both(Type.NAN), ""),
    (Type.TEXT, _both(Type.TEXT, Type.TIME_TEXT), ""),
    (Type.TIME, _both(Type.TIME), ""),
)
"""Kinds of values in their order, the types they are stored as, and which of these."""

_ALL = 2**63 - 1


class FieldReader:
    """Fields of all chunks or of some, in one snapshot.

    Args:
        connection: In a transaction, and prepared by :func:`late_rag.collections.local.facets.prepare`.
        rows: The chunks meant, ``(rows,) int64``; None for all.
    """

    def __init__(self, connection: sqlite3.Connection, rows: npt.NDArray[np.int64] | None) -> None:
        self._connection = connection
        self._rows = None if rows is None else json.dumps(rows.tolist())
        # The plus keeps SQLite, which does not know how many rows there are, to the index that has values in order.
        self._within = "" if rows is None else " AND +row IN (SELECT value FROM json_each(:rows))"

    def values(
        self, name: str, search: str | None, order: Order, offset: int, limit: int | None
    ) -> tuple[list[FieldValue], int]:
        """A page of values, and how many there are on all."""
        query = self._distinct(name, search)
        limited = (
            f"SELECT kind, value, chunks, count(*) OVER () FROM ({query}) "
            f"ORDER BY {_ORDERS[order]} LIMIT :limit OFFSET :offset"
        )
        page = {"search": search, "limit": -1 if limit is None else min(limit, _ALL), "offset": min(offset, _ALL)}
        found = self._fetch(limited, name, **page)
        off_the_end = not found and (offset > 0 or limit == 0)
        total = self._count(query, name, search=search) if off_the_end else found[0][3] if found else 0
        return [FieldValue(given(kind, value), chunks) for kind, value, chunks, _ in found], total

    def distinct(self, name: str) -> int:
        """How many values there are."""
        return self._count(self._distinct(name), name)

    def range(self, name: str) -> tuple[Any, Any] | None:
        """The least and the greatest value, as given."""
        if (numbers := self._ends(name, [Type.NUMBER])) is not None:
            return numbers[0][0], numbers[1][0]
        if (texts := self._ends(name, [Type.TEXT])) is not None:
            least, greatest = self._ends(name, [Type.TEXT, Type.TIME_TEXT]) or texts
            return least[0], greatest[0]
        on_the_wall = self._ends(name, [Type.NAIVE]) is not None
        times = self._ends(name, [Type.NAIVE, Type.WALL] if on_the_wall else [Type.INSTANT])
        if times is None:
            return None
        least, greatest = (self._time_given(name, *end, on_the_wall=on_the_wall) for end in times)
        return least, greatest

    def _distinct(self, name: str, search: str | None = None) -> str:
        """SELECT kind, value, chunks. A text is of one of two types and a text all the same."""
        parts = " UNION ALL ".join(
            f"SELECT {kind:d} AS kind, value, count(*) AS part FROM {self._of(name, stored)}{test} GROUP BY value"
            for kind, types, test in _COUNTED
            for stored in types
            if name not in _BUILT_IN or stored == Type.TEXT
        )
        test = "late_rag_imatches(late_rag_text(kind, value), :search)"
        # The sum keeps SQLite from testing every row before it counts them.
        condition = f" HAVING CASE WHEN sum(part) THEN {test} END" if search else ""
        return f"SELECT kind, value, sum(part) AS chunks FROM ({parts}) GROUP BY kind, typeof(value), value{condition}"

    def _of(self, name: str, stored: int) -> str:
        """Where the values of one type are: a FROM clause that ends in a conjunction."""
        table = _BUILT_IN.get(name)
        source = f"facets WHERE key = :key AND type = {stored:d}" if table is None else f"{table} WHERE 1"
        return source + self._within

    def _ends(self, name: str, kinds: Iterable[Type]) -> tuple[tuple[Any, int], tuple[Any, int]] | None:
        """The least and greatest value of these types, each with the first row that has it."""
        if name in _BUILT_IN:
            places = [self._of(name, Type.TEXT)] if Type.TEXT in kinds else []
        else:
            places = [self._of(name, stored) for stored in _both(*kinds)]
        least = [end for place in places for end in self._end(name, place, "ASC")]
        greatest = [end for place in places for end in self._end(name, place, "DESC")]
        if not least:
            return None
        last = max(value for value, _ in greatest)
        return min(least), min((end for end in greatest if end[0] == last), key=itemgetter(1))

    def _end(self, name: str, place: str, direction: str) -> list[tuple[Any, int]]:
        return self._fetch(f"SELECT value, row FROM {place} ORDER BY value {direction}, row LIMIT 1", name)

    def _time_given(self, name: str, moment: int, row: int, *, on_the_wall: bool) -> Any:
        """What the row has under the name that stands for this moment."""
        types = ", ".join(map(str, _both(Type.TIME_TEXT, Type.TIME)))
        query = f"SELECT type, value FROM facets WHERE row = :row AND key = :key AND type IN ({types})"
        for kind, value in self._fetch(query, name, row=row):
            found = given(kind % ELEMENT, value)
            time = time_in(found)
            if time is not None and moment == (time.wall if on_the_wall else time.instant):
                return found
        raise CollectionDamagedError(f"row {row} has a time under {name!r} that is neither a text nor a date")

    def _count(self, query: str, name: str, **values: Any) -> int:
        ((count,),) = self._fetch(f"SELECT count(*) FROM ({query})", name, **values)
        return int(count)

    def _fetch(self, query: str, name: str, **values: Any) -> list[Any]:
        return self._connection.execute(query, {"key": metadata_key(name), "rows": self._rows, **values}).fetchall()
