"""Filters that say the same of everything."""

from __future__ import annotations

from late_rag.filters.tree import And, Condition, Filter, Not, Or


def constant(given: Filter) -> bool | None:
    """Whether a filter matches everything (True) or nothing (False), where its form alone tells; else None.

    ``in`` an empty list is nothing and ``not_in`` everything; the rest follows by ``and``, ``or`` and ``not``. What
    only values tell, such as ``x == 1 or x != 1``, is None.
    """
    if isinstance(given, Not):
        inner = constant(given.filter)
        return None if inner is None else not inner
    if isinstance(given, And | Or):
        decisive = isinstance(given, Or)
        parts = [constant(part) for part in given.operands]
        if decisive in parts:
            return decisive
        return None if None in parts else not decisive
    if isinstance(given, Condition) and given.operator in ("in", "not_in") and not given.value:
        return given.operator == "not_in"
    return None
