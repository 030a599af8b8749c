"""What stands beside a database that is about to be opened: SQLite acts upon it, and so it is looked at first."""

from __future__ import annotations

import os
from pathlib import Path

from late_rag.errors import CollectionDamagedError


def check_surroundings(path: Path) -> None:
    """Whether opening a database touches nothing but its own folder.

    SQLite rolls back whatever journal it finds beside a database, and removes the file that the journal names, wherever
    that is. A collection's database is put in its place with a write-ahead log, and never has such a journal.

    Raises:
        CollectionDamagedError: a journal stands there, or the database is a link.
    """
    if path.is_symlink():
        raise CollectionDamagedError(f"{path}: is a link; open the collection where the database itself is")
    journal = path.with_name(path.name + "-journal")
    if os.path.lexists(journal):
        raise CollectionDamagedError(
            f"{journal}: late_rag leaves no such file, and it could have others removed; remove it"
        )
