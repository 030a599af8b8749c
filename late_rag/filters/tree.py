"""The tree that every filter is: conditions on fields, joined by and, or and not.

Nodes are values: frozen, hashable, equal where they say the same in the same order; they key caches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

from late_rag.errors import FilterError
from late_rag.filters.operators import check_field, find, prepared, shown
from late_rag.filters.writing import condition_text
from late_rag.metadata import encode
from late_rag.types import canonical_json

MAX_DEPTH = 20
"""Levels of and, or and not inside each other: the parser of SQLite has a stack of 100 (34 levels)."""

MAX_CONDITIONS = 500
"""Conditions in one filter, each value of ``all`` counted: an expression of SQLite may be 1,000 deep."""


MAX_SEARCHED = 50
"""Conditions in one filter that look for a part of a text (matches, imatches, like): each reads every text there is,
.4 µs for a chunk or more."""

_SEARCHING = frozenset({"matches", "imatches", "like"})


class Filter:
    """A condition on chunks, or several joined. Make one with :class:`F` or :func:`parse`."""

    def to_dict(self) -> dict[str, Any]:
        """The dict form, in JSON types; :func:`parse` reads it back."""
        raise NotImplementedError

    @property
    def operands(self) -> tuple[Filter, ...]:
        """The filters that this one joins; a condition joins none."""
        return ()

    @cached_property
    def _key(self) -> str:
        return canonical_json(self.to_dict())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Filter) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __and__(self, other: object) -> Filter:
        return And((self, _operand(other, "&")))

    def __or__(self, other: object) -> Filter:
        return Or((self, _operand(other, "|")))

    def __invert__(self) -> Filter:
        return Not(self)

    def __bool__(self) -> NoReturn:
        raise FilterError(
            "a filter is neither true nor false: join filters with & | ~ and parentheses instead of `and`, `or`, "
            "`not` and chained comparisons, and ask `filter is None` instead of `not filter`"
        )

    def __str__(self) -> str:
        """The text form; :func:`parse` reads it back."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"parse({str(self)!r})"


@dataclass(frozen=True, eq=False, repr=False)
class Condition(Filter):
    """One field, an operator of ``OPERATORS``, and the value it takes: ``year >= 2020``.

    The list of an operator that takes one is kept as a tuple.

    Raises:
        FilterError: an unknown field or operator, or a value that the operator cannot be given.
    """

    field: str
    operator: str
    value: Any = None

    def __post_init__(self) -> None:
        check_field(self.field)
        operator = find(self.operator)
        value = prepared(operator, self.value, f"{self.field} {operator.text}")
        object.__setattr__(self, "value", value)
        check_size(self)

    def to_dict(self) -> dict[str, Any]:
        condition = {"field": self.field, "op": self.operator}
        return condition if find(self.operator).takes == "nothing" else condition | {"value": encode(self.value)}

    def __str__(self) -> str:
        return condition_text(self.field, self.operator, self.value)


@dataclass(frozen=True, eq=False, repr=False)
class _Joined(Filter):
    """Several filters; those that join others in the same way are taken apart, so that the tree stays flat.

    With one filter alone it is equal to that filter.
    """

    filters: tuple[Filter, ...]

    def __post_init__(self) -> None:
        flat = tuple(_flattened(self, self.filters))
        if not flat:
            raise FilterError(f"{_NAMES[type(self)]!r} needs at least one filter to join")
        object.__setattr__(self, "filters", flat)
        check_size(self)

    @property
    def operands(self) -> tuple[Filter, ...]:
        return self.filters

    def to_dict(self) -> dict[str, Any]:
        filters = [operand.to_dict() for operand in self.filters]
        return {_NAMES[type(self)]: filters} if len(filters) > 1 else filters[0]

    def __str__(self) -> str:
        return f" {_NAMES[type(self)]} ".join(map(_inner_text, self.filters))


class And(_Joined):
    """All of them hold."""


class Or(_Joined):
    """At least one of them holds."""


@dataclass(frozen=True, eq=False, repr=False)
class Not(Filter):
    """It does not hold."""

    filter: Filter

    def __post_init__(self) -> None:
        object.__setattr__(self, "filter", _operand(self.filter, "not"))
        check_size(self)

    @property
    def operands(self) -> tuple[Filter, ...]:
        return (self.filter,)

    def to_dict(self) -> dict[str, Any]:
        return {"not": self.filter.to_dict()}

    def __str__(self) -> str:
        return f"not {_inner_text(self.filter)}"


_NAMES: dict[type[Filter], str] = {And: "and", Or: "or"}


def _inner_text(filter: Filter) -> str:  # noqa: A002
    return f"({filter})" if isinstance(filter, _Joined) else str(filter)


def _flattened(joined: _Joined, filters: Sequence[object]) -> Iterator[Filter]:
    for item in filters:
        operand = _operand(item, _NAMES[type(joined)])
        if type(operand) is type(joined):
            yield from operand.operands
        else:
            yield operand


def _operand(value: object, joiner: str) -> Filter:
    if isinstance(value, _Joined) and len(value.filters) == 1:
        return value.filters[0]
    if isinstance(value, Filter):
        return value
    raise FilterError(
        f"{joiner} joins filters, got {shown(value)}; put comparisons in parentheses: (F(…) == 1) & (F(…) > 2)"
    )


def check_size(filter: Filter) -> None:  # noqa: A002
    """Raises FilterError for a tree too deep or with too many conditions for an engine's query language."""
    depth, conditions, searched = _size(filter)
    if depth > MAX_DEPTH:
        raise FilterError(f"a filter may have {MAX_DEPTH} levels of and, or and not inside each other; it has {depth}")
    if conditions > MAX_CONDITIONS:
        raise FilterError(
            f"a filter may have {MAX_CONDITIONS} conditions, it has {conditions}; many values of one field go into `in`"
        )
    if searched > MAX_SEARCHED:
        raise FilterError(
            f"a filter may have {MAX_SEARCHED} conditions with matches, imatches or like, it has {searched}; each "
            "reads every text. Words of the text are what a search is for"
        )


def _size(filter: Filter) -> tuple[int, int, int]:  # noqa: A002
    """Levels, conditions, and how many of them look for a part of a text."""
    if isinstance(filter, Condition):
        return 1, len(filter.value) if filter.operator == "all" else 1, filter.operator in _SEARCHING
    depths, conditions, searched = zip(*map(_size, filter.operands), strict=True)
    return 1 + max(depths), sum(conditions), sum(searched)
