"""Which chunks are meant: by their ids, their documents, a filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from late_rag.errors import InputError
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
            items = () if isinstance(value, str) else tuple(value)
            if isinstance(value, str) or not all(isinstance(item, str) for item in items):
                raise InputError(f"Selection.{name} takes a sequence of strings, not {value!r}")
            object.__setattr__(self, name, items)
        if self.filter is not None:
            object.__setattr__(self, "filter", parse(self.filter))

    @property
    def everything(self) -> bool:
        """Whether nothing is restricted."""
        return self.ids is None and self.document_ids is None and self.filter is None
