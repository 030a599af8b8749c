"""What values of metadata are to a filter, and when two of them are equal or in order.

A bool is no number. ISO 8601 texts, dates and datetimes compare as times with each other; other texts by code point;
numbers by exact value; lists and dicts are equal where all that is in them is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final, TypeAlias

from late_rag.filters.times import Time, time_of
from late_rag.types import canonical_json

Value: TypeAlias = "str | bool | int | float | date | list[Value] | dict[str, Value] | None"


Key: TypeAlias = tuple[str, Any]
"""A kind of value, and what values of that kind are told apart by."""


class _Missing:
    """The type of :data:`MISSING`."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""Stands for the value of a field that is not there."""


def is_number(value: object) -> bool:
    """Whether it is an integer or a float, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def time_in(value: object) -> Time | None:
    """The time that a value stands for, if it stands for one."""
    return time_of(value) if isinstance(value, str | date) else None


def equal(stored: object, given: object) -> bool:
    """Whether a field's value, or one element of its list, equals a filter's value."""
    if given is None:
        return stored is None
    if isinstance(given, bool) or isinstance(stored, bool):
        return stored is given
    if is_number(given):
        return is_number(stored) and stored == given
    if isinstance(given, list | dict):
        return isinstance(stored, list | dict) and canonical(stored) == canonical(given)
    if (pair := _times(stored, given)) is not None:
        return pair[0] == pair[1]
    return isinstance(stored, str) and isinstance(given, str) and stored == given


def stored_keys(value: object) -> Iterator[Key]:
    """What a stored value is found by: it equals a given one where one of the :func:`given_keys` is among these."""
    time = time_in(value)
    if time is None:
        yield _plain_key(value)
    else:
        yield ("wall" if time.instant is None else "wall of an instant"), time.wall
        yield "instant", time.instant


def given_keys(value: object) -> Iterator[Key]:
    """What a given value is looked for by, so that many are compared with many in one pass; see :func:`equal`."""
    time = time_in(value)
    if time is None:
        yield _plain_key(value)
        return
    yield "wall", time.wall
    yield ("wall of an instant", time.wall) if time.instant is None else ("instant", time.instant)


def _plain_key(value: object) -> Key:
    if value is None or isinstance(value, bool | str):
        return type(value).__name__, value
    if is_number(value):
        return "number", value if value == value else object()  # NaN equals nothing
    return "list or dict", canonical(value)


def ordered(stored: Any, given: Any, holds: Callable[[Any, Any], bool]) -> bool:
    """Whether ``holds`` (such as ``operator.lt``) is true of the two; never of values of different kinds."""
    if is_number(given):
        return is_number(stored) and holds(stored, given)
    if (pair := _times(stored, given)) is not None:
        return holds(*pair)
    return isinstance(stored, str) and isinstance(given, str) and holds(stored, given)


def _times(stored: object, given: object) -> tuple[int, int] | None:
    """Both as times: as instants where both have an offset, else as the clock on the wall showed them."""
    one, other = time_in(stored), time_in(given)
    if one is None or other is None:
        return None
    if one.instant is None or other.instant is None:
        return one.wall, other.wall
    return one.instant, other.instant


def canonical(value: object) -> str:
    """A text that is the same for equal lists or dicts, and differs for different ones.

    Inside them numbers are equal by value, aware datetimes by instant, and texts character by character, whether
    they look like times or not.
    """
    return canonical_json(_canonical(value))


def _canonical(value: Any) -> Any:
    """Values in JSON's own types; every list's first element says what it stands for."""
    if isinstance(value, Mapping):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return ["list", *map(_canonical, value)]
    if isinstance(value, date):
        return _canonical_time(value)
    if isinstance(value, float):
        return _canonical_float(value)
    return value


def _canonical_time(value: date) -> Any:
    time = time_of(value)
    if time is not None and time.instant is not None:
        return ["instant", time.instant]
    return ["datetime" if isinstance(value, datetime) else "date", str(value)]


def _canonical_float(value: float) -> Any:
    if not math.isfinite(value):
        return ["float", repr(float(value))]
    return int(value) if value.is_integer() else float(value)
