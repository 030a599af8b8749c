"""Files as Haystack's documents, by the loaders of :mod:`late_rag`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.adapters import lazy_names

if TYPE_CHECKING:
    from haystack_integrations.components.converters.late_rag.converter import LateInteractionConverter

__all__ = ["LateInteractionConverter"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "LateInteractionConverter": "haystack_integrations.components.converters.late_rag.converter",
    },
)
