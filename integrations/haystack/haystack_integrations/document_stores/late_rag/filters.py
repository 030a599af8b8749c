"""Haystack's filters to the core's, which the collection answers from its indexes.

A condition is ``{"field": "meta.year", "operator": ">=", "value": 2020}``; conditions are joined by ``{"operator":
"AND", "conditions": […]}``, ``"OR"`` or ``"NOT"`` (not all of them). They mean what
``haystack.utils.filters.document_matches_filter`` says, but that

- what is wrong with a filter is said whatever documents there are: ``<`` and the like take numbers and times (datetimes
  and ISO 8601 texts), and a document whose value is of another kind than the filter's does not match;
- a time is ``2020-01-31`` or ``2020-01-31T10:30`` with seconds, fractions and an offset or ``Z``, and no other
  spelling; a date is its first moment;
- a bool is a number (``True == 1``), but not inside of a list or dict;
- the text of a document without content is empty: ``None`` and ``""`` are one to a filter on ``content``;
- the collection's own fields can be filtered as well: ``$source``, the file that a passage came from, and
  ``$document_id``;
- ``content`` and ``id`` have no order, and ``embedding``, ``sparse_embedding``, ``blob`` and ``meta`` as a whole cannot
  be filtered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from functools import lru_cache, partial
from reprlib import repr as shown  # also of what is nested deep
from typing import Any, TypeAlias

from haystack_integrations.document_stores.late_rag.errors import FilterError
from late_rag.adapters import BUILT_IN, FILTER_DEPTH, And, Condition, Filter, Not, Or, is_number, read_datetime
from late_rag.adapters import FilterError as CoreFilterError

logger = logging.getLogger(__name__)

NOTHING = Condition("$id", "in", ())
EVERYTHING = Condition("$id", "not_in", ())

_Make: TypeAlias = Callable[[str, Any], Filter]

_TEXTS = {"id": "$id", "content": "$text", "$id": "$id", "$text": "$text"}
"""What every document has, and what the collection calls it."""

_NO_FIELDS = ("embedding", "sparse_embedding", "blob", "meta")
_COMPARE: Mapping[str, Callable[[int, Any], bool]] = {
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
}


def to_filter(filters: Mapping[str, Any] | None) -> Filter | None:
    """The core's filter; None for None and for an empty dict, which restrict nothing.

    Raises:
        FilterError: it cannot be read; of the core's kind and of Haystack's.
    """
    if filters is None or filters == {}:
        return None
    try:
        return _read(filters, FILTER_DEPTH)
    except FilterError:
        raise
    except CoreFilterError as error:
        raise FilterError(str(error)) from error


def field_name(name: str) -> str:
    """The core's name of a field of the metadata, with or without ``meta.`` in front, or of one of its own.

    Its own are ``$source``, the file that a passage came from, ``$document_id``, and others of
    :data:`late_rag.filters.BUILT_IN`; a key of the metadata that is called so is ``meta.$source``.
    """
    if not isinstance(name, str):
        raise FilterError(f"the name of a field must be a text, not {name!r:.80}")
    if name in BUILT_IN:
        return name
    name = name.removeprefix("meta.")
    return f"${name}" if name.startswith("$") else name


def _read(given: Any, depth: int) -> Filter:
    if not isinstance(given, Mapping):
        raise FilterError(f"expected a filter as a dict, got {given!r}")
    if depth <= 0:
        raise FilterError(f"a filter may have {FILTER_DEPTH} levels of AND, OR and NOT inside each other")
    return _condition(given) if "field" in given else _joined(given, depth)


def _joined(given: Mapping[str, Any], depth: int) -> Filter:
    _needs(given, "operator", "conditions")
    join = _JOIN[_known(_JOIN, given["operator"], "logical operator")]
    conditions = given["conditions"]
    if isinstance(conditions, str | Mapping) or not isinstance(conditions, Sequence):
        raise FilterError(f"'conditions' takes a list of filters, got {conditions!r}")
    return join([_read(condition, depth - 1) for condition in conditions])


def _all(filters: Sequence[Filter]) -> Filter:
    return And(tuple(filters)) if filters else EVERYTHING


def _any(filters: Sequence[Filter]) -> Filter:
    return Or(tuple(filters)) if filters else NOTHING


_JOIN: Mapping[str, Callable[[Sequence[Filter]], Filter]] = {
    "AND": _all,
    "OR": _any,
    "NOT": lambda filters: Not(_all(filters)),
}


def _condition(given: Mapping[str, Any]) -> Filter:
    _needs(given, "operator", "value")
    field, value = given["field"], given["value"]
    operator = _known(_OPERATORS, given["operator"], "comparison operator")
    make = _OPERATORS[operator]
    if not isinstance(field, str):
        raise FilterError(f"'field' takes the name of a field, got {field!r}")
    if field in _NO_FIELDS:
        raise FilterError(f"the field {field!r} cannot be filtered; give a field of the metadata, content or id")
    if field in _TEXTS:
        return _of_text(_TEXTS[field], operator, value)
    if _is_missing(field):
        return EVERYTHING if _matches_none(make(field_name(field), value), operator, value) else NOTHING
    return make(field_name(field), value)


def _is_missing(field: str) -> bool:
    """Whether a field is missing in every document: a score, which is not stored, and, as Haystack takes it, what has
    dots but no ``meta.`` in front.
    """
    if "." in field and not field.startswith("meta."):
        _warn(field)
        return True
    return field == "score"


@lru_cache(maxsize=100)
def _warn(field: str) -> None:
    """Says it once for each field."""
    logger.warning("the field %r is missing in every document; did you mean 'meta.%s'?", field, field)


def _matches_none(checked: Filter, operator: str, value: Any) -> bool:
    """Whether a condition that could be made holds where the field is missing."""
    del checked
    if operator in ("in", "not in"):
        return (None in value) == (operator == "in")
    return operator in ("==", "!=") and (value is None) == (operator == "==")


def _of_text(field: str, operator: str, value: Any) -> Filter:
    """A condition on a text that every document has."""
    if operator not in _COMPARE:
        return _OPERATORS[operator](field, [_text(item) for item in value] if isinstance(value, list) else _text(value))
    if value is None:
        return NOTHING
    raise FilterError(f"{operator}: a document's id and content are in no order here; compare a field of its metadata")


def _text(value: Any) -> Any:
    return "" if value is None else value


def _equal(field: str, value: Any) -> Filter:
    same = _same(value)
    return Condition(field, "==", value) if len(same) == 1 else Condition(field, "in", same)


def _listed(operator: str, field: str, value: Any) -> Filter:
    if not isinstance(value, list):
        raise FilterError(f"{field} {operator} takes a list, got {shown(value)}")
    return Condition(field, operator.replace(" ", "_"), [same for item in value for same in _same(item)])


def _same(value: Any) -> list[Any]:
    """All values that are equal to this one in Python, where a bool is a number."""
    if isinstance(value, bool):
        return [value, int(value)]
    return [value, bool(value)] if is_number(value) and value in (0, 1) else [value]


def _ordered(operator: str, field: str, value: Any) -> Filter:
    if value is None:
        return NOTHING
    if isinstance(value, bool | int | float):
        return _numbers(operator, field, value)
    return Condition(field, operator, _time(operator, field, value))


def _numbers(operator: str, field: str, value: float) -> Filter:
    """Numbers in this order, and bools, which are 0 and 1."""
    number = int(value) if isinstance(value, bool) else value
    bools = [flag for flag in (False, True) if _COMPARE[operator](flag, number)]
    numbers = Condition(field, operator, number)
    return Or((numbers, Condition(field, "in", bools))) if bools else numbers


def _time(operator: str, field: str, value: Any) -> datetime:
    """The filter's value as a datetime, which only times are compared with."""
    if isinstance(value, date):
        return value if isinstance(value, datetime) else datetime.combine(value, time())
    moment = read_datetime(value) if isinstance(value, str) else None
    if moment is None:
        raise FilterError(
            f"{field} {operator} takes a number, a datetime or an ISO 8601 text such as '2020-01-31T10:30:00', "
            f"got {shown(value)}"
        )
    return moment


_OPERATORS: Mapping[str, _Make] = {
    "==": _equal,
    "!=": lambda field, value: Condition(field, "not_in", _same(value)),
    "in": partial(_listed, "in"),
    "not in": partial(_listed, "not in"),
    **{operator: partial(_ordered, operator) for operator in _COMPARE},
}


def _known(table: Mapping[str, Any], name: Any, what: str) -> str:
    if isinstance(name, str) and name in table:
        return name
    raise FilterError(f"unknown {what} {name!r}; there are {', '.join(table)}")


def _needs(given: Mapping[str, Any], *keys: str) -> None:
    for key in keys:
        if key not in given:
            raise FilterError(f"'{key}' key missing in {dict(given)}")
