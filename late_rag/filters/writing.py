"""The text form of conditions and values, written; reading it gives them back."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

from late_rag.filters.lexing import quoted_name, quoted_text
from late_rag.filters.operators import find

_WORDS = {None: "null", True: "true", False: "false"}


def condition_text(field: str, operator: str, value: Any) -> str:
    """A condition as a text of the filter language."""
    found = find(operator)
    words = [quoted_name(field), found.text]
    return " ".join(words if found.takes == "nothing" else [*words, value_text(value)])


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
