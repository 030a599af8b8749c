"""No filter, and nothing that one is asked about, takes more than a moment or raises anything but its own error."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag.errors import FilterError, InputError
from late_rag.filters import F, matches, parse
from late_rag.filters.operators import FIELD_LENGTH
from late_rag.filters.tree import MAX_SEARCHED
from late_rag.filters.values import equal, given_keys, stored_keys
from late_rag.metadata import MAX_NAMES, check, decode, loads

LONG = 50_000
MOMENT = 4.0
"""Seconds of the processor: what is quadratic takes minutes at these lengths, what is linear milliseconds."""


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


HOSTILE: list[Callable[[], object]] = [
    lambda: parse("a == " + "1" * LONG + "x"),
    lambda: parse("a == " + "1" * LONG + "." + "1" * LONG + "x"),
    lambda: parse("a == 1e" + "1" * LONG + "x"),
    lambda: parse("a == 2020-01-01T" + "1" * LONG + "+" + "1" * LONG + "x"),
    lambda: parse("a ==" + " " * LONG + "\0"),
    lambda: parse('a == "' + "\\a" * LONG),
    lambda: parse("`" * (2 * LONG + 1)),
    lambda: parse("a " + "=" * LONG + " 1"),
    lambda: parse("x" * LONG + " == 1"),
    lambda: parse({"field": "." * LONG, "op": "==", "value": 1}),
    lambda: F("a." * LONG),
    lambda: parse({"field": "a", "op": "==", "value": nested(LONG)}),
    lambda: parse({"field": nested(LONG), "op": "==", "value": 1}),
    lambda: parse({"field": "a", "op": nested(LONG), "value": 1}),
    lambda: parse({"and": nested(LONG)}),
    lambda: F("a").contains(nested(LONG)),
    lambda: F("a") == 10**5000,
    lambda: F("a").in_(10**5000),  # type: ignore[arg-type]
    lambda: F("a") == {"x" * LONG: {str(number): 1 for number in range(LONG)}},
]


@pytest.mark.parametrize("make", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_filter_is_refused_at_once_and_in_few_words(make: Callable[[], object]) -> None:
    started = time.process_time()
    with pytest.raises(FilterError) as caught:
        make()
    assert time.process_time() - started < MOMENT
    assert len(str(caught.value)) < 5_000


def test_lists_of_any_length_are_compared_in_one_pass() -> None:
    stored = {"a": list(range(LONG))}
    started = time.process_time()
    assert not matches(F("a").any(list(range(-LONG, 0))), stored)
    assert matches(F("a").any([*range(-LONG, 0), LONG - 1]), stored)
    assert matches(F("a").all(list(range(LONG - 400, LONG))), stored)
    assert time.process_time() - started < 2 * MOMENT


def test_how_often_a_filter_reads_all_texts_is_limited() -> None:
    some = [F("$text").matches(str(number)) for number in range(MAX_SEARCHED)]
    held = some[0]
    for one in some[1:]:
        held = held | one
    with pytest.raises(FilterError, match=f"may have {MAX_SEARCHED} conditions with matches.*has {MAX_SEARCHED + 1}"):
        held | F("a").like("%x%")
    assert matches(held, {}, text="37")


def test_a_field_may_have_a_long_name() -> None:
    name = "é" * FIELD_LENGTH
    assert matches(F(name) == 1, {name: 1})
    with pytest.raises(FilterError, match=r"at most 1,000 characters, .* has 1,001"):
        F(name + "é")


def test_keys_that_would_be_stored_again_and_again_are_refused() -> None:
    with pytest.raises(InputError, match=r"shorten the keys"):
        check({"x" * LONG: {str(number): number for number in range(MAX_NAMES // LONG + 1)}})
    check({str(number) * 1000: "x" * 100 for number in range(5_000)})  # keys that stand alone are no names of others


@pytest.mark.parametrize(
    "read", [lambda: decode(nested(LONG)), lambda: loads('{"a":' + "[" * LONG + "]" * LONG + "}")], ids=range(2)
)
def test_deep_metadata_is_no_recursion_error(read: Callable[[], object]) -> None:
    with pytest.raises(InputError, match="nested more than 100 deep"):
        read()


@pytest.mark.parametrize(
    "value",
    [
        {"$datetime": 3},
        {"$datetime": "0001-01-01T00:00:00+10:00[Europe/Berlin]"},
        {"$datetime": "2020-01-01T00:00:00+01:00[Europe]"},
        {"$datetime": "2020-01-01T00:00:00+01:00[" + "x" * LONG + "]"},
        {"$datetime": "2020-01-01T00:00:00+01:00[../../etc/passwd]"},
        {"$date": None},
        {"$float": 10**400},
        {"$float": []},
        {"$x": 1},
    ],
    ids=range(9),
)
def test_a_tagged_value_is_read_or_refused(value: Any) -> None:
    with contextlib.suppress(InputError):
        assert isinstance(decode(value), datetime)


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(allow_nan=True, width=16)
    | st.sampled_from(
        ["", "a", "1", "2020-01-01", "2020-01-01T00:00:00Z", "2020-01-01T01:00:00+01:00", "2020-01-01T01:00:00"]
    )
    | st.sampled_from([date(2020, 1, 1), datetime(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC)])
)
values = scalars | st.lists(scalars, max_size=2) | st.dictionaries(st.sampled_from(["a", "b"]), scalars, max_size=2)


@given(values, values)
def test_values_are_equal_where_they_have_a_key_in_common(stored: Any, wanted: Any) -> None:
    assert equal(stored, wanted) == (not set(stored_keys(stored)).isdisjoint(given_keys(wanted)))


PIECES = [
    *("a", "b.c", "$text", "==", "!=", ">=", "in", "not", "and", "or", "(", ")", "[", "]", "{", "}", ",", ":", "`"),
    *("'", '"', "\\", "\\u", "1", "1e", ".", "-", "2020-01-01", "2020-13-01T25", "T", "Z", "null", "nan", "+inf"),
    *("like", "matches", "\0", "\ud800", "\u2028", "٣", "é", "exists", "\n"),
]
pieces = st.sampled_from(PIECES)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(pieces, st.sampled_from([1, 1, 1, 2, 3000]), st.sampled_from(["", " "])), max_size=12))
def test_any_text_is_a_filter_or_an_error_at_once(parts: list[tuple[str, int, str]]) -> None:
    text = "".join(piece * times + space for piece, times, space in parts)
    started = time.process_time()
    try:
        found = parse(text)
    except FilterError as error:
        found = F("a") == str(error)[:5_000].encode(errors="replace").decode()
    else:
        matches(found, {"a": 1, "b": {"c": ["x"]}}, text="x")
    assert parse(str(found)) == found
    assert time.process_time() - started < MOMENT


json_values = st.recursive(
    scalars.filter(lambda value: not isinstance(value, date)) | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["field", "op", "value", "and", "or", "not", "$date", "$float", "$datetime", "$$x"]),
            inner | st.sampled_from(["a", "$text", "==", "in", "like", "2020-01-01"]),
            max_size=3,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(json_values)
def test_any_json_is_a_filter_or_an_error(value: Any) -> None:
    try:
        found = parse(value)
    except FilterError:
        return
    assert parse(found.to_dict()) == found
