"""A filter as sets of row numbers: what each condition selects, and how the sets are joined."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from late_rag.collections.kit.facet_types import ELEMENT, Type, comparable_to, equal_to, stored
from late_rag.filters.fields import metadata_key
from late_rag.filters.tree import And, Condition, Filter, Not

SQL: TypeAlias = tuple[str, list[Any]]
"""A piece of SQL and the values of its parameters."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What at least one of these SELECTs gives: each one column ``row``, and a WHERE that ends in a conjunction."""

    selects: tuple[SQL, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """What is in all of them."""

    sets: tuple[RowSet, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """What is in at least one of them."""

    sets: tuple[RowSet, ...]


@dataclass(frozen=True, slots=True)
class Others:
    """All rows of the table ``chunks`` that are not in it."""

    of: RowSet


RowSet: TypeAlias = Rows | AllOf | AnyOf | Others


def row_set(filter: Filter) -> RowSet:  # noqa: A002
    """The rows that a filter means."""
    if isinstance(filter, Condition):
        return _of_condition(filter)
    if isinstance(filter, Not):
        inner = row_set(filter.filter)
        return inner.of if isinstance(inner, Others) else Others(inner)
    if isinstance(filter, And):
        return AllOf(tuple(_joined_bounds(filter.operands)))
    return AnyOf(tuple(map(row_set, filter.operands)))


def _joined_bounds(operands: Iterable[Filter]) -> Iterator[RowSet]:
    """A lower and an upper bound of one field are one search: two would each find most of the collection."""
    bounds: dict[tuple[str, tuple[Type, ...]], dict[str, Condition]] = {}
    for operand in operands:
        if not isinstance(operand, Condition) or operand.operator not in _SIGNS or operand.field in _COLUMNS:
            yield row_set(operand)
            continue
        types = tuple(sorted(kind for kind, _ in comparable_to(operand.value)))
        pair = bounds.setdefault((operand.field, types), {})
        if pair.setdefault(operand.operator[0], operand) is not operand:
            yield row_set(operand)
    for pair in bounds.values():
        yield Facet(metadata_key(next(iter(pair.values())).field)).between(list(pair.values()))


def _of_condition(condition: Condition) -> RowSet:
    name = condition.operator
    field: Facet | Column = _COLUMNS.get(condition.field) or Facet(metadata_key(condition.field))
    rows = _OPERATORS[_NEGATED.get(name, name)](field, condition.value)
    return Others(rows) if name in _NEGATED else rows


@dataclass(frozen=True, slots=True)
class Facet:
    """A field of the metadata."""

    key: str

    def _rows(self, tests: Iterable[SQL]) -> Rows:
        """Where one of the tests holds, each of which starts with the type, as the index does."""
        return Rows(
            tuple((f"SELECT row FROM facets WHERE key = ? AND {test}", [self.key, *values]) for test, values in tests)
        )

    def present(self) -> Rows:
        return self._rows([(f"type < {ELEMENT}", [])])

    def filled(self) -> Rows:
        """Neither missing nor null."""
        return self._rows([(f"type BETWEEN {Type.BOOL:d} AND {Type.DICT:d}", [])])

    def blank(self) -> Rows:
        """An empty text, list or dict."""
        empty = (typed for blank in _BLANK for typed in stored(blank))
        return self._rows((f"type = {kind:d} AND value = ?", [value]) for kind, value in empty)

    def equal(self, values: Iterable[Any], element: int = 0) -> Rows:
        """Equal to one of the values; with ELEMENT, a list with such an element."""
        by_type: dict[Type, list[Any]] = {}
        for value in values:
            for kind, given in equal_to(value):
                by_type.setdefault(kind, []).append(given)
        return self._rows(
            (f"type = {kind + element} AND value {test}", parameters)
            for kind, given in by_type.items()
            for test, parameters in _one_of(given)
        )

    def contains(self, values: Iterable[Any]) -> Rows:
        return self.equal(values, ELEMENT)

    def compared(self, sign: str, value: Any) -> Rows:
        return self._rows((f"type = {kind:d} AND value {sign} ?", [given]) for kind, given in comparable_to(value))

    def between(self, bounds: Sequence[Condition]) -> Rows:
        """Within bounds that are comparable to the same types, of which a value has one."""
        test = " AND ".join(f"value {bound.operator} ?" for bound in bounds)
        limits = [dict(comparable_to(bound.value)) for bound in bounds]
        return self._rows((f"type = {kind:d} AND {test}", [limit[kind] for limit in limits]) for kind in limits[0])

    def text(self, test: str, value: str) -> Rows:
        types = f"{Type.TEXT:d}, {Type.TIME_TEXT:d}"
        return self._rows([(f"type IN ({types}) AND {test.format('value')}", [value])])

    def lists(self) -> Rows:
        return self._rows([(f"type = {Type.LIST:d}", [])])


@dataclass(frozen=True, slots=True)
class Column:
    """A field that is a text in a column: never a time, never a list."""

    name: str
    select: str = "SELECT row FROM chunks WHERE {}"

    def _rows(self, test: str, *values: Any) -> Rows:
        return Rows(((self.select.format(test), list(values)),))

    def present(self) -> Rows:
        return self._rows(f"{self.name} IS NOT NULL")

    filled = present

    def blank(self) -> Rows:
        return self._rows(f"{self.name} = ''")

    def equal(self, values: Iterable[Any]) -> Rows:
        tests = _one_of([value for value in values if isinstance(value, str)])
        return Rows(tuple((self.select.format(f"{self.name} {test}"), parameters) for test, parameters in tests))

    def contains(self, values: Iterable[Any]) -> Rows:
        del values
        return _NONE

    def compared(self, sign: str, value: Any) -> Rows:
        return self._rows(f"{self.name} {sign} ?", value) if isinstance(value, str) else _NONE

    def text(self, test: str, value: str) -> Rows:
        return self._rows(test.format(self.name), value)

    def lists(self) -> Rows:
        return _NONE


_NONE = Rows(())

_BLANK: tuple[Any, ...] = ("", [], {})

_COLUMNS: Mapping[str, Column] = {
    "$id": Column("id"),
    "$document_id": Column("document_id"),
    "$text": Column("text"),
    "$source": Column("location", "SELECT row FROM chunks WHERE source_id IN (SELECT id FROM sources WHERE {})"),
}


def _one_of(values: list[Any]) -> Iterator[SQL]:
    """Tests of being one of many values, in one or two parameters.

    SQLite reads JSON as Python does, but for texts with NUL, which end there for it, and the last digit of a float.
    """
    if len(values) == 1:
        yield "= ?", values
        return
    plain = [value for value in values if isinstance(value, int) or (isinstance(value, str) and "\0" not in value)]
    if plain:
        yield "IN (SELECT value FROM json_each(?))", [json.dumps(plain, ensure_ascii=False)]
    if len(plain) < len(values):
        odd = [json.dumps(value) for value in values if isinstance(value, float) or "\0" in str(value)]
        yield "IN (SELECT late_rag_json(value) FROM json_each(?))", [json.dumps(odd)]


def _equal(field: Facet | Column, value: Any) -> RowSet:
    return Others(field.filled()) if value is None else field.equal([value])


def _in(field: Facet | Column, values: tuple[Any, ...]) -> RowSet:
    given = field.equal([value for value in values if value is not None])
    return AnyOf((given, Others(field.filled()))) if None in values else given


def _all(field: Facet | Column, values: tuple[Any, ...]) -> RowSet:
    return AllOf((field.lists(), *(field.contains([value]) for value in values)))


def _compared(sign: str) -> Callable[[Facet | Column, Any], RowSet]:
    return lambda field, value: field.compared(sign, value)


def _text(test: str) -> Callable[[Facet | Column, Any], RowSet]:
    return lambda field, value: field.text(test, value)


_SIGNS = (">", ">=", "<", "<=")

_NEGATED: Mapping[str, str] = {"!=": "==", "not_in": "in"}

_OPERATORS: Mapping[str, Callable[[Facet | Column, Any], RowSet]] = {
    "==": _equal,
    **{sign: _compared(sign) for sign in _SIGNS},
    "in": _in,
    "contains": lambda field, value: field.contains([value]),
    "any": lambda field, values: field.contains(values),
    "all": _all,
    "matches": _text("instr({}, ?) > 0"),
    "imatches": _text("late_rag_imatches({}, ?)"),
    "like": _text("late_rag_like({}, ?)"),
    "exists": lambda field, _: field.present(),
    "is_empty": lambda field, _: AnyOf((Others(field.filled()), field.blank())),
}
