"""What the tools for agents tell a model, and how an agent's filter is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from late_rag.errors import FilterError
from late_rag.filters import BUILT_IN, And, Condition, Not, Or, parse
from late_rag.filters.fields import metadata_key
from late_rag.filters.selection import Selection

if TYPE_CHECKING:
    from late_rag.filters import Filter
    from late_rag.protocols import Collection

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


def agent_filter(
    given: Filter | Mapping[str, Any] | str | None,
    collection: Collection,
    told: Mapping[str, str] | None = None,
    own: Filter | None = None,
    *,
    read: Callable[[Any], Filter | None] = parse,
) -> Filter | None:
    """The filter that an agent wrote; nothing, nothing but white space, and an empty dict are none.

    Args:
        given: in the filter language, or a dict.
        collection: in which the fields must be.
        told: the fields that the agent was told of, which are named in an error in place of all that there are.
        own: what restricts the agent; fields that only other passages have are not named.
        read: makes the filter of what is given.

    Raises:
        FilterError: it cannot be read, or no passage has a field that it names; says which fields there are.
    """
    if given is None or given == {} or (isinstance(given, str) and not given.strip()):
        return None
    try:
        found = read(given)
    except FilterError as error:
        raise FilterError(f"{error}. {_hint(collection, told, own)}") from error
    if found is None:
        return None
    fields = collection.fields()
    for name in _named(found):
        if name not in BUILT_IN and metadata_key(name) not in fields:
            hint = _hint(collection, told, own)
            raise FilterError(f"filter {given!r}: no passage has the field {name!r}. {hint}")
    return found


def _hint(collection: Collection, told: Mapping[str, str] | None, own: Filter | None) -> str:
    names = sorted(told or collection.fields())
    if not told and own is not None:
        counted = collection.count_distinct(names, Selection(filter=own))
        names = [name for name in names if counted[name]]
    return f"Fields to filter by: {', '.join(names) or 'none'}. Leave the filter out to search everything"


def _named(tree: Filter) -> Iterator[str]:
    """The fields that a filter compares."""
    if isinstance(tree, Condition):
        yield tree.field
    elif isinstance(tree, Not):
        yield from _named(tree.filter)
    elif isinstance(tree, And | Or):
        for inner in tree.filters:
            yield from _named(inner)
