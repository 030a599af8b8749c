"""The filter language: one small tree, written as text, as a dict, or in Python.

    parse('year >= 2020 and not (lang in ["en", "de"])')
    parse({"and": [{"field": "year", "op": ">=", "value": 2020}, {"field": "tags", "op": "exists"}]})
    (F("year") >= 2020) & ~F("lang").in_(["en", "de"])

All three give the same :class:`Filter`. :func:`matches` says what it means, chunk by chunk; engines translate the tree
into their own queries and are measured against it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.lazy import lazy_names

if TYPE_CHECKING:
    from late_rag.filters.builder import F
    from late_rag.filters.operators import BUILT_IN, OPERATORS
    from late_rag.filters.parsing import parse
    from late_rag.filters.predicate import matches
    from late_rag.filters.tree import And, Condition, Filter, Not, Or

__all__ = ["BUILT_IN", "OPERATORS", "And", "Condition", "F", "Filter", "Not", "Or", "matches", "parse"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "BUILT_IN": "late_rag.filters.operators",
        "F": "late_rag.filters.builder",
        "OPERATORS": "late_rag.filters.operators",
        "And": "late_rag.filters.tree",
        "Condition": "late_rag.filters.tree",
        "Filter": "late_rag.filters.tree",
        "Not": "late_rag.filters.tree",
        "Or": "late_rag.filters.tree",
        "matches": "late_rag.filters.predicate",
        "parse": "late_rag.filters.parsing",
    },
)
