"""What ``verify`` looks at: the database's own integrity, every chunk's rows, every index against them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import numpy as np

from late_rag.collections import rows
from late_rag.collections.index_files import IndexFiles
from late_rag.protocols import CollectionSettings, VerifyReport

_COUNTS = {
    "chunks": "SELECT count(*) FROM chunks",
    "documents": "SELECT count(*) FROM documents",
    "sources": "SELECT count(*) FROM sources",
}


def verify(connection: sqlite3.Connection, settings: CollectionSettings, files: IndexFiles) -> VerifyReport:
    """Everything there is to check, in the snapshot of the connection."""
    integrity = [text for (text,) in connection.execute("PRAGMA integrity_check") if text != "ok"]
    if integrity:
        return VerifyReport({"pages": 1}, tuple(f"database: {text}" for text in integrity))
    indexes, index_problems = files.verify(connection)
    checked = {name: connection.execute(query).fetchone()[0] for name, query in _COUNTS.items()}
    problems = [*_state_problems(connection), *_row_problems(connection, settings), *index_problems]
    return VerifyReport({**checked, "indexes": indexes}, tuple(problems))


def _state_problems(connection: sqlite3.Connection) -> Iterator[str]:
    stored = connection.execute("SELECT chunks, tokens FROM state").fetchone()
    counted = connection.execute(
        "SELECT (SELECT count(*) FROM chunks), (SELECT coalesce(sum(tokens), 0) FROM embeddings)"
    ).fetchone()
    if stored != counted:
        yield f"state: says {stored[0]} chunks of {stored[1]} tokens, there are {counted[0]} of {counted[1]}"
    for table, column in (("embeddings", "row"), ("fulltext", "rowid")):
        (alone,) = connection.execute(
            f"SELECT count(*) FROM {table} WHERE {column} NOT IN (SELECT row FROM chunks)"
        ).fetchone()
        (missing,) = connection.execute(
            f"SELECT count(*) FROM chunks WHERE row NOT IN (SELECT {column} FROM {table})"
        ).fetchone()
        if alone or missing:
            yield f"{table}: {alone} without a chunk, {missing} chunks without"


def _row_problems(connection: sqlite3.Connection, settings: CollectionSettings) -> Iterator[str]:
    width = settings.dim * (1 if settings.storage == "int8" else 2)
    query = (
        f'SELECT row, {rows.CHUNK_COLUMNS}, tokens, scale, norm, "values" FROM chunks JOIN embeddings USING (row) '
        "ORDER BY row"
    )
    for _, *columns, tokens, scale, norm, blob in connection.execute(query):
        chunk = rows.chunk_from(columns)
        if len(blob) != tokens * width:
            yield f"chunk {chunk.id!r}: {tokens} tokens of {width} bytes are {tokens * width}, stored are {len(blob)}"
        elif not np.isfinite([scale, norm]).all():
            yield f"chunk {chunk.id!r}: scale {scale} and norm {norm}"
        if chunk.content_hash != columns[-1]:
            yield f"chunk {chunk.id!r}: its text is not the one that was encoded"
