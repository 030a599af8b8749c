"""What the components keep as configuration: locations and filters as text, nothing that is open."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from langchain_late_rag.filters import to_filter
from late_rag.adapters import SHAPE, Shape, location_of

if TYPE_CHECKING:
    from pydantic import BaseModel

    from langchain_late_rag.filters import FilterLike


class SearchArguments(Shape, total=False):
    """What a call of the retriever may say otherwise than its constructor; see there for each."""

    k: int
    filter: FilterLike | None


ARGUMENTS = ("k", "filter", *SHAPE)
"""Their names."""


def filter_text(value: FilterLike | None) -> str | None:
    """A filter as text, however :func:`langchain_late_rag.filters.to_filter` takes it.

    Raises:
        FilterError: it cannot be read.
    """
    return None if value is None else str(to_filter(value))


def serialised(component: BaseModel) -> dict[str, Any]:
    """Those fields of a component whose values are no JSON, as the JSON that its constructor takes.

    Raises:
        CollectionError: a temporary collection, which lives in this process only.
    """
    found: dict[str, Any] = {}
    for name in type(component).model_fields:
        value = getattr(component, name)
        if name == "collection" and value is not None:
            found[name] = location_of(value)
        elif is_dataclass(value) and not isinstance(value, type):
            found[name] = asdict(value)
    return found
