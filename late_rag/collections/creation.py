"""Making a local collection: all of its tables in one commit, so that a half-made one is none."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from late_rag.backends import INDEXES, resolve
from late_rag.collections import fulltext, schema
from late_rag.collections.database import check_files, use_wal
from late_rag.errors import CollectionError, CollectionExistsError, InputError
from late_rag.protocols import CollectionSettings

FILE = "collection.sqlite"
_SECONDS = 60.0


def create(folder: Path, settings: CollectionSettings) -> None:
    """Makes the folder and the database.

    Raises:
        CollectionExistsError: there is a collection already.
        InputError: settings that cannot be, or a folder that holds other things.
    """
    _check(settings)
    tokenizer = fulltext.tokenizer(settings.language)
    path = folder / FILE
    if folder.exists() and not (folder.is_dir() and _is_free(folder)):
        raise InputError(f"{folder} is not a collection and not empty; name a folder of its own for the collection")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        check_files(path)
        connection = sqlite3.connect(path, timeout=_SECONDS, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise CollectionError(f"{folder}: the collection cannot be made: {error}") from error
    try:
        _fill(connection, folder, settings, tokenizer)
    except sqlite3.Error as error:
        raise CollectionError(f"{folder}: the collection cannot be made: {error}") from error
    finally:
        connection.close()


def _is_free(folder: Path) -> bool:
    """Whether the folder is empty, or somebody made, or is making, a collection in it. Looks once: others are quick."""
    names = [path.name for path in folder.iterdir()]
    return not names or any(name.startswith(FILE) for name in names)


def _fill(connection: sqlite3.Connection, folder: Path, settings: CollectionSettings, tokenizer: str) -> None:
    connection.execute("PRAGMA page_size=4096")
    use_wal(connection, _SECONDS)
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise CollectionExistsError(f"there is a collection at {folder} already; open it")
    schema.create(connection, settings, tokenizer)
    connection.commit()


def _check(settings: CollectionSettings) -> None:
    if settings.dim < 1:
        raise InputError(f"dim must be at least 1, not {settings.dim}")
    if settings.index != "auto":
        resolve(INDEXES, settings.index, "index")
    if settings.storage not in ("int8", "float16"):
        raise InputError(f"storage must be 'int8' or 'float16', not {settings.storage!r}")
