"""Which chunks are meant: by their ids, their documents, a filter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from late_rag.errors import InputError
from late_rag.filters.operators import shown
from late_rag.filters.parsing import parse
from late_rag.filters.tree import Filter


@dataclass(frozen=True)
class Selection:
    """Which chunks are meant. All that are given must hold; ids that do not exist are no error.

    ``filter`` is anything :func:`late_rag.filters.parse` reads: a dict, a text such as ``'year >= 2020'``, or
    ``F("year") >= 2020``.
    """

    ids: tuple[str, ...] | None = None
    document_ids: tuple[str, ...] | None = None
    filter: Filter | Mapping[str, Any] | str | None = None

    def __post_init__(self) -> None:
        for name in ("ids", "document_ids"):
            value = getattr(self, name)
            if value is None:
                continue
            object.__setattr__(self, name, tuple(checked_ids(value, f"Selection.{name}")))
        if self.filter is not None:
            object.__setattr__(self, "filter", parse(self.filter))

    @property
    def everything(self) -> bool:
        """Whether nothing is restricted."""
        return self.ids is None and self.document_ids is None and self.filter is None


def checked_ids(ids: object, name: str = "ids") -> list[str]:
    """Ids that can be looked up, of any iterable but a text.

    Raises:
        InputError: something else, or something else in it; starts with ``name``, and says where in the list it stands.
    """
    if isinstance(ids, str) or not isinstance(ids, Iterable):
        raise InputError(f"{name} takes a sequence of strings, not {shown(ids)}")
    items = list(ids)
    for place, item in enumerate(items):
        if not isinstance(item, str):
            raise InputError(f"{name} takes a sequence of strings; number {place} is {shown(item)}")
    return items
