"""The operators of conditions: what they are called and what they can be given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from reprlib import Repr
from typing import Any, Literal

from late_rag.errors import FilterError, InputError
from late_rag.metadata import check_value, fixed_offset

Takes = Literal["value", "order", "list", "text", "nothing"]

PATTERN_LENGTH = 10_000
"""Characters of a pattern of ``like``; SQLite's own bound is 50,000 bytes."""

FIELD_LENGTH = 1_000
"""Characters of a field's name: each dot in it is one more reading of the name."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator: its name in the tree and in dicts, its spelling in texts, and what it takes."""

    name: str
    takes: Takes
    text: str


_TABLE: tuple[tuple[str, Takes, str], ...] = (
    ("==", "value", "=="),
    ("!=", "value", "!="),
    (">", "order", ">"),
    (">=", "order", ">="),
    ("<", "order", "<"),
    ("<=", "order", "<="),
    ("in", "list", "in"),
    ("not_in", "list", "not in"),
    ("contains", "value", "contains"),
    ("any", "list", "any"),
    ("all", "list", "all"),
    ("matches", "text", "matches"),
    ("imatches", "text", "imatches"),
    ("like", "text", "like"),
    ("exists", "nothing", "exists"),
    ("is_empty", "nothing", "is_empty"),
)

OPERATORS: Mapping[str, Operator] = {name: Operator(name, takes, text) for name, takes, text in _TABLE}

BUILT_IN: Mapping[str, str] = {
    "$id": "the chunk's id",
    "$document_id": "its document's id",
    "$text": "its text",
    "$source": "the location of the file it came from",
}
"""The fields that are not metadata. Their values are texts, and never times."""


def find(name: object) -> Operator:
    """The operator of that name.

    Raises:
        FilterError: there is none; names those that there are.
    """
    if isinstance(name, str) and name in OPERATORS:
        return OPERATORS[name]
    raise FilterError(f"unknown operator {shown(name)}; there are {', '.join(OPERATORS)}")


def shown(value: object) -> str:
    """A value as an error shows it: cut where it is long or deep."""
    try:
        return _shown.repr(value)
    except ValueError:  # Python writes no integer of thousands of digits
        return f"a {type(value).__name__}"


_shown = Repr()
_shown.maxstring = _shown.maxother = _shown.maxlong = 200
_shown.maxlist = _shown.maxtuple = _shown.maxdict = 10


def check_field(name: object) -> None:
    """Raises FilterError for what cannot name a field."""
    if not isinstance(name, str):
        raise FilterError(f"a field's name is a string, not {shown(name)}")
    if len(name) > FIELD_LENGTH:
        raise FilterError(f"a field's name has at most {FIELD_LENGTH:,} characters, {shown(name)} has {len(name):,}")
    if name.startswith("$") and not name.startswith("$$") and name not in BUILT_IN:
        known = ", ".join(BUILT_IN)
        raise FilterError(f"unknown field {name!r}; there are {known} (a metadata key that starts with $: ${name})")
    _check(name, f"the field name {name!r}")


def prepared(operator: Operator, value: Any, what: str) -> Any:
    """The value as the tree keeps it: a copy in plain types, datetimes with an offset instead of a zone.

    ``what`` is the field and operator, for errors.

    Raises:
        FilterError: the operator cannot be given such a value.
    """
    if operator.takes == "nothing":
        if value is not None:
            raise FilterError(f"{what} takes no value, got {shown(value)}")
        return None
    if operator.takes == "list":
        if not isinstance(value, list | tuple):
            raise FilterError(f"{what} takes a list, got {shown(value)}")
        return tuple(_plain(item, f"{what}: item {place}") for place, item in enumerate(value, 1))
    value = _plain(value, what)
    _TAKES[operator.takes](value, what)
    return value


def _check_order(value: Any, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, str | int | float | date):
        raise FilterError(f"{what} takes a number, a text, a date or a datetime, got {shown(value)}")


def _check_text(value: Any, what: str) -> None:
    if not isinstance(value, str):
        raise FilterError(f"{what} takes a text, got {shown(value)}")
    if what.endswith(" like") and len(value) > PATTERN_LENGTH:
        raise FilterError(f"{what} takes a pattern of at most {PATTERN_LENGTH:,} characters, got {len(value):,}")


def _check_any(value: Any, what: str) -> None:
    del value, what


_TAKES: Mapping[str, Callable[[Any, str], None]] = {"value": _check_any, "order": _check_order, "text": _check_text}


def _plain(value: Any, what: str) -> Any:
    _check(value, what)
    return _copied(value)


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return [_copied(item) for item in value]
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return fixed_offset(value) if isinstance(value, datetime) else value


def _check(value: Any, what: str) -> None:
    try:
        check_value(value, what)
    except InputError as error:
        raise FilterError(str(error)) from None
