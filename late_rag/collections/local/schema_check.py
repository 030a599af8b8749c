"""Whether a database is one of ours before anything in it is used: its tables, its settings, its counters.

A database that somebody sent may hold a view in the place of a table, or a trigger, and so run what its maker likes
in a query of ours. So all that stands in its schema must be what :mod:`late_rag.collections.local.schema` writes, and
it is looked at before a table is.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from late_rag.backends import INDEXES
from late_rag.collections.kit import fulltext
from late_rag.collections.local import schema
from late_rag.errors import CollectionDamagedError
from late_rag.protocols import CollectionSettings

_ADVICE = "the database is damaged or was not written by late_rag; restore a copy, or index the files anew"
_ENTRIES = 200
_MOST = 2**62
_MOST_DIM = 2**16
_SQLITES_OWN = {
    "sqlite_sequence": "CREATE TABLE sqlite_sequence(name,seq)",
    "sqlite_stat1": "CREATE TABLE sqlite_stat1(tbl,idx,stat)",
    "sqlite_stat4": "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)",
}
_STATE = ("version", "chunks", "tokens", "last_row", "removed_floor")

Entry = tuple[str, str, str]
"""Type and name of something in the schema, and of the table it belongs to."""

Create = Callable[[sqlite3.Connection, str], None]
"""Makes the tables of a format, given a tokenizer of FTS5."""


def check(connection: sqlite3.Connection, location: str) -> None:
    """Looks at format, schema and counters.

    Raises:
        CollectionNotFoundError: the database is empty.
        CollectionDamagedError: another format, anything in the schema that is not ours, or impossible counters.
    """
    schema.check_format(connection, location)
    check_tables(connection, location, schema.create_tables)


def check_tables(connection: sqlite3.Connection, location: str, create: Create) -> None:
    """Looks at schema and counters, for a format whose tables ``create`` makes.

    Raises:
        CollectionDamagedError: anything in the schema that is not ours, or impossible counters.
    """
    found = _entries(connection)
    for entry, sql in found.items():
        if not _is_ours(entry, sql, create):
            raise CollectionDamagedError(
                f"{location}: the database holds a {entry[0]} {str(entry[1])[:80]!r} that late_rag did not make; "
                f"{_ADVICE}"
            )
    missing = set(_expected("none", create)) - set(found)
    if missing:
        raise CollectionDamagedError(f"{location}: the table {min(missing)[1]!r} is missing; {_ADVICE}")
    _check_state(connection, location)


def _entries(connection: sqlite3.Connection) -> dict[Entry, str | None]:
    found = connection.execute(f"SELECT type, name, tbl_name, sql FROM sqlite_master LIMIT {_ENTRIES}")
    return {(kind, name, table): _normal(sql) for kind, name, table, sql in found}


def _normal(sql: object) -> str | None:
    """Without what only lays it out."""
    return None if sql is None else re.sub(r"\s+", " ", str(sql)).strip()


@lru_cache(maxsize=8)
def _expected(language: str, create: Create) -> dict[Entry, str | None]:
    connection = sqlite3.connect(":memory:")
    try:
        create(connection, fulltext.tokenizer(language))
        return _entries(connection)
    finally:
        connection.close()


def _is_ours(entry: Entry, sql: str | None, create: Create) -> bool:
    """FTS5 makes tables of its own, whose text is that of the SQLite that made them."""
    kind, name, table = entry
    if name in _SQLITES_OWN:
        return kind == "table" and table == name and sql == _SQLITES_OWN[name]
    plain, english = _expected("none", create), _expected("english", create)
    if entry not in plain:
        return False
    if name.startswith("fulltext_"):
        return str(sql).startswith(f"CREATE TABLE '{name}'(")
    return sql in (plain[entry], english[entry])


def _check_state(connection: sqlite3.Connection, location: str) -> None:
    found = connection.execute(f"SELECT {', '.join(_STATE)} FROM state LIMIT 2").fetchall()
    if len(found) != 1 or not all(type(value) is int and 0 <= value < _MOST for value in found[0]):
        raise CollectionDamagedError(f"{location}: the row of the table 'state' is {str(found)[:200]}; {_ADVICE}")


def read_settings(connection: sqlite3.Connection, location: str) -> CollectionSettings:
    """What was recorded when the collection was made.

    Raises:
        CollectionDamagedError: not settings as late_rag writes them.
    """
    found = connection.execute("SELECT value FROM settings WHERE name = 'settings'").fetchone()
    try:
        settings = CollectionSettings.from_dict(json.loads(found[0]))
        wrong = next(_wrong(settings), None)
        tokenizer = None if wrong else fulltext.tokenizer(settings.language)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CollectionDamagedError(f"{location}: settings cannot be read ({str(error)[:200]}); {_ADVICE}") from None
    if wrong:
        raise CollectionDamagedError(f"{location}: the setting {wrong} cannot be; {_ADVICE}")
    _check_fulltext(connection, location, str(tokenizer))
    return settings


def _check_fulltext(connection: sqlite3.Connection, location: str, tokenizer: str) -> None:
    (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'fulltext'").fetchone()
    if _normal(sql) != _normal(schema.fulltext_statement(tokenizer)):
        raise CollectionDamagedError(f"{location}: the full text is not of the language in the settings; {_ADVICE}")


def _wrong(settings: CollectionSettings) -> Any:
    """The settings that have values they cannot have."""
    checks = {
        "dim": type(settings.dim) is int and 1 <= settings.dim <= _MOST_DIM,
        "storage": settings.storage in ("int8", "float16"),
        "content": settings.content in ("all", "main"),
        "index": settings.index == "auto" or settings.index in INDEXES,
        "model_relative": settings.model_relative is None or isinstance(settings.model_relative, str),
        "probe": settings.probe is None or _is_probe(settings.probe, settings.dim),
    }
    for name in ("model", "model_id", "variant", "language"):
        checks[name] = isinstance(getattr(settings, name), str)
    for name in ("pooling", "chunking"):
        checks[name] = isinstance(getattr(settings, name), dict | None)
    checks["index_options"] = isinstance(settings.index_options, dict)
    for name in ("embed_metadata", "include"):
        checks[name] = all(isinstance(item, str) for item in getattr(settings, name))
    for name, right in checks.items():
        if not right:
            yield f"{name} = {str(getattr(settings, name))[:80]!r}"


def _is_probe(probe: Any, dim: int) -> bool:
    return isinstance(probe, dict) and all(
        isinstance(rows, list)
        and all(isinstance(row, list) and len(row) == dim and all(type(x) in (float, int) for x in row) for row in rows)
        for rows in probe.values()
    )
