"""Errors of SQLite and of the system as the library's: what each means for a collection, and what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from late_rag.collections.kit.room import has_no_room
from late_rag.errors import (
    CollectionBusyError,
    CollectionDamagedError,
    CollectionError,
    CollectionFullError,
    CollectionReadOnlyError,
    LateRAGError,
)

BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_SHMSIZE}
_DAMAGED_TEXTS = ("malformed", "Could not decode to UTF-8", "user-defined function raised exception")


def error_code(error: sqlite3.Error) -> int:
    """SQLite's extended code; 0 for an error of Python's module."""
    return getattr(error, "sqlite_errorcode", None) or 0


def is_full(error: BaseException | None) -> bool:
    """Whether this error of SQLite or of the system says that there is no room."""
    if isinstance(error, sqlite3.Error):
        code = error_code(error)
        return code in _FULL or code & 0xFF == sqlite3.SQLITE_FULL
    return has_no_room(error)


def busy(place: Path, timeout: float) -> CollectionBusyError:
    """What is raised where another writer was waited for in vain."""
    return CollectionBusyError(f"{place}: another writer has held the collection for {timeout:g} s; try again")


@contextmanager
def failures(place: Path, timeout: float) -> Iterator[None]:
    """Turns errors of SQLite and of the system into the library's, each with the location of the collection.

    Args:
        place: the collection's folder.
        timeout: how many seconds were waited for other writers.
    """
    try:
        yield
    except CollectionDamagedError as error:  # who finds a damaged row does not always know where
        if str(place) in str(error):
            raise
        raise CollectionDamagedError(f"{place}: {error}") from error
    except LateRAGError:  # some of which are OSErrors
        raise
    except OSError as error:
        if is_full(error):
            raise _full(place, error) from error
        raise CollectionError(f"{place}: {error}") from error
    except UnicodeDecodeError as error:  # a message of SQLite's that quotes a damaged schema
        raise CollectionDamagedError(f"{place}: the database is damaged ({error}); restore a copy") from error
    except sqlite3.Error as error:
        code = error_code(error)
        if code & 0xFF in BUSY:
            raise busy(place, timeout) from error
        if is_full(error):
            raise _full(place, error) from error
        if _is_damage(error, code):
            raise CollectionDamagedError(
                f"{place}: the database is damaged ({error}); restore a copy, or index the files anew"
            ) from error
        if code & 0xFF == sqlite3.SQLITE_READONLY:
            raise CollectionReadOnlyError(f"{place}: cannot be written ({error})") from error
        hint = "; are too many files open (ulimit -n)?" if code & 0xFF == sqlite3.SQLITE_CANTOPEN else ""
        raise CollectionError(f"{place}: {error}{hint}") from error


def _full(place: Path, error: Exception) -> CollectionFullError:
    return CollectionFullError(f"{place}: no room left to write ({error}); nothing was lost")


def _is_damage(error: sqlite3.Error, code: int) -> bool:
    """Also where a constraint does not hold, or a value cannot be read, that every write of ours has kept."""
    told = isinstance(error, sqlite3.DatabaseError) and any(text in str(error) for text in _DAMAGED_TEXTS)
    return told or code & 0xFF in _DAMAGED or isinstance(error, sqlite3.IntegrityError)
