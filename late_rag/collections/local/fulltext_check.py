"""Whether the full-text index is that of the texts beside it, found out without writing to the database.

FTS5 checks an index by a command that only a writer may give. So the tables behind the index are copied into a
database of its own, which is thrown away, and the command is given there.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from late_rag.collections.kit import fulltext
from late_rag.collections.local import schema
from late_rag.collections.local.failures import error_code, is_full
from late_rag.errors import CollectionFullError

_TABLES = ("data", "idx", "content", "docsize", "config")
_BATCH = 1000


def problems(connection: sqlite3.Connection, language: str) -> Iterator[str]:
    """What is wrong with the index; whether the texts are the chunks' is looked at with the chunks."""
    with tempfile.TemporaryDirectory(prefix="late-rag-verify-") as folder:
        path = Path(folder) / "fulltext.sqlite"
        try:
            _copy(connection, path, language)
            _check(path)
        except sqlite3.DatabaseError as error:
            if is_full(error):
                raise CollectionFullError(
                    f"{path.parent.parent}: no room left for a copy of the full text, which verify looks at ({error}); "
                    "name another folder by TMPDIR"
                ) from error
            if error_code(error) & 0xFF == sqlite3.SQLITE_CANTOPEN:
                raise
            yield f"fulltext: the index is not that of the texts ({error})"


def _copy(connection: sqlite3.Connection, path: Path, language: str) -> None:
    copy = sqlite3.connect(path, isolation_level=None)
    try:
        copy.execute("PRAGMA journal_mode=OFF")
        copy.execute("PRAGMA synchronous=OFF")
        copy.execute(schema.fulltext_statement(fulltext.tokenizer(language)))
        for table in (f"fulltext_{name}" for name in _TABLES):
            copy.execute(f"DELETE FROM {table}")
            cursor = connection.execute(f"SELECT * FROM {table}")
            marks = ", ".join("?" * len(cursor.description))
            copy.execute("BEGIN")
            while batch := cursor.fetchmany(_BATCH):
                copy.executemany(f"INSERT INTO {table} VALUES ({marks})", batch)
            copy.execute("COMMIT")
    finally:
        copy.close()


def _check(path: Path) -> None:
    """In a connection that has not seen the tables as they were made."""
    copy = sqlite3.connect(path, isolation_level=None)
    try:
        copy.execute("INSERT INTO fulltext (fulltext) VALUES ('integrity-check')")
    finally:
        copy.close()
