"""Making anew what is derived: filters' facets, full text, SQLite's indexes, counters, from the rows that are true.

What is true (chunks, documents, sources, embeddings) is never changed and never removed: of that, ``verify`` says what
is damaged.
"""

from __future__ import annotations

import sqlite3

from late_rag.collections.local import derived
from late_rag.collections.local.database import Database
from late_rag.collections.local.index_files import IndexFiles
from late_rag.collections.local.verification import verify
from late_rag.errors import CollectionDamagedError
from late_rag.protocols import CollectionSettings, RepairReport


def repair(database: Database, settings: CollectionSettings, files: IndexFiles) -> RepairReport:
    """Rebuilds, and looks before and after.

    Raises:
        CollectionDamagedError: pages of the database are so damaged that nothing can be made anew in place.
    """
    before = _problems(database, settings, files)
    with database.writing() as connection:
        derived.rebuild(connection, settings)
        _check_pages(connection, str(database.path.parent))
        damaged = files.withdraw_damaged(connection)
    if damaged and files.worthwhile():
        files.build()
    after = _problems(database, settings, files)
    return RepairReport(tuple(problem for problem in before if problem not in after), after)


def _check_pages(connection: sqlite3.Connection, location: str) -> None:
    """Nothing is kept of a repair that stands on damaged pages: rows that they hide would count as gone."""
    found = [text for (text,) in connection.execute("PRAGMA integrity_check") if text != "ok"]
    if found:
        raise CollectionDamagedError(
            f"{location}: pages of the database are damaged ({found[0]}), so nothing was changed; restore a copy, or "
            "late-rag export what can be read and index the rest anew"
        )


def _problems(database: Database, settings: CollectionSettings, files: IndexFiles) -> tuple[str, ...]:
    with database.reading() as connection:
        return verify(connection, settings, files).problems
