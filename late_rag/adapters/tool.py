"""What the tools for agents tell a model, and how an agent's filter is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from late_rag.filters import Filter

TOOL_QUERY = "What to look for, as a question or in key words."
TOOL_COUNT = "How many passages to return."
NOTHING_FOUND = "Nothing was found."

_FILTER = (
    'Restricts the search by metadata, for example: year >= 2020 and topic in ["travel", "leave"]. Operators: == != > '
    ">= < <= in, contains, like, exists, joined by and, or, not and parentheses. Leave it out to search everything."
)


def filter_description(fields: Mapping[str, str] | None = None) -> str:
    """What a model is told of the filter; ``fields`` are keys of the metadata and what they mean."""
    told = "".join(f"\n- {key}: {meaning}" for key, meaning in (fields or {}).items())
    return f"{_FILTER} Keys:{told}" if told else _FILTER


def narrowed(own: Filter | None, given: Filter | None) -> Filter | None:
    """Both filters at once: what an agent asks for restricts further, and never widens."""
    if own is None or given is None:
        return given if own is None else own
    return own & given
