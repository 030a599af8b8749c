"""Metadata: which values there may be, and JSON that gives them back as they were.

JSON has no dates and no infinite numbers, so these are written as a dict with one key that starts with ``$``:
``{"$date": "2020-01-31"}``, ``{"$datetime": "2020-01-31T10:00:00+01:00"}`` (with ``[Europe/Berlin]`` behind it where
the value names a zone, as RFC 9557 writes it) and ``{"$float": "nan"}``. A key of the caller's that starts with ``$``
gets another one in front, so no metadata can be mistaken for these.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, timezone, tzinfo
from typing import Any, cast

from late_rag.errors import InputError
from late_rag.types import canonical_json

MAX_DEPTH = 100
"""Levels of lists and dicts inside each other."""

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
    _check_dict(metadata, "", MAX_DEPTH)


def check_value(value: object, path: str, depth: int = MAX_DEPTH) -> None:
    """The same for one value; ``path`` says in an error where it stands.

    Raises:
        InputError: the value cannot be stored.
    """
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, int):
        if not _LEAST <= value <= _MOST:
            raise InputError(f"{path}: the integer {value} does not fit into 64 bits; pass it as a string")
    elif isinstance(value, datetime):
        _check_datetime(value, path)
    elif isinstance(value, dict):
        _check_dict(value, path, depth)
    elif isinstance(value, list):
        _check_depth(path, depth)
        for place, item in enumerate(value):
            check_value(item, f"{path}[{place}]", depth - 1)
    elif value is not None and not isinstance(value, float | date):
        raise InputError(f"{path}: {_refused(value)}")


def _check_dict(value: Mapping[str, Any], path: str, depth: int) -> None:
    _check_depth(path, depth)
    for key, item in value.items():
        if not isinstance(key, str):
            raise InputError(f"{path or 'metadata'}: the key {key!r} is {_article(key)}, keys must be str")
        inner = f"{path}.{key}" if path else key
        _check_text(key, f"the key {key!r}")
        check_value(item, inner, depth - 1)


def _check_depth(path: str, depth: int) -> None:
    if depth <= 0:
        start = path[:40] or "metadata"
        raise InputError(f"{start}…: lists and dicts nested more than {MAX_DEPTH} deep, or one that contains itself")


def _check_text(text: str, path: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{path.encode(errors='replace').decode()}: a lone surrogate at character {error.start + 1}, which no "
            "UTF-8 text can hold; decode its bytes properly first"
        ) from None


def _check_datetime(value: datetime, path: str) -> None:
    if type(value) is not datetime and _plain_datetime(value) != value:
        raise InputError(f"{path}: {value!r} is finer than a datetime's microseconds; round it, or pass its text")


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
        value = json.loads(text, object_hook=_decoded)
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
        return [encode(item) for item in value]
    if isinstance(value, datetime):
        return {"$datetime": _datetime_text(value)}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    raise InputError(_refused(value))


def decode(value: Any) -> Any:
    """What :func:`encode` was given; dates and datetimes that stand in it already stay as they are.

    Raises:
        InputError: a date, datetime or number behind ``$`` that cannot be read, or an unknown ``$`` name.
    """
    if isinstance(value, Mapping):
        return _decoded({key: decode(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return [decode(item) for item in value]
    return value


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


def _tagged(name: str, value: Any) -> Any:
    try:
        return _READ[name](value)
    except (TypeError, ValueError) as error:
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
    except (ZoneInfoNotFoundError, ValueError):
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
