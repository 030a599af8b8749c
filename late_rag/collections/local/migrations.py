"""From older formats to today's: in one transaction, when a collection is opened for writing.

A process that is killed on the way, or a step that fails, leaves the collection as it was. Whoever raises
:data:`late_rag.collections.local.schema.FORMAT` adds the step, and writes down in the steps before it the tables that
they make.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from late_rag.collections.kit import embedding_rows, fulltext, rows
from late_rag.collections.local import derived, facets, schema, schema_check
from late_rag.errors import CollectionDamagedError
from late_rag.protocols import CollectionSettings
from late_rag.scoring.packing import from_blob

logger = logging.getLogger(__name__)

_CHUNK_COLUMNS_2 = """
    id TEXT NOT NULL UNIQUE, document_id TEXT NOT NULL, text TEXT NOT NULL, embed_text TEXT, start INTEGER,
    "end" INTEGER, metadata TEXT NOT NULL, media TEXT, extra TEXT, content_hash TEXT NOT NULL"""

_TABLES_2 = f"""
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, chunks INTEGER NOT NULL,
    tokens INTEGER NOT NULL, last_row INTEGER NOT NULL, removed_floor INTEGER NOT NULL);
INSERT INTO state VALUES (1, 0, 0, 0, 0, 0);
CREATE TABLE sources (
    id INTEGER PRIMARY KEY, root TEXT NOT NULL, path TEXT NOT NULL, location TEXT NOT NULL, hash TEXT NOT NULL,
    size INTEGER NOT NULL, mtime REAL NOT NULL, UNIQUE (root, path));
CREATE TABLE documents (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, source_id INTEGER, text TEXT NOT NULL,
    metadata TEXT NOT NULL, media TEXT, extra TEXT, content_hash TEXT NOT NULL);
CREATE INDEX documents_source ON documents (source_id) WHERE source_id IS NOT NULL;
CREATE TABLE chunks (row INTEGER PRIMARY KEY AUTOINCREMENT, source_id INTEGER, {_CHUNK_COLUMNS_2.strip()});
CREATE INDEX chunks_document ON chunks (document_id);
CREATE INDEX chunks_source ON chunks (source_id) WHERE source_id IS NOT NULL;
CREATE TABLE embeddings (
    row INTEGER PRIMARY KEY, tokens INTEGER NOT NULL, scale REAL NOT NULL, norm REAL NOT NULL, "values" BLOB NOT NULL);
CREATE TABLE removed (sequence INTEGER PRIMARY KEY AUTOINCREMENT, row INTEGER NOT NULL);
CREATE TABLE staged (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT, root TEXT NOT NULL, path TEXT NOT NULL, hash TEXT NOT NULL,
    {_CHUNK_COLUMNS_2.strip().replace("id TEXT NOT NULL UNIQUE", "id TEXT NOT NULL")},
    tokens INTEGER NOT NULL, scale REAL NOT NULL, norm REAL NOT NULL, "values" BLOB NOT NULL,
    UNIQUE (root, path, id));
CREATE TABLE indexes (
    version INTEGER PRIMARY KEY, kind TEXT NOT NULL, mark INTEGER NOT NULL, size INTEGER NOT NULL,
    folder TEXT NOT NULL);
"""


def migrate(connection: sqlite3.Connection, location: str) -> None:
    """Brings a collection of an older format to today's; leaves any other as it is.

    Raises:
        CollectionDamagedError: what is in it is not what late_rag wrote; nothing was changed.
        sqlite3.Error: of the step that failed; nothing was changed.
    """
    before = schema.format_of(connection)
    if before not in _STEPS:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        while (step := _STEPS.get(schema.format_of(connection))) is not None:  # another process may have been quicker
            step(connection, location)
        connection.commit()
    finally:
        if connection.in_transaction:
            connection.rollback()
    logger.info("%s: brought from format %d to format %d", location, before, schema.FORMAT)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def create_tables_2(connection: sqlite3.Connection, tokenizer: str) -> None:
    """The tables of format 2, with nothing in them but the counters."""
    for statement in schema.statements(_TABLES_2 + facets.SCHEMA):
        connection.execute(statement)
    connection.execute(schema.fulltext_statement(tokenizer))


def _to_3(connection: sqlite3.Connection, location: str) -> None:
    """Rows get checksums. What is derived is made anew; what was staged, and index files, are left behind."""
    schema_check.check_tables(connection, location, create_tables_2)
    settings = schema_check.read_settings(connection, location)
    (recorded,) = connection.execute("SELECT value FROM settings WHERE name = 'settings'").fetchone()
    version, last_row = connection.execute("SELECT version, last_row FROM state").fetchone()
    for index in ("documents_source", "chunks_document", "chunks_source"):
        connection.execute(f"DROP INDEX {index}")
    for table in ("settings", "state", "removed", "staged", "indexes", "facets", "fulltext"):
        connection.execute(f"DROP TABLE {table}")
    for table in _COPIES:
        connection.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    schema.create_tables(connection, fulltext.tokenizer(settings.language))
    connection.execute("INSERT INTO settings VALUES ('settings', ?)", (recorded,))
    connection.execute("UPDATE state SET version = ?, last_row = ?", (version, last_row))
    for table, (kept, columns, converted) in _COPIES.items():
        old, new = f"{kept}, {_without_checksum(columns)}", f"{kept}, {columns}"
        width = kept.count(",") + 1
        marks = ", ".join("?" * (new.count(",") + 1))
        found = connection.execute(f"SELECT {old} FROM old_{table} ORDER BY 1")
        connection.executemany(
            f"INSERT INTO {table} ({new}) VALUES ({marks})",
            ((*values[:width], *converted(values[0], values[width:], settings)) for values in found),
        )
        connection.execute(f"DROP TABLE old_{table}")
    derived.rebuild(connection, settings)
    connection.execute("PRAGMA user_version=3")


def _without_checksum(columns: str) -> str:
    return columns.removesuffix(", checksum")


def _chunk(_: int, values: Sequence[Any], __: CollectionSettings) -> tuple[Any, ...]:
    """Pictures were known by their paths, and are by their content."""
    found = rows.with_checksum(*values)
    chunk = rows.chunk_from(found)
    return rows.chunk_values(chunk) if chunk.media else found


def _document(_: int, values: Sequence[Any], __: CollectionSettings) -> tuple[Any, ...]:
    found = rows.with_checksum(*values)
    document = rows.document_from(found)
    return rows.document_values(document) if document.media else found


def _source(_: int, values: Sequence[Any], __: CollectionSettings) -> tuple[Any, ...]:
    found = rows.with_checksum(*values)
    rows.source_from(found)
    return found


def _embedding(row: int, values: Sequence[Any], settings: CollectionSettings) -> tuple[Any, ...]:
    tokens, scale, norm, blob = values
    try:
        found = embedding_rows.values(row, from_blob(blob, scale, norm, settings.dim, settings.storage))
    except (TypeError, ValueError):
        found = None
    if found is None or found[0] != tokens:
        raise CollectionDamagedError(f"the embeddings in row {row} are damaged; index the files anew")
    embedding_rows.read([(row, *found)], settings, "embeddings")
    return found


_Converter = Callable[[int, Sequence[Any], CollectionSettings], tuple[Any, ...]]

_COPIES: Mapping[str, tuple[str, str, _Converter]] = {
    "sources": ("id, location", rows.SOURCE_COLUMNS, _source),
    "documents": ("number, source_id", rows.DOCUMENT_COLUMNS, _document),
    "chunks": ("row, source_id", rows.CHUNK_COLUMNS, _chunk),
    "embeddings": ("row", embedding_rows.COLUMNS, _embedding),
}
"""What is true, by table: columns that are kept, those that a checksum is over, and how these are converted."""

_STEPS: Mapping[int, Callable[[sqlite3.Connection, str], None]] = {2: _to_3}
"""By the format that each begins with; each ends with the next."""
