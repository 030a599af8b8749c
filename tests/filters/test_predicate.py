"""What filters mean, by hand: a filter, metadata, and whether they match."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

import pytest

from late_rag.errors import FilterError
from late_rag.filters import F, matches

EAST = timezone(timedelta(hours=2))

TABLE = [
    # equality: kinds never mix, a bool is no number
    ("a == 1", {"a": 1}, True),
    ("a == 1", {"a": 1.0}, True),
    ("a == 1", {"a": True}, False),
    ("a == true", {"a": True}, True),
    ("a == true", {"a": 1}, False),
    ("a == 1", {"a": "1"}, False),
    ("a == 9007199254740993", {"a": 9007199254740992.0}, False),
    ("a == nan", {"a": float("nan")}, False),
    ("a != nan", {"a": float("nan")}, True),
    ("a == [1, 2]", {"a": [1.0, 2]}, True),
    ("a == [1, 2]", {"a": [2, 1]}, False),
    ("a == [1]", {"a": [True]}, False),
    ('a == {"b": 1}', {"a": {"b": 1}}, True),
    ("a == 1", {"a": [1]}, False),
    # missing and null
    ("a == null", {}, True),
    ("a == null", {"a": None}, True),
    ("a == null", {"a": 0}, False),
    ("a != null", {}, False),
    ("a != 1", {}, True),
    ("not a == 1", {}, True),
    ("a > 1", {}, False),
    ("a <= 1", {}, False),
    ("not a > 1", {}, True),
    ("a > 1", {"a": None}, False),
    ("a exists", {"a": None}, True),
    ("a exists", {}, False),
    ("a is_empty", {}, True),
    ("a is_empty", {"a": None}, True),
    ("a is_empty", {"a": ""}, True),
    ("a is_empty", {"a": []}, True),
    ("a is_empty", {"a": {}}, True),
    ("a is_empty", {"a": 0}, False),
    ("a is_empty", {"a": False}, False),
    ("a is_empty", {"a": " "}, False),
    # order
    ("a > 1", {"a": 2}, True),
    ("a > 1", {"a": True}, False),
    ("a > 1", {"a": "2"}, False),
    ("a < 9007199254740993", {"a": 9007199254740992.0}, True),
    ('a > "Z"', {"a": "a"}, True),
    ('a > "\uffff"', {"a": "\U00010000"}, True),
    ('a > "b"', {"a": "a"}, False),
    # times
    ("a == 2020-01-01", {"a": "2020-01-01"}, True),
    ('a == "2020-01-01"', {"a": date(2020, 1, 1)}, True),
    ('a == "2020-01-01"', {"a": "2020-01-01T00:00:00"}, True),
    ("a < 2020-01-02", {"a": datetime(2020, 1, 1, 23, 59)}, True),
    ("a == 2020-01-01T10:00:00Z", {"a": datetime(2020, 1, 1, 12, tzinfo=EAST)}, True),
    ("a == 2020-01-01T12:00:00", {"a": datetime(2020, 1, 1, 12, tzinfo=EAST)}, True),
    ("a == 2020-01-01T10:00:00", {"a": datetime(2020, 1, 1, 12, tzinfo=EAST)}, False),
    ("a == 2020-01-01T10:00:00Z", {"a": datetime(2020, 1, 1, 10)}, True),
    ("a > 2020-01-01", {"a": "next year"}, False),
    ('a > "2020-01-01"', {"a": "next year"}, True),
    ("a == 2020-01-01", {"a": "20200101"}, False),
    ("a >= 2020-01-01", {"a": 2021}, False),
    # lists
    ('a contains "x"', {"a": ["x", "y"]}, True),
    ('a contains "x"', {"a": "xy"}, False),
    ("a contains 1", {"a": [True]}, False),
    ("a contains null", {"a": [None]}, True),
    ("a contains null", {"a": []}, False),
    ("a contains 2020-01-01", {"a": ["2020-01-01T00:00"]}, True),
    ('a any ["x", "z"]', {"a": ["x", "y"]}, True),
    ('a any ["z"]', {"a": ["x", "y"]}, False),
    ("a any []", {"a": ["x"]}, False),
    ('a all ["x", "y"]', {"a": ["y", "x", "z"]}, True),
    ('a all ["x", "z"]', {"a": ["x", "y"]}, False),
    ("a all []", {"a": []}, True),
    ("a all []", {"a": "x"}, False),
    ("a in [1, 2]", {"a": 2.0}, True),
    ("a in [1, 2]", {"a": [1]}, False),
    ("a in [[1], 2]", {"a": [1]}, True),
    ("a in []", {"a": 1}, False),
    ("a in [null]", {}, True),
    ("a not in [1]", {}, True),
    ("a not in [null]", {}, False),
    ("a not in []", {}, True),
    # texts
    ('a matches "rag"', {"a": "late_rag"}, True),
    ('a matches "RAG"', {"a": "late_rag"}, False),
    ('a imatches "STRASSE"', {"a": "Hauptstraße"}, True),
    ('a matches "x"', {"a": ["x"]}, False),
    ('a matches ""', {"a": ""}, True),
    ('a matches ""', {}, False),
    ('a like "late%"', {"a": "late_rag"}, True),
    ('a like "Late%"', {"a": "late_rag"}, False),
    ('a like "late_rag"', {"a": "late-rag"}, True),
    ('a like "late\\\\_rag"', {"a": "late-rag"}, False),
    ('a like "%"', {"a": "two\nlines"}, True),
    ('a like "[a-z]*"', {"a": "late"}, False),
    # fields
    ("a.b == 1", {"a": {"b": 1}}, True),
    ("a.b == 1", {"a.b": 1}, True),
    ("a.b == 1", {"a.b": 2, "a": {"b": 1}}, False),
    ("a.b.c == 1", {"a": {"b.c": 1}}, True),
    ("a.b == 1", {"a": [{"b": 1}]}, False),
    ("`publish date` == 1", {"publish date": 1}, True),
    ("$$schema == 1", {"$schema": 1}, True),
    # joined
    ("a == 1 or b == 1 and c == 1", {"a": 1}, True),
    ("(a == 1 or b == 1) and c == 1", {"a": 1}, False),
    ("not a == 1 and b == 1", {"b": 1}, True),
    ("not (a == 1 and b == 1)", {"a": 1}, True),
]


@pytest.mark.parametrize(("text", "metadata", "expected"), TABLE)
def test_a_filter_means_what_the_table_says(text: str, metadata: dict[str, object], expected: bool) -> None:
    assert matches(text, metadata) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('$id == "2020-01-01"', True),
        ('$id == "2020-01-01T00:00:00"', False),
        ("$id == 2020-01-01", False),
        ("$id != 2020-01-01", True),
        ("$id < 2030-01-01", False),
        ('$id in ["x", "2020-01-01"]', True),
        ('$document_id like "doc%"', True),
        ('$text imatches "PASSAGE"', True),
        ("$text exists", True),
        ("$source == null", True),
        ("$source exists", False),
        ('$source like "%.pdf"', False),
        ('$id contains "2"', False),
    ],
)
def test_built_in_fields_are_texts(text: str, expected: bool) -> None:
    assert matches(text, {}, id="2020-01-01", document_id="doc 1", text="A passage", source=None) is expected


def test_a_pattern_of_many_wildcards_is_not_slow() -> None:
    assert not matches(F("a").like("%a" * 40 + "%b"), {"a": "a" * 5000})


def test_an_unreadable_filter_is_named() -> None:
    with pytest.raises(FilterError, match="unknown operator"):
        matches("a =~ 1", {})
