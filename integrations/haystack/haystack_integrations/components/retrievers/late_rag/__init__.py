"""Late-interaction retrieval in Haystack: a retriever over a collection of :mod:`late_rag`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.adapters import lazy_names

if TYPE_CHECKING:
    from haystack_integrations.components.retrievers.late_rag.retriever import LateInteractionRetriever

__all__ = ["LateInteractionRetriever"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "LateInteractionRetriever": "haystack_integrations.components.retrievers.late_rag.retriever",
    },
)
