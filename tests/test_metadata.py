"""Which metadata can be stored, and how it is written. That it comes back is a property in filters/."""

from __future__ import annotations

import enum
import json
from collections import OrderedDict
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from late_rag.errors import InputError
from late_rag.metadata import check, decode, dumps, encode, loads


class Colour(enum.StrEnum):
    RED = "red"


CYCLE: dict[str, Any] = {"a": []}
CYCLE["a"].append(CYCLE)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ((1, 2), r"k: a tuple cannot be stored .*pass a list"),
        ({1}, "k: a set cannot be stored .*sorted list"),
        (b"x", "k: a bytes cannot be stored .*base64"),
        (Decimal("1.5"), "a Decimal cannot be stored .*float"),
        (object(), "an object cannot be stored .*allowed are str, bool"),
        (timedelta(1), "a timedelta cannot be stored"),
        (np.int64(1), r"an int64 cannot be stored .*\.item\(\)"),
        (np.float32(1), r"a float32 cannot be stored .*\.item\(\)"),
        (np.zeros(2), r"a ndarray cannot be stored .*\.tolist\(\)"),
        (2**63, "the integer 9223372036854775808 does not fit into 64 bits"),
        ("a\ud800", "k has a lone surrogate .U.D800. at character 1"),
        ({1: 2}, "k: the key 1 is an int, keys must be str"),
        ({"\udc00": 2}, "a lone surrogate"),
        ([{"x": [1, {2}]}], r"k\[0\].x\[1\]: a set cannot be stored"),
        (CYCLE, "nested more than 100 deep, or one that contains itself"),
    ],
    ids=range(15),
)
def test_what_cannot_be_stored_is_named_with_its_place(value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check({"fine": 1, "k": value})


@pytest.mark.parametrize("metadata", [None, [], "text", [("a", 1)]])
def test_metadata_is_a_mapping(metadata: Any) -> None:
    with pytest.raises(InputError, match="metadata must be a dict, not"):
        check(metadata)


def test_subclasses_come_back_as_the_plain_values_they_equal() -> None:
    given = {"a": Colour.RED, "b": np.float64(0.1), "c": OrderedDict(x=1), "d": enum.IntEnum("N", "ONE").ONE}
    check(MappingProxyType(given))
    found = loads(dumps(MappingProxyType(given)))
    assert found == given
    assert [type(value) for value in found.values()] == [str, float, dict, int]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"day": date(2020, 1, 31)}, '{"day":{"$date":"2020-01-31"}}'),
        ({"at": datetime(2020, 1, 31, 10)}, '{"at":{"$datetime":"2020-01-31T10:00:00"}}'),
        (
            {"at": datetime(2020, 7, 1, tzinfo=ZoneInfo("Europe/Berlin"))},
            '{"at":{"$datetime":"2020-07-01T00:00:00+02:00[Europe/Berlin]"}}',
        ),
        ({"x": float("inf")}, '{"x":{"$float":"inf"}}'),
        ({"$date": "2020-01-31"}, '{"$$date":"2020-01-31"}'),
        ({"a": {"$datetime": 3, "$$x": [{"$float": "nan"}]}}, '{"a":{"$$datetime":3,"$$$x":[{"$$float":"nan"}]}}'),
        ({"ü": "ß\u2028"}, '{"ü":"ß\u2028"}'),
    ],
)
def test_how_it_is_written(value: dict[str, Any], text: str) -> None:
    assert dumps(value) == text
    assert loads(text) == value
    assert decode(encode(value)) == value


@pytest.mark.parametrize("fold", [0, 1])
def test_a_zone_keeps_its_name_and_which_of_two_equal_hours_it_was(fold: int) -> None:
    twice = datetime(2020, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=fold)
    found = loads(dumps({"at": twice}))["at"]
    assert (found.tzinfo, found.fold, found.utcoffset()) == (twice.tzinfo, fold, timedelta(hours=2 - fold))


def test_a_zone_with_other_rules_than_when_it_was_written_gives_way_to_the_offset() -> None:
    for zone in ("Europe/Berlin", "Not/Known"):
        found = loads(f'{{"at":{{"$datetime":"2020-07-01T00:00:00+05:00[{zone}]"}}}}')["at"]
        assert found == datetime(2020, 7, 1, tzinfo=timezone(timedelta(hours=5)))


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        "{",
        '{"a":{"$date":"soon"}}',
        '{"a":{"$date":3}}',
        '{"a":{"$when":"now"}}',
        '{"a":{"$date":"2020-01-31","b":1}}',
    ],
)
def test_what_nobody_wrote_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        loads(text)


def test_unchecked_values_are_refused_when_written() -> None:
    with pytest.raises(InputError, match="a set cannot be stored"):
        dumps({"a": {1}})


@pytest.mark.parametrize("last", [0.5, float("nan"), float("inf"), 2, True, None, "x", date(2020, 1, 1), [0.5]])
def test_a_list_of_numbers_and_what_may_stand_in_it(last: object) -> None:
    given = {"vector": [0.25] * 30 + [last]}
    check(given)
    stored = decode(json.loads(json.dumps(encode(given), allow_nan=False)))
    assert repr(stored) == repr(given)


def test_a_list_that_cannot_be_stored_is_refused_where_it_is_wrong() -> None:
    with pytest.raises(InputError, match=r"vector\[2\]: the integer 9223372036854775808 does not fit"):
        check({"vector": [0.5, 1.0, 2**63]})
