"""LlamaIndex's metadata filters to the core's, which the collection itself answers.

They mean what LlamaIndex's own in-memory store makes of them:

- a field that is missing or None matches ``!=``, ``nin`` and ``is_empty`` alone;
- 1 and 0 stand for true and false as well, as no ``MetadataFilter`` can hold a bool;
- ``contains``, ``any`` and ``all`` look for elements in a list, and for parts in a text;
- ``not`` holds where none of its filters does; an empty list of filters restricts nothing.

Keys name metadata fields. Beyond that store, dots descend into dicts, ``$id``, ``$document_id``, ``$text`` and
``$source`` are no metadata (a metadata field of such a name is ``$$id``, as in the core), times compare as times, case
is folded as Unicode says, and filters nest. Where that store fails on a value of another kind than the filter's, such a
value is no match here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from late_rag.adapters import BUILT_IN, FILTER_DEPTH, And, Condition, Filter, FilterError, Not, Or, parse

FilterLike: TypeAlias = MetadataFilters | MetadataFilter | Filter | Mapping[str, Any] | str
"""LlamaIndex's filters, or a filter of the core as :func:`late_rag.filters.parse` reads it."""

_NOTHING = Condition("$id", "in", [])
_EVERYTHING = Not(_NOTHING)

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def to_filter(value: FilterLike | None) -> Filter | None:
    """The core's filter for whatever a component was given; None and an empty ``MetadataFilters`` restrict nothing.

    Raises:
        FilterError: a value that the operator cannot be given, or what no filter can be.
    """
    if value is None or (isinstance(value, MetadataFilters) and not value.filters):
        return None
    if isinstance(value, MetadataFilters | MetadataFilter):
        return _read(value, FILTER_DEPTH)
    return parse(value)


def _read(value: MetadataFilters | MetadataFilter, depth: int) -> Filter:
    if isinstance(value, MetadataFilter):
        return _OPERATORS[value.operator](_field(value.key), value.value)
    if depth <= 0:
        raise FilterError(f"a filter may have {FILTER_DEPTH} levels of and, or and not inside each other")
    if not value.filters:
        return _EVERYTHING
    filters = tuple(_read(inner, depth - 1) for inner in value.filters)
    if value.condition is FilterCondition.NOT:
        return Not(Or(filters))
    return Or(filters) if value.condition is FilterCondition.OR else And(filters)


def _field(key: str) -> str:
    """The core's name of a field; a ``$`` at the start of a metadata field's is doubled, where that is not done yet."""
    return f"${key}" if key.startswith("$") and key not in BUILT_IN and key[1:] not in BUILT_IN else key


def _alike(value: Any) -> list[Any]:
    """The value, and the bool that Python takes for equal to it."""
    return [value, bool(value)] if isinstance(value, int | float) and value in (0, 1) else [value]


def _all_alike(field: str, name: FilterOperator, values: Any) -> list[Any]:
    if not isinstance(values, list):
        raise FilterError(f"{field} {name.value} takes a list, got {values!r}")
    return [alike for value in values for alike in _alike(value)]


def _equals(field: str, value: Any) -> Filter:
    return _NOTHING if value is None else Condition(field, "in", _alike(value))


def _compares(name: str) -> Callable[[str, Any], Filter]:
    def make(field: str, value: Any) -> Filter:
        plain = Condition(field, name, value)
        bools = [] if isinstance(value, str) else [flag for flag in (False, True) if _ORDER[name](flag, value)]
        return Or((plain, Condition(field, "in", bools))) if bools else plain

    return make


def _among(field: str, values: Any) -> Filter:
    return Condition(field, "in", _all_alike(field, FilterOperator.IN, values))


def _not_among(field: str, values: Any) -> Filter:
    return Condition(field, "not_in", _all_alike(field, FilterOperator.NIN, values))


def _any(field: str, values: Any) -> Filter:
    found = Condition(field, "any", _all_alike(field, FilterOperator.ANY, values))
    return Or((found, *_parts(field, values)))


def _all(field: str, values: Any) -> Filter:
    _all_alike(field, FilterOperator.ALL, values)
    return And((Condition(field, "!=", None), *(_any(field, [value]) for value in values)))


def _parts(field: str, values: Iterable[Any]) -> Iterable[Filter]:
    return (Condition(field, "matches", value) for value in values if isinstance(value, str))


_OPERATORS: Mapping[FilterOperator, Callable[[str, Any], Filter]] = {
    FilterOperator.EQ: _equals,
    FilterOperator.NE: lambda field, value: Not(_equals(field, value)),
    **{FilterOperator(name): _compares(name) for name in _ORDER},
    FilterOperator.IN: _among,
    FilterOperator.NIN: _not_among,
    FilterOperator.ANY: _any,
    FilterOperator.ALL: _all,
    FilterOperator.CONTAINS: lambda field, value: _any(field, [value]),
    FilterOperator.TEXT_MATCH: lambda field, value: Condition(field, "matches", value),
    FilterOperator.TEXT_MATCH_INSENSITIVE: lambda field, value: Condition(field, "imatches", value),
    FilterOperator.IS_EMPTY: lambda field, _: Condition(field, "in", [None, "", []]),
}
