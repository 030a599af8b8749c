"""Filters as LangChain's stores take them, to the core's.

Beside all that :func:`late_rag.filters.parse` reads, a dict may be

- ``{"year": 2020, "lang": "en"}``: each field equals its value;
- ``{"year": {"$gte": 2020, "$lt": 2024}}``: operators of :data:`OPERATORS`, all of which must hold;
- ``{"$or": [{"year": 2020}, {"lang": {"$in": ["en", "de"]}}]}``: joined by ``$and``, ``$or``, ``$nor`` or ``$not``.

The forms may stand inside each other. Fields are named as the core names them: dots descend into dicts, ``$id``,
``$document_id``, ``$text`` and ``$source`` are no metadata. Keys ``and``, ``or`` and ``not`` join, so a field of such
a name is compared in the core's form: ``{"field": "not", "op": "==", "value": 1}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from late_rag.adapters import BUILT_IN, FILTER_DEPTH, And, Condition, Filter, FilterError, Not, Or, parse

FilterLike: TypeAlias = Filter | Mapping[str, Any] | str
"""A filter of the core, its text or its dict form, or a dict as LangChain's stores take it."""

_CORE_KEYS = frozenset({"field", "op", "value"})
_Make: TypeAlias = Callable[[str, Any], Filter]
_Joiner: TypeAlias = Callable[[str, Any, int], Filter]


def to_filter(value: FilterLike | None) -> Filter | None:
    """The core's filter for whatever a store was given; None restricts nothing.

    Raises:
        FilterError: an unknown operator, or what no filter can be; an empty dict too, lest what was to restrict a
            search lets everything through.
    """
    if value is None:
        return None
    return _read(value, FILTER_DEPTH) if isinstance(value, Mapping) else parse(value)


def _read(value: Any, depth: int) -> Filter:
    if isinstance(value, Filter):
        return value
    if not isinstance(value, Mapping) or not value:
        raise FilterError(f"expected a filter as a dict with at least one key, got {value!r}")
    if depth <= 0:
        raise FilterError(f"a filter may have {FILTER_DEPTH} levels of and, or and not inside each other")
    if len(value) > 1 and "field" in value and value.keys() <= _CORE_KEYS:
        return parse(value)
    return _all([_entry(key, inner, depth - 1) for key, inner in value.items()])


def _entry(key: Any, value: Any, depth: int) -> Filter:
    if isinstance(key, str) and key in _JOINERS:
        return _JOINERS[key](key, value, depth)
    if isinstance(key, str) and key.startswith("$") and not key.startswith("$$") and key not in BUILT_IN:
        raise FilterError(f"unknown operator {key!r}; there are {_listed(_JOINERS)}, and after a field {_known()}")
    return _all(list(_conditions(key, value, depth)))


def _conditions(field: str, value: Any, depth: int) -> Iterator[Filter]:
    if isinstance(value, list | tuple | set | frozenset):
        raise FilterError(
            f'{field}: a list alone may mean two things; write {{"$in": […]}} for one of its values, {{"$eq": […]}} '
            f"for this very list, got {value!r}"
        )
    if not isinstance(value, Mapping) or not any(str(key).startswith("$") for key in value):
        yield _equals(field, value)
        return
    for name, operand in value.items():
        if name == "$not":
            yield Not(_negated(field, operand, depth))
        elif name in OPERATORS:
            yield OPERATORS[name](field, operand)
        else:
            raise FilterError(f"{field}: unknown operator {name!r}; there are {_known()}")


def _equals(field: str, value: Any) -> Filter:
    if isinstance(value, Mapping) and value and all(f"${name}" in OPERATORS for name in value):
        raise FilterError(
            f'{field}: operators start with $: {_listed(f"${name}" for name in value)}; write {{"$eq": …}} for a dict '
            f"with such keys, got {value!r}"
        )
    if value == {} or _has_operators(value):
        raise FilterError(
            f'{field}: write a dotted name for a field below, as in "{field}.x", and {{"$eq": …}} for a dict as it is, '
            f"got {value!r}"
        )
    return Condition(field, "==", value)


def _has_operators(value: Any) -> bool:
    """Whether an operator stands somewhere in a dict that was taken for a value."""
    if not isinstance(value, Mapping):
        return False
    return any(str(key).startswith("$") or _has_operators(inner) for key, inner in value.items())


def _negated(field: str, value: Any, depth: int) -> Filter:
    if not isinstance(value, Mapping) or not value:
        raise FilterError(f"{field} $not takes a dict of operators, got {value!r}")
    if depth <= 0:
        raise FilterError(f"a filter may have {FILTER_DEPTH} levels of and, or and not inside each other")
    return _all(list(_conditions(field, value, depth - 1)))


def _all(filters: Sequence[Filter]) -> Filter:
    return filters[0] if len(filters) == 1 else And(tuple(filters))


def _several(name: str, value: Any, depth: int) -> tuple[Filter, ...]:
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence) or not value:
        raise FilterError(f"{name!r} takes a list of at least one filter, got {value!r}")
    return tuple(_read(item, depth) for item in value)


def _and(name: str, value: Any, depth: int) -> Filter:
    return _all(_several(name, value, depth))


def _or(name: str, value: Any, depth: int) -> Filter:
    filters = _several(name, value, depth)
    return filters[0] if len(filters) == 1 else Or(filters)


_JOINERS: Mapping[str, _Joiner] = {
    **dict.fromkeys(("$and", "and"), _and),
    **dict.fromkeys(("$or", "or"), _or),
    **dict.fromkeys(("$not", "not"), lambda _, value, depth: Not(_read(value, depth))),
    "$nor": lambda name, value, depth: Not(_or(name, value, depth)),
}


def _compares(operator: str) -> _Make:
    return lambda field, value: Condition(field, operator, value)


def _whether(operator: str, name: str) -> _Make:
    def make(field: str, value: Any) -> Filter:
        if not isinstance(value, bool):
            raise FilterError(f"{field} {name} takes true or false, got {value!r}")
        condition = Condition(field, operator)
        return condition if value else Not(condition)

    return make


def _between(field: str, value: Any) -> Filter:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise FilterError(f"{field} $between takes a list of the least and the greatest value, got {value!r}")
    return And((Condition(field, ">=", value[0]), Condition(field, "<=", value[1])))


OPERATORS: Mapping[str, _Make] = {
    "$eq": _compares("=="),
    "$ne": _compares("!="),
    "$gt": _compares(">"),
    "$gte": _compares(">="),
    "$lt": _compares("<"),
    "$lte": _compares("<="),
    "$in": _compares("in"),
    "$nin": _compares("not_in"),
    "$between": _between,
    "$contains": _compares("contains"),
    "$any": _compares("any"),
    "$all": _compares("all"),
    "$matches": _compares("matches"),
    "$imatches": _compares("imatches"),
    "$like": _compares("like"),
    "$exists": _whether("exists", "$exists"),
    "$is_empty": _whether("is_empty", "$is_empty"),
}
"""What may stand after a field, beside ``$not``, which takes a dict of these. They mean what the core's operators of
these names do; ``$between`` includes both ends, ``$exists`` and ``$is_empty`` take true or false."""


def _known() -> str:
    return _listed([*OPERATORS, "$not"])


def _listed(names: Any) -> str:
    return ", ".join(names)
