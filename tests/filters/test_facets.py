"""The SQLite side of filters: its limits, its traps, and what it stores."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import date

import pytest

from late_rag.collections.local import facets
from late_rag.filters import And, Condition, F, Filter, Not, Or, matches, parse
from late_rag.filters.tree import MAX_CONDITIONS, MAX_DEPTH

CHUNKS = 200


def metadata(row: int) -> dict[str, object]:
    marks = ["a", "b"] if row <= 3 else ["b"] if row <= 12 else []
    return {
        "year": 2000 + row % 20,
        "half": row % 2 == 0,
        "score": row / 10,
        "tags": [f"t{row % 3}", "all"],
        "marks": marks,
    }


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    database = sqlite3.connect(":memory:")
    database.executescript(
        "CREATE TABLE sources (id INTEGER PRIMARY KEY, location TEXT NOT NULL);"
        "CREATE TABLE chunks (row INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, document_id TEXT NOT NULL,"
        " text TEXT NOT NULL, source_id INTEGER);" + facets.SCHEMA
    )
    facets.prepare(database)
    for row in range(1, CHUNKS + 1):
        database.execute("INSERT INTO chunks VALUES (?, ?, 'd', 'text', NULL)", (row, f"c{row}"))
        database.executemany("INSERT INTO facets VALUES (?, ?, ?, ?)", facets.facet_rows(row, metadata(row)))
    yield database
    database.close()


def found(connection: sqlite3.Connection, wanted: Filter) -> list[int]:
    """By both ways, which must agree with each other and with the predicate."""
    condition, parameters = facets.where(wanted)
    rows = [row for (row,) in connection.execute(f"SELECT row FROM chunks WHERE {condition} ORDER BY row", parameters)]
    assert facets.rows(connection, wanted).tolist() == rows
    assert rows == [row for row in range(1, CHUNKS + 1) if matches(wanted, metadata(row), f"c{row}", "d", "text")]
    return rows


def test_a_hundred_thousand_values(connection: sqlite3.Connection) -> None:
    ids = [f"c{number}" for number in range(100_000)]
    assert len(found(connection, F("$id").in_(ids))) == CHUNKS
    condition, parameters = facets.where(F("score").in_([number / 10 for number in range(100_000)]))
    assert len(parameters) <= 10
    assert connection.execute(f"SELECT count(*) FROM chunks WHERE {condition}", parameters).fetchone() == (CHUNKS,)


def test_values_that_sqlite_would_read_otherwise(connection: sqlite3.Connection) -> None:
    assert found(connection, F("tags").any(["t1\0x", "t\0"])) == []
    assert found(connection, F("$id").in_(["c1\0", "c2"])) == [2]
    assert found(connection, F("$id").in_([1, 2])) == []
    assert found(connection, F("year").in_(["2001", True])) == []
    assert found(connection, F("$id") == "c1' OR '1'='1") == []
    assert found(connection, F("year' OR '1'='1").exists()) == []


def test_the_widest_and_the_deepest_filter_that_may_be_built_runs(connection: sqlite3.Connection) -> None:
    conditions = [F("year") == number for number in range(MAX_CONDITIONS)]
    assert found(connection, Or(tuple(conditions))) == []
    assert len(found(connection, And(tuple(~condition for condition in conditions)))) == CHUNKS
    assert found(connection, F("tags").all(["all"] * (MAX_CONDITIONS - 1) + ["t1"])) == list(range(1, CHUNKS + 1, 3))
    deep: Filter = Condition("year", "is_empty")
    for level in range(MAX_DEPTH - 1):
        join = (And, Or)[level % 2]
        deep = join((F("half") == (level % 4 < 2), deep))
    assert found(connection, deep) == found(connection, parse(deep.to_dict()))
    wide: Filter = F("year").in_([None, 1.5, "x", 2001])
    for level in range(MAX_DEPTH - 1):
        wide = Not(wide) if level % 3 == 2 else (And, Or)[level % 3]((wide, *conditions[:20]))
    found(connection, wide)


def test_rows_that_are_found_twice_count_once(connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facets, "_FEW", 5)
    assert found(connection, parse('marks any ["a", "b"] and half == true')) == [2, 4, 6, 8, 10, 12]


def test_values_are_parameters_never_sql(connection: sqlite3.Connection) -> None:
    wanted = (F("k'--") == "v'") & F("k").in_(["a'", 1.5, 7]) & F("$source").like("x'%")
    condition, parameters = facets.where(wanted)
    assert "k'" not in condition
    assert "v'" not in condition
    assert condition.count("?") == len(parameters)
    assert found(connection, wanted) == []


def test_an_equality_is_searched_in_the_index(connection: sqlite3.Connection) -> None:
    condition, parameters = facets.where(parse("year == 2001 and half == true and score < 3"))
    plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT row FROM chunks WHERE {condition}", parameters).fetchall()
    searches = [line for *_, line in plan if "facets" in line]
    assert len(searches) == 3
    assert all("USING COVERING INDEX facets_by_value (key=? AND type=? AND value" in line for line in searches)


def test_both_bounds_of_a_field_are_one_search() -> None:
    condition, _ = facets.where(parse("year >= 2001 and half == true and year < 2003"))
    assert condition.count("SELECT") == 2
    condition, _ = facets.where(parse("year >= 2001 and year < '2003'"))
    assert condition.count("SELECT") == 3  # a number and a text; texts of two types


def test_what_is_stored() -> None:
    stored = facets.facet_rows(7, {"a": {"b": True}, "c": ["x", "x", None], "d": date(1, 1, 2), "e": "2020-01-01"})
    wholes = {facets.Type.LIST, facets.Type.DICT}
    assert [(row, key, kind, None if kind in wholes else value) for row, key, kind, value in stored] == [
        (7, "a", facets.Type.DICT, None),
        (7, "a.b", facets.Type.BOOL, 1),
        (7, "c", facets.Type.LIST, None),
        (7, "c", facets.Type.TEXT + facets.ELEMENT, "x"),
        (7, "c", facets.Type.NULL + facets.ELEMENT, 0),
        (7, "d", facets.Type.TIME, "0001-01-02"),
        (7, "d", facets.Type.NAIVE, 86_400_000_000),
        (7, "e", facets.Type.TIME_TEXT, "2020-01-01"),
        (7, "e", facets.Type.NAIVE, 63_713_433_600_000_000),
    ]
    assert [facets.Type(kind).kind for _, _, kind, _ in stored if kind < facets.ELEMENT] == [
        *("dict", "bool", "list", "time", "time", "text", "time"),
    ]
