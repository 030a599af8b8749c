"""The SQL of every filter selects what the predicate says, and every form of a filter reads back as it.

Metadata and filters come from small alphabets, so that they meet often, and with all that is odd among them.
"""

from __future__ import annotations

import copy
import json
import math
import pickle
import sqlite3
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag.collections.local import facets
from late_rag.filters import And, Condition, Filter, Not, Or, matches, parse
from late_rag.filters.fields import lookup, metadata_key, named_values
from late_rag.filters.predicate import like
from late_rag.filters.values import MISSING
from late_rag.metadata import check, dumps, loads

KEYS = ("a", "b", "a.b", "b.a", "", "$x", "schlüssel", "with space")
FIELDS = ("a", "b", "a.b", "b.a", "a.b.a", "a.a", "", "$$x", "schlüssel", "with space", "missing")
BUILT_IN = ("$id", "$document_id", "$text", "$source")

_zones = st.sampled_from([None, UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-3.5))])
_moments = st.builds(
    lambda minutes, zone: datetime(2020, 1, 1, tzinfo=zone) + timedelta(minutes=minutes),
    st.sampled_from([-120, 0, 1, 120, 210, 330]),
    _zones,
)
_dates = st.sampled_from([date(2019, 12, 31), date(2020, 1, 1), date(1, 1, 1), date(9999, 12, 31)])
_edge_moments = st.sampled_from(
    [
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
        datetime(2020, 1, 1, microsecond=1),
    ]
)
_texts = st.sampled_from(
    [
        *("", "a", "A", "b", "ab", "aXb", "Straße", "STRASSE", "%", "_", "a%b", "a\\b", "\0", "a\0b", "é", "1", "[a]"),
        *("\ue000", "\U00010000", "2020-01-01", "2020-01-01T00:00:00", "2020-01-01 02:00+02:00", "2020-01-01T00:00Z"),
        *("2020-02-30", "20200101", "2020-01-01T00:00:00.000001", "null", "true", "line\nbreak\u2028end", "\"'`"),
    ]
)
_numbers = st.sampled_from(
    [
        *(0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**62 + 1, 2020),
        *(0.0, -0.0, 1.0, 0.1, 0.30000000000000004, 2.0**53, 2.0**62, 2.0**63, 1e300, math.inf, -math.inf, math.nan),
    ]
)
scalars = st.one_of(
    st.none(), st.booleans(), _numbers, _texts, _moments, _dates, _edge_moments, _moments.map(datetime.isoformat),
    st.floats(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=3),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)
metadata = st.dictionaries(st.sampled_from(KEYS), values, max_size=4)

_ordered = st.one_of(_numbers, _texts, _moments, _dates, _edge_moments, st.floats(), st.text(max_size=3))
_patterns = st.text(st.sampled_from("%_\\aAbX2-0[]*?\0é"), max_size=5) | _texts
_ITEMS = st.lists(scalars | values, max_size=4)
_TAKES = {
    **dict.fromkeys(("==", "!=", "contains"), values),
    **dict.fromkeys((">", ">=", "<", "<="), _ordered),
    **dict.fromkeys(("in", "not_in", "any", "all"), _ITEMS),
    **dict.fromkeys(("matches", "imatches"), _texts | st.text(max_size=2)),
    "like": _patterns,
    **dict.fromkeys(("exists", "is_empty"), st.none()),
}


def conditions(fields: tuple[str, ...] = FIELDS + BUILT_IN) -> st.SearchStrategy[Condition]:
    """Any operator on any field with what it can take."""
    return st.sampled_from(sorted(_TAKES)).flatmap(
        lambda name: st.builds(Condition, st.sampled_from(fields), st.just(name), _TAKES[name])
    )


filters = st.recursive(
    conditions(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=1, max_size=4).map(lambda parts: Or(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=6,
)

TABLES = """
CREATE TABLE sources (id INTEGER PRIMARY KEY, location TEXT NOT NULL);
CREATE TABLE chunks (
    row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, document_id TEXT NOT NULL, text TEXT NOT NULL, source_id INTEGER)
"""
Row = tuple[dict[str, object], str, str, str | None]
"""Metadata, document id, text and source of a chunk."""

rows = st.tuples(metadata, _texts, _texts, st.none() | _texts)


def database(chunks: list[Row]) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(TABLES + ";" + facets.SCHEMA)
    facets.prepare(connection)
    for row, (values, document_id, text, source) in enumerate(chunks, 1):
        if source is not None:
            connection.execute("INSERT INTO sources VALUES (?, ?)", (row, source))
        chunk = (row, f"a{row}", document_id, text, None if source is None else row)
        connection.execute("INSERT INTO chunks VALUES (?, ?, ?, ?, ?)", chunk)
        connection.executemany("INSERT INTO facets VALUES (?, ?, ?, ?)", facets.facet_rows(row, values))
    return connection


def meant(chunks: list[Row], wanted: Filter) -> list[int]:
    return [
        row
        for row, (values, document_id, text, source) in enumerate(chunks, 1)
        if matches(wanted, values, f"a{row}", document_id, text, source)
    ]


def selected(connection: sqlite3.Connection, condition: str, parameters: list[object]) -> list[int]:
    found = connection.execute(f"SELECT row FROM chunks WHERE {condition} ORDER BY row", parameters)
    return [row for (row,) in found]


@settings(max_examples=200, deadline=None)
@given(st.lists(rows, min_size=1, max_size=6), st.lists(filters, min_size=1, max_size=5), st.sampled_from([0, 1, 9]))
def test_sql_selects_what_the_predicate_says(chunks: list[Row], wanted: list[Filter], few: int) -> None:
    connection = database(chunks)
    for one in wanted:
        expected = meant(chunks, one)
        condition, parameters = facets.where(one)
        assert selected(connection, condition, parameters) == expected
        assert selected(connection, f"NOT ({condition}) IS TRUE", parameters) == [
            row for row in range(1, len(chunks) + 1) if row not in expected
        ]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(facets, "_FEW", few)
            assert facets.rows(connection, one).tolist() == expected
    connection.close()


@settings(max_examples=300, deadline=None)
@given(filters)
def test_every_form_of_a_filter_reads_back_as_it(wanted: Filter) -> None:
    assert parse(str(wanted)) == wanted
    assert parse(wanted.to_dict()) == wanted
    assert parse(json.loads(json.dumps(wanted.to_dict(), allow_nan=False))) == wanted
    assert eval(repr(wanted)) == wanted
    assert pickle.loads(pickle.dumps(wanted)) == copy.deepcopy(wanted) == wanted
    assert hash(parse(str(wanted))) == hash(wanted)


@settings(max_examples=300, deadline=None)
@given(metadata)
def test_metadata_comes_back_as_it_was(values: dict[str, object]) -> None:
    check(values)
    text = dumps(values)
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert repr(loads(text)) == repr(values)  # repr tells 1 from True and 1.0, and nan from nothing else


@settings(max_examples=300, deadline=None)
@given(metadata)
def test_every_name_of_a_facet_is_a_field_with_its_value(values: dict[str, object]) -> None:
    for name, value in named_values(values).items():
        assert lookup(values, name) is value
    for field in FIELDS:
        assert (lookup(values, metadata_key(field)) is MISSING) == (metadata_key(field) not in named_values(values))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="aA\\%_\n\0", max_size=6), _patterns)
def test_like_is_its_naive_definition(text: str, pattern: str) -> None:
    assert like(text, pattern) == naive_like(text, pattern)


def naive_like(text: str, pattern: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(naive_like(text[start:], pattern[1:]) for start in range(len(text) + 1))
    escaped = pattern[0] == "\\" and len(pattern) > 1
    sign, rest = (pattern[1], pattern[2:]) if escaped else (pattern[0], pattern[1:])
    any_sign = sign == "_" and not escaped
    return bool(text) and (any_sign or text[0] == sign) and naive_like(text[1:], rest)
