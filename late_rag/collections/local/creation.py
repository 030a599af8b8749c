"""Making a local collection: beside its place, and put there whole, so that a half-made one is none."""

from __future__ import annotations

import errno
import os
import secrets
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from late_rag.collections.kit import fulltext
from late_rag.collections.local import schema
from late_rag.collections.local.failures import is_full
from late_rag.errors import CollectionError, CollectionExistsError, CollectionFullError, InputError
from late_rag.protocols import CollectionSettings
from late_rag.specs import IndexSpec

FILE = "collection.sqlite"
_MAKING = ".making-"
_SECONDS = 3600.0
"""Nobody takes so long to make a database; what is older was left."""


def create(folder: Path, settings: CollectionSettings) -> None:
    """Makes the folder and the database.

    Raises:
        CollectionExistsError: there is a collection already.
        CollectionFullError: there is no room for it; nothing was made.
        InputError: settings that cannot be, or a folder that holds other things.
    """
    _check(settings)
    tokenizer = fulltext.tokenizer(settings.language)
    path = folder / FILE
    if folder.exists() and not (folder.is_dir() and _is_free(folder)):
        raise InputError(f"{folder} is not a collection and not empty; name a folder of its own for the collection")
    making = path.with_name(f"{FILE}{_MAKING}{secrets.token_hex(8)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_free(path)
        _make(making, settings, tokenizer)
        _publish(making, path)
    except FileExistsError as error:
        raise CollectionExistsError(f"there is a collection at {folder} already; open it") from error
    except (OSError, sqlite3.Error) as error:
        if is_full(error):
            raise CollectionFullError(f"{folder}: no room left to make the collection ({error})") from error
        raise CollectionError(f"{folder}: the collection cannot be made: {error}") from error
    finally:
        _clear(path, making)


def _is_free(folder: Path) -> bool:
    """Whether the folder is empty, or somebody made, or is making, a collection in it. Looks once: others are quick."""
    names = [path.name for path in folder.iterdir()]
    return not names or any(name.startswith(FILE) for name in names)


def _check_free(path: Path) -> None:
    """Whether a database may be put there: SQLite would take the log of another for its own.

    Raises:
        FileExistsError: there is one.
        OSError: files of a former one are left.
    """
    if os.path.lexists(path):
        if path.is_symlink() or not path.is_file() or path.stat().st_size:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        path.unlink()  # nothing was ever written to it
    for left in (path.with_name(f"{path.name}-{kind}") for kind in ("wal", "shm", "journal")):
        if os.path.lexists(left) and not os.path.lexists(path):  # else somebody was quicker, and writes already
            raise OSError(f"{left.name} is left there of a database that is gone; remove it")


def _make(path: Path, settings: CollectionSettings, tokenizer: str) -> None:
    """A whole database, its log moved into it and removed by closing it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size=4096")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN IMMEDIATE")
        schema.create(connection, settings, tokenizer)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # closing would not say that it had no room


def _publish(making: Path, path: Path) -> None:
    """Gives the database its name, unless another has it.

    Raises:
        FileExistsError: somebody else was quicker.
    """
    try:
        os.link(making, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        making.rename(path)


def _clear(path: Path, making: Path) -> None:
    """Removes what was made beside the place, also by those who were killed meanwhile."""
    with suppress(OSError):
        for left in path.parent.glob(f"{FILE}{_MAKING}*"):
            if left.name.startswith(making.name) or left.stat().st_mtime < time.time() - _SECONDS:
                left.unlink(missing_ok=True)


def _check(settings: CollectionSettings) -> None:
    if settings.dim < 1:
        raise InputError(f"dim must be at least 1, not {settings.dim}")
    IndexSpec(settings.index, **settings.index_options).checked()
    if settings.storage not in ("int8", "float16"):
        raise InputError(f"storage must be 'int8' or 'float16', not {settings.storage!r}")
