"""How metadata values are stored to be compared: a type and a value that SQLite orders and equates as filters do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from enum import IntEnum
from typing import Any, TypeAlias

from late_rag.filters.times import time_of
from late_rag.filters.values import canonical, is_number
from late_rag.metadata import decode, encode
from late_rag.types import digest


class Type(IntEnum):
    """What a stored value is; values of one type compare with each other and with nothing else."""

    NULL = 0
    BOOL = 1
    NUMBER = 2
    NAN = 3
    TEXT = 4
    TIME_TEXT = 5
    """A text that is a time; what the time is stands beside it, as for a date or datetime."""
    NAIVE = 6
    """A time without an offset: microseconds on the wall clock."""
    WALL = 7
    """A time with an offset, as the wall clock there showed it; its INSTANT stands beside it."""
    INSTANT = 8
    """A time with an offset: microseconds in UTC."""
    LIST = 9
    """A hash, for lists are compared as wholes or by their elements."""
    DICT = 10
    TIME = 11
    """A date or datetime as it was given; what time it is stands beside it, as for a TIME_TEXT."""

    @property
    def kind(self) -> str:
        """In a user's words: null, bool, number, text, time, list or dict."""
        return _KINDS.get(self, self.name.lower())


_KINDS = {
    Type.NAN: "number",
    Type.TIME_TEXT: "text",
    Type.NAIVE: "time",
    Type.WALL: "time",
    Type.INSTANT: "time",
}

ELEMENT = 16
"""Added to the type of a list's element."""

Typed: TypeAlias = tuple[Type, Any]


def stored(value: Any) -> Iterator[Typed]:
    """All that is stored for one value."""
    if isinstance(value, str | date):
        yield from _stored_text(value)
    elif value is None:
        yield Type.NULL, 0
    elif isinstance(value, bool):
        yield Type.BOOL, int(value)
    elif is_number(value):
        yield (Type.NAN, 0) if math.isnan(value) else (Type.NUMBER, value)
    else:
        yield (Type.LIST if isinstance(value, list) else Type.DICT), digest(canonical(value))


def _stored_text(value: str | date) -> Iterator[Typed]:
    """A text, and the time that a text or date stands for."""
    time = time_of(value)
    if isinstance(value, str):
        yield (Type.TEXT if time is None else Type.TIME_TEXT), value
    else:
        yield Type.TIME, _written(value)
    if time is None:
        return
    if time.instant is None:
        yield Type.NAIVE, time.wall
    else:
        yield Type.WALL, time.wall
        yield Type.INSTANT, time.instant


def _written(time: date) -> str:
    """Only a datetime has a T; texts are in the order of the clock on the wall."""
    (text,) = encode(time).values()
    return str(text)


def given(kind: int, value: Any) -> Any:
    """A text, number, bool or time as it was given, from its type (not that of an element) and what is stored."""
    if kind == Type.BOOL:
        return bool(value)
    if kind == Type.NAN:
        return math.nan
    if kind == Type.TIME:
        return decode({"$datetime" if "T" in value else "$date": value})
    return value


def text_of(kind: int, value: Any) -> str:
    """The same as a text: ``true``, ``1.5``, ``2020-01-31``."""
    if isinstance(value, str):
        return value
    return str(bool(value)).lower() if kind == Type.BOOL else repr(given(kind, value))


def equal_to(value: Any) -> list[Typed]:
    """One of these is stored exactly where a value equals this one."""
    time = time_of(value) if isinstance(value, str | date) else None
    if time is None:
        return [(kind, given) for kind, given in stored(value) if kind != Type.NAN]
    if time.instant is None:
        return [(Type.NAIVE, time.wall), (Type.WALL, time.wall)]
    return [(Type.NAIVE, time.wall), (Type.INSTANT, time.instant)]


def comparable_to(value: Any) -> list[Typed]:
    """The types that are ordered against this value, and by what: of the stored values of each type."""
    types = equal_to(value)
    if isinstance(value, str):
        plain = (Type.TEXT, value)
        types.append((Type.TIME_TEXT, value) if plain in types else plain)
    return types
