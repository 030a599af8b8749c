"""What a local collection reads from its tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from late_rag.collections.kit import embedding_rows, rows
from late_rag.collections.kit.restriction import check_meant
from late_rag.collections.local import facets
from late_rag.collections.local.database import Database
from late_rag.errors import CollectionDamagedError
from late_rag.filters import parse
from late_rag.filters.selection import Selection
from late_rag.protocols import CollectionSettings
from late_rag.scoring.packing import PackedRows, unpack
from late_rag.types import Chunk, Document, Source, TokenEmbeddings

T = TypeVar("T")

_LISTED = "(SELECT value FROM json_each(?))"
SOURCE_LOCATION = "(SELECT location FROM sources WHERE id = chunks.source_id)"
_PACKED = embedding_rows.COLUMNS.replace("checksum", "embeddings.checksum")


def where(selection: Selection | None) -> tuple[str, list[Any]]:
    """A selection as a condition on ``chunks`` and its bound values."""
    if selection is None or selection.everything:
        return "1", []
    conditions: list[str] = []
    values: list[Any] = []
    for column, identities in (("id", selection.ids), ("document_id", selection.document_ids)):
        if identities is not None:
            conditions.append(f"{column} IN {_LISTED}")
            values.append(json.dumps(identities))
    if selection.filter is not None:
        condition, bound = facets.where(parse(selection.filter))
        conditions.append(f"({condition})")
        values.extend(bound)
    return " AND ".join(conditions), values


def _is_named(selection: Selection | None) -> bool:
    return selection is not None and (selection.ids is not None or selection.document_ids is not None)


def _narrowed(connection: sqlite3.Connection, selection: Selection | None) -> tuple[str, list[Any]]:
    """The same, but where few chunks are named a filter is asked of these, not of all that there are."""
    if selection is None or selection.filter is None or not _is_named(selection):
        return where(selection)
    named = np.array(live_rows(connection, *where(replace(selection, filter=None))), np.int64)
    found = facets.rows(connection, parse(selection.filter), named)
    return f"row IN {_LISTED}", [json.dumps(found.tolist())]


def in_order(identities: Sequence[str], found: Iterable[tuple[str, Any]]) -> list[Any]:
    """What was found, in the order asked for."""
    by_id = dict(found)
    return [by_id[identity] for identity in identities if identity in by_id]


class Reader:
    """Reads that need no index. Each is one snapshot, an iteration one a batch."""

    def __init__(self, database: Database, settings: CollectionSettings) -> None:
        self._database = database
        self._settings = settings

    def get(self, identities: Sequence[str]) -> list[Chunk]:
        query = f"SELECT {rows.CHUNK_COLUMNS} FROM chunks WHERE id IN {_LISTED}"
        return in_order(identities, self._each(query, _listed(identities), lambda v: (v[0], rows.chunk_from(v))))

    def locations(self, identities: Sequence[str]) -> dict[str, str]:
        query = f"SELECT id, source_id, {SOURCE_LOCATION} FROM chunks WHERE id IN {_LISTED} AND source_id IS NOT NULL"
        return dict(self._each(query, _listed(identities), lambda v: (v[0], str(location_of(*v[1:])))))

    def get_documents(self, identities: Sequence[str]) -> list[Document]:
        query = f"SELECT {rows.DOCUMENT_COLUMNS} FROM documents WHERE id IN {_LISTED}"
        return in_order(identities, self._each(query, _listed(identities), lambda v: (v[0], rows.document_from(v))))

    def embeddings(self, identities: Sequence[str]) -> dict[str, TokenEmbeddings]:
        query = f"SELECT id, row, {_PACKED} FROM chunks JOIN embeddings USING (row) WHERE id IN {_LISTED}"
        packed = self._read(query, _listed(identities), self._by_id)
        return {identity: unpack(packed[identity]) for identity in identities if identity in packed}

    def document_hashes(self, identities: Sequence[str] | None) -> dict[str, str]:
        condition, values = ("1", ()) if identities is None else (f"id IN {_LISTED}", _listed(identities))
        return self._read(f"SELECT id, content_hash FROM documents WHERE {condition}", values, dict)

    def count(self, selection: Selection | None) -> int:
        condition, values = where(selection)
        if condition == "1":
            return self._number("SELECT chunks FROM state")
        return self._number(f"SELECT count(*) FROM chunks WHERE {condition}", values)

    def fields(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        query = "SELECT DISTINCT key, type FROM facets WHERE type < ?"
        for name, kind in self._each(query, (facets.ELEMENT,), _field_and_kind):
            found.setdefault(name, set()).add(kind)
        return {name: frozenset(kinds) for name, kinds in sorted(found.items())}

    def sources(self, root: str | None, below: str | None) -> list[Source]:
        condition = "1"
        values: list[object] = []
        if root is not None:
            condition, values = "root = ?", [root]
        if below is not None:
            condition += " AND (path = ? OR substr(path, 1, ?) = ?)"
            values += [below, len(below) + 1, below + "/"]
        query = f"SELECT {rows.SOURCE_COLUMNS} FROM sources WHERE {condition} ORDER BY root, path"
        return self._each(query, values, rows.source_from)

    def iterate(
        self, selection: Selection | None, batch_size: int, *, with_embeddings: bool
    ) -> Iterator[list[tuple[Chunk, TokenEmbeddings | None]]]:
        last = self._number("SELECT last_row FROM state")
        first, size = 0, batch_size
        while size == batch_size:
            found = self._batch(selection, first, last, batch_size, with_embeddings=with_embeddings)
            size = len(found)
            if found:
                first = found[-1][0]
                with self._database.failures():
                    items = self._items(found, selection, with_embeddings=with_embeddings)
                yield items

    def _batch(
        self, selection: Selection | None, first: int, last: int, size: int, *, with_embeddings: bool
    ) -> list[Any]:
        """Rows after ``first``, in one snapshot."""
        extra, join = (f", {_PACKED}", "JOIN embeddings USING (row)") if with_embeddings else ("", "")
        columns = rows.CHUNK_COLUMNS.replace("checksum", "chunks.checksum")
        with self._database.reading() as connection:
            condition, values = _narrowed(connection, selection)
            # what is named is few: with a plus no index of rows serves, by which SQLite would go through all there are
            row = "+row" if _is_named(selection) else "row"
            location = "NULL" if selection is None or selection.filter is None else SOURCE_LOCATION
            query = (
                f"SELECT row, {columns}, {location}{extra} FROM chunks {join} "
                f"WHERE {row} > ? AND {row} <= ? AND {condition} ORDER BY {row} LIMIT ?"
            )
            return connection.execute(query, (first, last, *values, size)).fetchall()

    def _items(
        self, batch: Sequence[Any], selection: Selection | None, *, with_embeddings: bool
    ) -> list[tuple[Chunk, TokenEmbeddings | None]]:
        end = rows.CHUNK_WIDTH + 1
        chunks = [rows.chunk_from(found[1:end]) for found in batch]
        for found, chunk in zip(batch, chunks, strict=True):
            check_meant(selection, found[0], chunk, found[end])
        if not with_embeddings:
            return [(chunk, None) for chunk in chunks]
        packed = self._packed([(found[0], *found[end + 1 :]) for found in batch])
        return [(chunk, unpack(stored)) for chunk, stored in zip(chunks, packed, strict=True)]

    def iterate_documents(self, batch_size: int) -> Iterator[list[tuple[Document, Source | None]]]:
        columns = ", ".join(f"documents.{name}" for name in rows.DOCUMENT_COLUMNS.split(", "))
        state = ", ".join(f"sources.{name}" for name in rows.SOURCE_COLUMNS.split(", "))
        query = (
            f"SELECT number, {columns}, {state} FROM documents LEFT JOIN sources ON sources.id = source_id "
            "WHERE number > ? AND number <= ? ORDER BY number LIMIT ?"
        )
        last = self._number("SELECT coalesce(max(number), 0) FROM documents")
        first = 0
        while batch := self._each(query, (first, last, batch_size), _document_and_source):
            first = batch[-1][0]
            yield [item for _, item in batch]

    def _by_id(self, found: Sequence[Any]) -> dict[str, PackedRows]:
        return dict(zip((each[0] for each in found), self._packed([each[1:] for each in found]), strict=True))

    def _packed(self, found: Sequence[Any]) -> list[PackedRows]:
        return embedding_rows.read(found, self._settings, str(self._database.path.parent))

    def _number(self, query: str, values: Sequence[Any] = ()) -> int:
        (number,) = self._each(query, values, _whole_number)
        return number

    def _each(self, query: str, values: Sequence[Any], decode: Callable[[Any], T]) -> list[T]:
        return self._read(query, values, lambda found: [decode(each) for each in found])

    def _read(self, query: str, values: Sequence[Any], decode: Callable[[list[Any]], T]) -> T:
        """What is found, decoded; whatever is wrong with it is told with the collection's location."""
        with self._database.failures():
            with self._database.connection() as connection:
                found = connection.execute(query, values).fetchall()
            return decode(found)


def selected_rows(connection: sqlite3.Connection, selection: Selection) -> npt.NDArray[np.int64]:
    """The row numbers of a selection, ascending; quicker for large ones than ``where``, which one statement takes."""
    found = None if selection.filter is None else facets.rows(connection, parse(selection.filter))
    if selection.ids is not None or selection.document_ids is not None:
        named = np.array(live_rows(connection, *where(replace(selection, filter=None))), np.int64)
        found = named if found is None else np.intersect1d(found, named, assume_unique=True)
    return np.array(live_rows(connection), np.int64) if found is None else found


def live_rows(connection: sqlite3.Connection, condition: str = "1", values: Sequence[Any] = ()) -> list[int]:
    """Row numbers in ascending order."""
    return [row for (row,) in connection.execute(f"SELECT row FROM chunks WHERE {condition} ORDER BY row", values)]


def location_of(source: int | None, location: object) -> str | None:
    """The location of a chunk's source, as it was read; None where the chunk has no source.

    Raises:
        CollectionDamagedError: the source is not there.
    """
    if source is not None and not isinstance(location, str):
        raise CollectionDamagedError(f"source {source} of a chunk is not there, or damaged; late-rag verify says more")
    return cast("str | None", location)


def _document_and_source(found: Sequence[Any]) -> tuple[int, tuple[Document, Source | None]]:
    """Its number, a document, and the source that it is of."""
    end = rows.DOCUMENT_WIDTH + 1
    source = found[end:]
    return found[0], (rows.document_from(found[1:end]), None if source[0] is None else rows.source_from(source))


def _field_and_kind(found: Sequence[Any]) -> tuple[str, str]:
    name, kind = found
    if kind not in facets.KINDS or not isinstance(name, str):
        raise CollectionDamagedError(f"facets of {name!r:.80} have the type {kind!r:.80}; run late-rag repair")
    return name, facets.Type(kind).kind


def _whole_number(found: Sequence[Any]) -> int:
    """A counter, which may be forged after the database was opened."""
    (number,) = found
    if type(number) is not int:
        raise CollectionDamagedError(f"a counter of the collection is {number!r:.80}; run late-rag repair")
    return number


def _listed(identities: Sequence[str]) -> tuple[str]:
    return (json.dumps(identities),)
