"""The text form of filters, written; reading it gives the filter back."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

from late_rag.filters.lexing import quoted_name, quoted_text
from late_rag.filters.operators import find
from late_rag.filters.tree import And, Condition, Filter, Not, Or

_WORDS = {None: "null", True: "true", False: "false"}


def text_of(filter: Filter) -> str:  # noqa: A002
    """The filter as a text of the filter language."""
    if isinstance(filter, Condition):
        operator = find(filter.operator)
        words = [quoted_name(filter.field), operator.text]
        return " ".join(words if operator.takes == "nothing" else [*words, value_text(filter.value)])
    if isinstance(filter, Not):
        return f"not {_inner(filter.filter)}"
    joiner = " and " if isinstance(filter, And) else " or "
    return joiner.join(_inner(operand) for operand in filter.operands)


def _inner(filter: Filter) -> str:  # noqa: A002
    text = text_of(filter)
    return f"({text})" if isinstance(filter, And | Or) else text


def value_text(value: Any) -> str:
    """A value as a literal of the filter language."""
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, str):
        return quoted_text(value)
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, date):  # datetimes too
        return value.isoformat()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted_text(key)}: {value_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(value_text, value)) + "]"
    return int.__repr__(value)


def _float_text(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return float.__repr__(value) if math.isfinite(value) else f"{'-' if value < 0 else '+'}inf"
