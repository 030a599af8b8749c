"""Metadata: which values there may be, and JSON that gives them back as they were.

JSON has no dates and no infinite numbers, so these are written as a dict with one key that starts with ``$``:
``{"$date": "2020-01-31"}``, ``{"$datetime": "2020-01-31T10:00:00+01:00"}`` (with ``[Europe/Berlin]`` behind it where
the value names a zone, as RFC 9557 writes it) and ``{"$float": "nan"}``. A key of the caller's that starts with ``$``
gets another one in front, so no metadata can be mistaken for these.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timezone, tzinfo
from typing import Any, TypeAlias, cast

from late_rag.errors import InputError
from late_rag.texts import check_encodable
from late_rag.types import canonical_json

MAX_DEPTH = 100
"""Levels of lists and dicts inside each other."""

MAX_NAMES = 4 * 2**20
"""Characters of the names of values in dicts in dicts, as filters name them, "a.b.c": each is stored with its value."""

_TOO_DEEP = f"lists and dicts nested more than {MAX_DEPTH} deep"

_LEAST, _MOST = -(2**63), 2**63 - 1

_ALLOWED = "allowed are str, bool, int, float, None, date, datetime, and lists and dicts of these"
_ADVICE = {
    "tuple": "it would come back as a list, so pass a list",
    "set": "pass a sorted list",
    "frozenset": "pass a sorted list",
    "bytes": "decode it, or pass it as base64 text",
    "Decimal": "pass a float, or its text",
    "PosixPath": "pass its text",
    "WindowsPath": "pass its text",
    "UUID": "pass its text",
    "time": "pass its text",
    "timedelta": "pass its seconds",
}


def check(metadata: Mapping[str, Any]) -> None:
    """Whether metadata can be stored and given back as it is.

    A value of a subclass (a string enum, ``numpy.float64``) comes back as the plain value that equals it.

    Raises:
        InputError: a value or key that cannot be stored; names where it stands.
    """
    if not isinstance(metadata, Mapping):
        raise InputError(f"metadata must be a dict, not {type(metadata).__name__}")
    _Check().dict(metadata, None, MAX_DEPTH, 0)


def check_value(value: object, path: str, depth: int = MAX_DEPTH) -> None:
    """The same for one value; ``path`` says in an error where it stands.

    Raises:
        InputError: the value cannot be stored.
    """
    _Check().value(value, (None, path), depth, len(path))


_Place: TypeAlias = "tuple[_Place, str] | None"
"""Where a value stands: its parent's place, and the step from there. Joined only for an error."""


def _path(place: _Place) -> str:
    steps: list[str] = []
    while place is not None:
        place, step = place
        steps.append(step)
    return "".join(reversed(steps)).removeprefix(".")


class _Check:
    """One check: everything once, and how long the names of all values are together."""

    def __init__(self) -> None:
        self._names = 0

    def value(self, value: object, place: _Place, depth: int, length: int) -> None:
        if isinstance(value, str):
            _check_text(value, place)
        elif isinstance(value, int):
            if not _LEAST <= value <= _MOST:
                raise InputError(f"{_path(place)}: {_too_large(value)} does not fit into 64 bits; pass it as a string")
        elif isinstance(value, datetime):
            _check_datetime(value, place)
        elif isinstance(value, dict):
            self.dict(value, place, depth, length)
        elif isinstance(value, list):
            _check_depth(place, depth)
            if _are_numbers(value):
                return
            for number, item in enumerate(value):
                self.value(item, (place, f"[{number}]"), depth - 1, length)
        elif value is not None and not isinstance(value, float | date):
            raise InputError(f"{_path(place)}: {_refused(value)}")

    def dict(self, value: Mapping[str, Any], place: _Place, depth: int, length: int) -> None:
        _check_depth(place, depth)
        for key, item in value.items():
            if not isinstance(key, str):
                raise InputError(f"{_path(place) or 'metadata'}: the key {key!r} is {_article(key)}, keys must be str")
            if not key.isascii():
                _check_text(key, (None, f"the key {key!r}"))
            if place is not None:
                self._count(length + 1 + len(key), place)
            self.value(item, (place, f".{key}"), depth - 1, length + 1 + len(key))

    def _count(self, length: int, place: _Place) -> None:
        self._names += length
        if self._names > MAX_NAMES:
            raise InputError(
                f"{_path(place)[:40]}…: the names of all values inside of others, keys joined by dots, have more than "
                f"{MAX_NAMES:,} characters together; shorten the keys, or pass the value as JSON text"
            )


def _too_large(value: int) -> str:
    """The integer as an error names it: not all digits of one that has thousands."""
    return f"the integer {value}" if value.bit_length() < 1000 else f"an integer of {value.bit_length():,} bits"


def _check_depth(place: _Place, depth: int) -> None:
    if depth <= 0:
        start = _path(place)[:40] or "metadata"
        raise InputError(f"{start}…: {_TOO_DEEP}, or one that contains itself")


def _check_text(text: str, place: _Place) -> None:
    if not text.isascii():
        check_encodable(text, _path(place))


def _check_datetime(value: datetime, place: _Place) -> None:
    if type(value) is not datetime and _plain_datetime(value) != value:
        raise InputError(
            f"{_path(place)}: {value!r} is finer than a datetime's microseconds; round it, or pass its text"
        )


def _plain_datetime(value: datetime) -> datetime | None:
    try:
        return datetime.combine(date(value.year, value.month, value.day), value.timetz())
    except (TypeError, ValueError):  # pandas.NaT is a datetime without a year
        return None


def _refused(value: object) -> str:
    kind = type(value)
    advice = _ADVICE.get(kind.__name__)
    if advice is None and kind.__module__ == "numpy":
        advice = "pass .tolist()" if hasattr(value, "__len__") else "pass .item()"
    return f"{_article(value)} cannot be stored ({_ALLOWED}){f'; {advice}' if advice else ''}"


def _article(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def dumps(metadata: Mapping[str, Any]) -> str:
    """JSON text, standard and in the order of the keys, which ``loads`` turns into the same metadata.

    Raises:
        InputError: a value that ``check`` refuses.
    """
    return json.dumps(encode(metadata), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def loads(text: str) -> dict[str, Any]:
    """What ``dumps`` was given.

    Raises:
        InputError: the text is not what ``dumps`` writes.
    """
    try:
        value = _DECODER.decode(text)
    except RecursionError as error:
        raise InputError(f"not metadata as late_rag writes it: {_TOO_DEEP}") from error
    except ValueError as error:
        raise InputError(f"not metadata as late_rag writes it: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"not metadata as late_rag writes it: {text[:80]!r}")
    return value


def same(one: Any, other: Any) -> bool:
    """Whether two values are stored alike: 1, 1.0 and True are equal to Python, and are not the same here."""
    return canonical_json(encode(one)) == canonical_json(encode(other))


def encode(value: Any) -> Any:
    """A value in the types that JSON has; :func:`decode` reads it back."""
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, Mapping):
        return {f"${key}" if key.startswith("$") else key: encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return list(value) if _are_numbers(value) else [encode(item) for item in value]
    if isinstance(value, datetime):
        return {"$datetime": _datetime_text(value)}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    raise InputError(_refused(value))


def decode(value: Any, depth: int = MAX_DEPTH + 1) -> Any:
    """What :func:`encode` was given; dates and datetimes that stand in it already stay as they are.

    Raises:
        InputError: a date, datetime or number behind ``$`` that cannot be read, an unknown ``$`` name, or lists and
            dicts nested too deep.
    """
    if not isinstance(value, Mapping | list | tuple):
        return value
    if depth < 0:
        raise InputError(_TOO_DEEP)
    if isinstance(value, Mapping):
        return _decoded({key: decode(item, depth - 1) for key, item in value.items()})
    return list(value) if _are_numbers(value) else [decode(item, depth - 1) for item in value]


def _are_numbers(values: Sequence[object]) -> bool:
    """Whether these are finite floats, such as the thousand of an embedding, which are stored as they are."""
    return set(map(type, values)) == {float} and all(map(math.isfinite, values))  # type: ignore[arg-type]  # floats


def _decoded(data: dict[Any, Any]) -> Any:
    """A dict whose values are decoded already: what it stands for."""
    marked = [key for key in data if isinstance(key, str) and key.startswith("$")]
    if not marked:
        return data
    if len(data) == 1 and marked[0] in _READ:
        return _tagged(marked[0], data[marked[0]])
    for key in marked:
        if not key.startswith("$$"):
            raise InputError(f"the key {key!r} must stand alone and be one of {', '.join(_READ)}; a literal $ is $$")
    return {key.removeprefix("$") if isinstance(key, str) else key: item for key, item in data.items()}


_DECODER = json.JSONDecoder(object_hook=_decoded)
"""One for all: ``json.loads`` would make another for each text, which takes longer than to read it."""


def _tagged(name: str, value: Any) -> Any:
    try:
        return _READ[name](value)
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{name}: {error}") from error


def _datetime_text(value: datetime) -> str:
    zone = getattr(value.tzinfo, "key", None)
    return f"{datetime.isoformat(value)}[{zone}]" if zone else datetime.isoformat(value)


def _read_datetime(text: str) -> datetime:
    """With its zone where that still has the offset that was written; else with the offset alone."""
    stamp, _, zone_name = text.rstrip("]").partition("[")
    fixed = datetime.fromisoformat(stamp)
    zone = _zone(zone_name) if zone_name else None
    if zone is not None:
        for fold in (0, 1):
            there = fixed.replace(tzinfo=zone, fold=fold)
            if there.utcoffset() == fixed.utcoffset():
                return there
    return fixed


def _zone(name: str) -> tzinfo | None:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones, a name that is too long
        return None


def fixed_offset(value: datetime) -> datetime:
    """The same wall clock and instant with a plain offset instead of a zone; naive ones as they are."""
    offset = value.utcoffset()
    plain = cast("datetime", _plain_datetime(value))
    return plain.replace(tzinfo=None if offset is None else timezone(offset), fold=0)


_READ: Mapping[str, Callable[[str], Any]] = {
    "$date": date.fromisoformat,
    "$datetime": _read_datetime,
    "$float": float,
}
