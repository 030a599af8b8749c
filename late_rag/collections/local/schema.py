"""The tables of a local collection, and how its format is recognised.

Row numbers of chunks grow and are never used twice, so that whatever was derived from a row can never mean another.
``state`` counts commits; ``removed`` tells open collections which rows went since they last looked.
"""

from __future__ import annotations

import json
import sqlite3

from late_rag.collections.local import facets
from late_rag.errors import CollectionDamagedError, CollectionNotFoundError
from late_rag.protocols import CollectionSettings

APPLICATION_ID = 0x6C726167  # "lrag"
FORMAT = 3
OLDEST = 2
"""The first format that is brought to today's (:mod:`late_rag.collections.local.migrations`)."""
GENERATION_SHIFT = 32
"""``state.version`` counts commits; above so many bits it says which collection it is, by a random number."""

_CHUNK_COLUMNS = """
    id TEXT NOT NULL UNIQUE, document_id TEXT NOT NULL, text TEXT NOT NULL, embed_text TEXT, start INTEGER,
    "end" INTEGER, metadata TEXT NOT NULL, media TEXT, extra TEXT, content_hash TEXT NOT NULL,
    checksum INTEGER NOT NULL"""

_TABLES = f"""
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL, chunks INTEGER NOT NULL,
    tokens INTEGER NOT NULL, last_row INTEGER NOT NULL, removed_floor INTEGER NOT NULL);
INSERT INTO state VALUES (1, 0, 0, 0, 0, 0);
CREATE TABLE sources (
    id INTEGER PRIMARY KEY, root TEXT NOT NULL, path TEXT NOT NULL, location TEXT NOT NULL, hash TEXT NOT NULL,
    size INTEGER NOT NULL, mtime REAL NOT NULL, checksum INTEGER NOT NULL, UNIQUE (root, path));
CREATE TABLE documents (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, source_id INTEGER, text TEXT NOT NULL,
    metadata TEXT NOT NULL, media TEXT, extra TEXT, content_hash TEXT NOT NULL, checksum INTEGER NOT NULL);
CREATE INDEX documents_source ON documents (source_id) WHERE source_id IS NOT NULL;
CREATE TABLE chunks (row INTEGER PRIMARY KEY AUTOINCREMENT, source_id INTEGER, {_CHUNK_COLUMNS.strip()});
CREATE INDEX chunks_document ON chunks (document_id);
CREATE INDEX chunks_source ON chunks (source_id) WHERE source_id IS NOT NULL;
CREATE TABLE embeddings (
    row INTEGER PRIMARY KEY, tokens INTEGER NOT NULL, scale REAL NOT NULL, norm REAL NOT NULL, "values" BLOB NOT NULL,
    checksum INTEGER NOT NULL);
CREATE TABLE removed (sequence INTEGER PRIMARY KEY AUTOINCREMENT, row INTEGER NOT NULL);
CREATE TABLE staged (
    ordinal INTEGER PRIMARY KEY AUTOINCREMENT, root TEXT NOT NULL, path TEXT NOT NULL, hash TEXT NOT NULL,
    {_CHUNK_COLUMNS.strip().replace("id TEXT NOT NULL UNIQUE", "id TEXT NOT NULL")},
    tokens INTEGER NOT NULL, scale REAL NOT NULL, norm REAL NOT NULL, "values" BLOB NOT NULL,
    packed_checksum INTEGER NOT NULL, UNIQUE (root, path, id));
CREATE TABLE indexes (
    version INTEGER PRIMARY KEY, kind TEXT NOT NULL, mark INTEGER NOT NULL, size INTEGER NOT NULL,
    folder TEXT NOT NULL, manifest TEXT NOT NULL);
"""


def create(connection: sqlite3.Connection, settings: CollectionSettings, tokenizer: str) -> None:
    """Makes the tables in an empty database, in the transaction that is open."""
    create_tables(connection, tokenizer)
    connection.execute("INSERT INTO settings VALUES ('settings', ?)", (json.dumps(settings.to_dict()),))
    connection.execute(f"UPDATE state SET version = (random() & {2**30 - 1}) << {GENERATION_SHIFT}")
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={FORMAT}")


def create_tables(connection: sqlite3.Connection, tokenizer: str) -> None:
    """The tables, with nothing in them but the counters."""
    for statement in statements(_TABLES + facets.SCHEMA):
        connection.execute(statement)
    connection.execute(fulltext_statement(tokenizer))


def fulltext_statement(tokenizer: str) -> str:
    """How the table of the full text is made."""
    return f"CREATE VIRTUAL TABLE fulltext USING fts5(text, tokenize='{tokenizer}')"


def format_of(connection: sqlite3.Connection) -> int:
    """The number of the format; 0 where it is no collection of late_rag."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version) if application == APPLICATION_ID else 0


def statements(script: str) -> list[str]:
    """The statements one by one: ``executescript`` would commit the transaction."""
    return [statement for statement in script.split(";") if statement.strip()]


def check_format(connection: sqlite3.Connection, location: str) -> None:
    """Raises CollectionNotFoundError for a database that is empty, CollectionDamagedError for any other but ours."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # first: one may just be made
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if not tables and not application:
        raise CollectionNotFoundError(f"there is no collection at {location}: collection.sqlite is empty")
    if application != APPLICATION_ID:
        raise CollectionDamagedError(f"{location}: collection.sqlite is not a late_rag collection")
    version = format_of(connection)
    if version == FORMAT:
        return
    told = f"{location}: is of format {version}, this version of late_rag reads format {FORMAT}"
    if version > FORMAT:
        raise CollectionDamagedError(f"{told}; update late_rag")
    if version >= OLDEST:
        raise CollectionDamagedError(f"{told}; open it once for writing (late-rag optimize), which brings it to that")
    raise CollectionDamagedError(f"{told}; index it anew, or export it with the version that made it, and import that")
