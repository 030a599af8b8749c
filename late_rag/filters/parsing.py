"""From whatever a filter is given as to the tree; the dict form is read here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from late_rag.errors import FilterError, InputError
from late_rag.filters.operators import check_field, find, shown
from late_rag.filters.reading import read
from late_rag.filters.tree import MAX_DEPTH, And, Condition, Filter, Not, Or
from late_rag.metadata import decode

_KEYS = ("field", "op", "value")

_LONGEST_KEPT = 1000
"""The characters of a text whose tree is kept for the next time: a component reads its own at every search."""


def parse(value: Filter | Mapping[str, Any] | str) -> Filter:
    """The filter that is meant.

    Args:
        value: a filter; a text such as ``'year >= 2020 and topic == "x"'``; or a dict such as
            ``{"and": [{"field": "year", "op": ">=", "value": 2020}, …]}``, as ``Filter.to_dict`` makes it.

    Raises:
        FilterError: it cannot be read; says where, and what there could be.
    """
    if isinstance(value, Filter):
        return value
    if isinstance(value, str):
        return _kept(value) if len(value) <= _LONGEST_KEPT else read(value)
    if isinstance(value, Mapping):
        return _from_dict(value, MAX_DEPTH)
    raise FilterError(f"a filter is a text, a dict, or made with F(…), not {shown(value)}")


@lru_cache(maxsize=128)
def _kept(text: str) -> Filter:
    return read(text)


def _from_dict(data: Any, depth: int) -> Filter:
    if isinstance(data, Filter):
        return data
    if not isinstance(data, Mapping):
        raise FilterError(f"expected a filter as a dict, got {shown(data)}")
    if depth <= 0:
        raise FilterError(f"a filter may have {MAX_DEPTH} levels of and, or and not inside each other")
    if len(data) == 1:
        ((name, inner),) = data.items()
        if name in _JOINERS:
            return _JOINERS[name](inner, depth - 1)
    return _condition(data)


def _condition(data: Mapping[str, Any]) -> Filter:
    unknown = [key for key in data if key not in _KEYS]
    if unknown or "field" not in data or "op" not in data:
        raise FilterError(
            f'a filter dict is {{"and": […]}}, {{"or": […]}}, {{"not": {{…}}}} or has the keys "field", "op" and '
            f'"value"; got the keys {", ".join(map(shown, list(data)[:10])) or "of an empty dict"}'
        )
    field, operator = data["field"], find(data["op"])
    check_field(field)
    if "value" not in data and operator.takes != "nothing":
        raise FilterError(f'{field} {operator.text}: the key "value" is missing')
    try:
        value = decode(data.get("value"))
    except InputError as error:
        raise FilterError(f"{field} {operator.text}: {error}") from None
    return Condition(field, operator.name, value)


def _several(filters: Any, name: str, depth: int) -> tuple[Filter, ...]:
    if isinstance(filters, str) or not isinstance(filters, Sequence):
        raise FilterError(f"{name!r} takes a list of filters, got {shown(filters)}")
    return tuple(_from_dict(item, depth) for item in filters)


_JOINERS: Mapping[str, Callable[[Any, int], Filter]] = {
    "and": lambda inner, depth: And(_several(inner, "and", depth)),
    "or": lambda inner, depth: Or(_several(inner, "or", depth)),
    "not": lambda inner, depth: Not(_from_dict(inner, depth)),
}
