"""Structured queries, as a language model writes them for ``SelfQueryRetriever``, to the core's filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.structured_query import Comparator, Comparison, Operation, Operator, StructuredQuery, Visitor

from late_rag.adapters import And, Condition, Filter, FilterError, Not, Or

_SAME: Mapping[Comparator, str] = {
    Comparator.EQ: "==",
    Comparator.NE: "!=",
    Comparator.GT: ">",
    Comparator.GTE: ">=",
    Comparator.LT: "<",
    Comparator.LTE: "<=",
    Comparator.IN: "in",
    Comparator.NIN: "not_in",
}


class LateInteractionTranslator(Visitor):
    """Gives ``SelfQueryRetriever`` the ``filter`` of :class:`LateInteractionVectorStore`: pass one as its
    ``structured_query_translator``.

    ``contain`` holds of a list with that element and of a text with that part; ``like`` of a text of that pattern
    (``%`` is any run of characters, ``_`` any one), or with that part where the value has neither sign. A value that
    ``in`` or ``nin`` gets alone is a list of one.
    """

    allowed_comparators = tuple(Comparator)
    allowed_operators = tuple(Operator)

    def visit_structured_query(self, structured_query: StructuredQuery) -> tuple[str, dict[str, Any]]:
        """The text to search for, and the keyword arguments of the search.

        Raises:
            FilterError: a condition that the core has not.
        """
        if structured_query.filter is None:
            return structured_query.query, {}
        return structured_query.query, {"filter": structured_query.filter.accept(self)}

    def visit_operation(self, operation: Operation) -> Filter:
        """Conditions, joined; ``not`` of several holds where not all of them do."""
        self._validate_func(operation.operator)
        filters = tuple(argument.accept(self) for argument in operation.arguments)
        joined = Or(filters) if operation.operator is Operator.OR else And(filters)
        return Not(joined) if operation.operator is Operator.NOT else joined

    def visit_comparison(self, comparison: Comparison) -> Filter:
        """One condition."""
        self._validate_func(comparison.comparator)
        field, value = comparison.attribute, _plain(comparison.value)
        if comparison.comparator is Comparator.CONTAIN:
            return _contain(field, value)
        if comparison.comparator is Comparator.LIKE:
            return _like(field, value)
        if comparison.comparator in (Comparator.IN, Comparator.NIN) and not isinstance(value, list | tuple):
            value = [value]
        return Condition(field, _SAME[comparison.comparator], value)


def _plain(value: Any) -> Any:
    """What ``langchain_classic`` writes as ``{"date": "2020-01-31", "type": "date"}`` is that date, as a text."""
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping) and value.get("type") in ("date", "datetime"):
        return value[value["type"]]
    return value


def _contain(field: str, value: Any) -> Filter:
    element = Condition(field, "contains", value)
    return Or((element, Condition(field, "matches", value))) if isinstance(value, str) else element


def _like(field: str, value: Any) -> Filter:
    if not isinstance(value, str):
        raise FilterError(f"{field} like takes a text, got {value!r}")
    return Condition(field, "like" if "%" in value or "_" in value else "matches", value)
