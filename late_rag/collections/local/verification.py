"""What ``verify`` looks at: the database's own integrity, whatever stands in it twice, and every checksum."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from late_rag.collections.kit import embedding_rows, fulltext, rows
from late_rag.collections.local import facets, fulltext_check
from late_rag.collections.local.index_files import IndexFiles
from late_rag.errors import CollectionDamagedError
from late_rag.protocols import CollectionSettings, VerifyReport
from late_rag.scoring.packing import pack, unpack
from late_rag.types import Chunk

_MOST = 1000
"""So many problems are told; whoever has more needs no more."""

_COUNTS = {
    "chunks": "SELECT count(*) FROM chunks",
    "documents": "SELECT count(*) FROM documents",
    "sources": "SELECT count(*) FROM sources",
    "staged": "SELECT count(*) FROM staged",
}
_DERIVED = (("embeddings", "row"), ("fulltext", "rowid"))
_NOWHERE = {
    "facets of rows that are no chunks": "SELECT count(*) FROM facets WHERE row NOT IN (SELECT row FROM chunks)",
    "chunks of sources that are not there": (
        "SELECT count(*) FROM chunks WHERE source_id IS NOT NULL AND source_id NOT IN (SELECT id FROM sources)"
    ),
    "documents of sources that are not there": (
        "SELECT count(*) FROM documents WHERE source_id IS NOT NULL AND source_id NOT IN (SELECT id FROM sources)"
    ),
    "chunks of another source than their document's": (
        "SELECT count(*) FROM chunks JOIN documents ON documents.id = document_id "
        "WHERE chunks.source_id IS NOT documents.source_id"
    ),
    "chunks that are listed as removed": "SELECT count(*) FROM removed JOIN chunks USING (row)",
}


def verify(connection: sqlite3.Connection, settings: CollectionSettings, files: IndexFiles) -> VerifyReport:
    """Everything there is to check, in the snapshot of the connection."""
    integrity = [text for (text,) in connection.execute("PRAGMA integrity_check") if text != "ok"]
    if integrity:
        return VerifyReport({"pages": 1}, tuple(f"database: {text}" for text in integrity))
    indexes, index_problems = files.verify(connection)
    checked = {name: connection.execute(query).fetchone()[0] for name, query in _COUNTS.items()}
    problems = [*islice(_problems(connection, settings), _MOST), *index_problems]
    return VerifyReport({**checked, "indexes": indexes}, tuple(problems))


def _problems(connection: sqlite3.Connection, settings: CollectionSettings) -> Iterator[str]:
    yield from _state_problems(connection)
    yield from _chunk_problems(connection, settings)
    yield from _embedding_problems(connection, settings)
    yield from _record_problems(connection)
    yield from _staged_problems(connection, settings)
    yield from fulltext_check.problems(connection, settings.language)


def _state_problems(connection: sqlite3.Connection) -> Iterator[str]:
    stored = connection.execute("SELECT chunks, tokens FROM state").fetchone()
    counted = connection.execute(
        "SELECT (SELECT count(*) FROM chunks), (SELECT coalesce(sum(tokens), 0) FROM embeddings)"
    ).fetchone()
    if stored != counted:
        yield f"state: says {stored[0]} chunks of {stored[1]} tokens, there are {counted[0]} of {counted[1]}"
    (last,) = connection.execute("SELECT last_row FROM state").fetchone()
    (highest,) = connection.execute("SELECT coalesce(max(row), 0) FROM chunks").fetchone()
    if highest > last:
        yield f"state: says the last row is {last}, there is {highest}"
    for table, column in _DERIVED:
        (alone,) = connection.execute(
            f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT row FROM chunks)"
        ).fetchone()
        (missing,) = connection.execute(
            f"SELECT count(*) FROM chunks WHERE row NOT IN (SELECT {column} FROM {table})"
        ).fetchone()
        if alone or missing:
            yield f"{table}: {alone} without a chunk, {missing} chunks without"
    for what, query in _NOWHERE.items():
        (count,) = connection.execute(query).fetchone()
        if count:
            yield f"{what}: {count}"


def _chunk_problems(connection: sqlite3.Connection, settings: CollectionSettings) -> Iterator[str]:
    cursor = connection.execute(f"SELECT row, {rows.CHUNK_COLUMNS} FROM chunks ORDER BY row")
    for row, *columns in cursor:
        try:
            chunk = rows.chunk_from(columns)
        except CollectionDamagedError as error:
            yield str(error)
            continue
        if chunk.content_hash != columns[rows.CHUNK_WIDTH - 2]:
            yield f"chunk {chunk.id!r}: its text is not the one that was encoded"
        yield from _derived_problems(connection, row, chunk, settings.language)


def _derived_problems(connection: sqlite3.Connection, row: int, chunk: Chunk, language: str) -> Iterator[str]:
    """What is kept of the chunk in the tables that answer filters and full-text searches."""
    found = connection.execute("SELECT row, key, type, value FROM facets WHERE row = ?", (row,)).fetchall()
    if _typed(found) != _typed(facets.facet_rows(row, chunk.metadata)):
        yield f"chunk {chunk.id!r}: its metadata are not those that filters see"
    indexed = connection.execute("SELECT text FROM fulltext WHERE rowid = ?", (row,)).fetchone()
    if indexed is not None and indexed[0] != fulltext.indexed_text(chunk.encoded_text, language):
        yield f"chunk {chunk.id!r}: its text is not the one that full-text search sees"


def _typed(found: Sequence[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    """1 and 1.0 are equal to Python, and two values to SQLite."""
    return {(*values[:3], type(values[3]).__name__, values[3]) for values in found}


def _embedding_problems(connection: sqlite3.Connection, settings: CollectionSettings) -> Iterator[str]:
    columns = embedding_rows.COLUMNS.replace("checksum", "embeddings.checksum")
    query = f"SELECT id, row, {columns} FROM embeddings LEFT JOIN chunks USING (row) ORDER BY row"
    for identity, *values in connection.execute(query):
        try:
            (packed,) = embedding_rows.read([values], settings, "embeddings")
        except CollectionDamagedError as error:
            yield f"chunk {identity!r}: {error}"
            continue
        again = pack(unpack(packed), settings.storage)
        if again.values.tobytes() != values[4] or abs(again.norm - packed.norm) > 1e-5 * max(again.norm, packed.norm):
            yield f"chunk {identity!r}: its embeddings have a scale {packed.scale} or norm {packed.norm} not their own"


def _record_problems(connection: sqlite3.Connection) -> Iterator[str]:
    for values in connection.execute(f"SELECT {rows.DOCUMENT_COLUMNS} FROM documents"):
        try:
            document = rows.document_from(values)
        except CollectionDamagedError as error:
            yield str(error)
            continue
        if document.content_hash != values[rows.DOCUMENT_WIDTH - 2]:
            yield f"document {document.id!r}: its text is not the one that was stored"
    for *columns, location in connection.execute(f"SELECT {rows.SOURCE_COLUMNS}, location FROM sources"):
        try:
            source = rows.source_from(columns)
        except CollectionDamagedError as error:
            yield str(error)
            continue
        if source.location != location:
            yield f"source {source.path!r}: is at {str(location)[:200]!r}, should be at {source.location!r}"


def _staged_problems(connection: sqlite3.Connection, settings: CollectionSettings) -> Iterator[str]:
    packed = embedding_rows.COLUMNS.replace("checksum", "packed_checksum")
    for values in connection.execute(f"SELECT {rows.CHUNK_COLUMNS}, 0, {packed} FROM staged"):
        try:
            rows.chunk_from(values[: rows.CHUNK_WIDTH])
            embedding_rows.read([values[rows.CHUNK_WIDTH :]], settings, "staged")
        except CollectionDamagedError as error:
            yield f"staged: {error}"
