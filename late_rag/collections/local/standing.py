"""Whether the database at a path is still the one that was opened, and not another that was put in its place.

SQLite does not notice: a connection goes on in a file that was renamed away, and mixes pages that it holds, or that
stand in the log, with those of a file that was overwritten. The file is never opened here but by SQLite: closing it
otherwise would drop the locks that this process has on it.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from late_rag.collections.local.schema import GENERATION_SHIFT


class Mark(NamedTuple):
    """What a look at the folder tells; the last two change with each checkpoint, too."""

    device: int
    inode: int
    modified: int
    size: int

    def same_file(self, other: Mark | None) -> bool:
        return other is not None and self[:2] == other[:2]


class Content(NamedTuple):
    """What tells one database from another, and an earlier state from a later one."""

    version: int
    schema: int

    @property
    def generation(self) -> int:
        """Which collection it is; 0 for all that were made before this was told."""
        return self.version >> GENERATION_SHIFT

    def continues(self, before: Content, now: Content) -> bool:
        """Whether a checkpoint could have made this of ``before``, where all commits come to ``now``.

        ``VACUUM INTO``, which makes backups, counts the schema's version up, so that one of the newest state differs.
        """
        return (
            self.generation == before.generation == now.generation
            and before.version <= self.version <= now.version
            and self.schema <= now.schema
        )


def mark(path: Path) -> Mark | None:
    """None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return Mark(found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)


def log_bytes(path: Path) -> int:
    """The size of the database's log."""
    found = mark(path.with_name(path.name + "-wal"))
    return 0 if found is None else found.size


def content(connection: sqlite3.Connection) -> Content:
    """As the connection sees it."""
    (version,) = connection.execute("SELECT version FROM state").fetchone()
    (schema,) = connection.execute("PRAGMA schema_version").fetchone()
    return Content(version, schema)


def content_of_file(path: Path) -> Content | None:
    """Of the file alone, without the log; None where that cannot be read.

    A checkpoint leaves pages out of which the log has a version that a reader must not see yet: until the next one the
    file alone may be no whole database. One that was put in its place is.
    """
    try:
        uri = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as connection:
            return content(connection)
    except (sqlite3.Error, TypeError):
        return None
