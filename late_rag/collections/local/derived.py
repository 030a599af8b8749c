"""What is derived from the rows that are true, made anew: filters' facets, full text, SQLite's indexes, counters."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from late_rag.collections.kit import embedding_rows, fulltext, rows
from late_rag.collections.local import facets, schema
from late_rag.errors import CollectionDamagedError
from late_rag.protocols import CollectionSettings
from late_rag.types import Chunk

_CONSISTENT = """
DELETE FROM embeddings WHERE row NOT IN (SELECT row FROM chunks);
DELETE FROM removed WHERE row IN (SELECT row FROM chunks);
UPDATE chunks SET source_id = (SELECT source_id FROM documents WHERE id = document_id)
    WHERE document_id IN (SELECT id FROM documents);
UPDATE documents SET source_id = NULL WHERE source_id NOT IN (SELECT id FROM sources);
UPDATE chunks SET source_id = NULL WHERE source_id NOT IN (SELECT id FROM sources);
UPDATE sources SET location = rtrim(root, '/') || '/' || path;
UPDATE state SET version = version + 1, chunks = (SELECT count(*) FROM chunks),
    tokens = (SELECT coalesce(sum(tokens), 0) FROM embeddings),
    last_row = max(last_row, (SELECT coalesce(max(row), 0) FROM chunks));
INSERT INTO removed (row) VALUES (0);
UPDATE state SET removed_floor = (SELECT max(sequence) FROM removed);
"""
"""The last two make open collections look anew: there is no row 0."""


def rebuild(connection: sqlite3.Connection, settings: CollectionSettings) -> None:
    """Everything that is derived and in the database, in the transaction that is open."""
    connection.execute("REINDEX")
    _drop_staged(connection, settings)
    for statement in filter(str.strip, _CONSISTENT.split(";")):
        connection.execute(statement)
    connection.execute("DELETE FROM facets")
    connection.execute("DROP TABLE fulltext")
    connection.execute(schema.fulltext_statement(fulltext.tokenizer(settings.language)))
    for row, chunk in _chunks(connection):
        connection.executemany("INSERT INTO facets VALUES (?, ?, ?, ?)", facets.facet_rows(row, chunk.metadata))
        text = fulltext.indexed_text(chunk.encoded_text, settings.language)
        connection.execute("INSERT INTO fulltext (rowid, text) VALUES (?, ?)", (row, text))


def _chunks(connection: sqlite3.Connection) -> Iterator[tuple[int, Chunk]]:
    """Those that can be read."""
    for row, *columns in connection.execute(f"SELECT row, {rows.CHUNK_COLUMNS} FROM chunks ORDER BY row"):
        try:
            yield row, rows.chunk_from(columns)
        except CollectionDamagedError:
            continue


def _drop_staged(connection: sqlite3.Connection, settings: CollectionSettings) -> None:
    """What was encoded of files that are not complete is encoded again where it is damaged."""
    packed = embedding_rows.COLUMNS.replace("checksum", "packed_checksum")
    damaged = []
    for ordinal, *values in connection.execute(f"SELECT ordinal, {rows.CHUNK_COLUMNS}, 0, {packed} FROM staged"):
        try:
            rows.chunk_from(values[: rows.CHUNK_WIDTH])
            embedding_rows.read([values[rows.CHUNK_WIDTH :]], settings, "staged")
        except CollectionDamagedError:
            damaged.append((ordinal,))
    connection.executemany("DELETE FROM staged WHERE ordinal = ?", damaged)
