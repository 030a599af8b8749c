"""Late-interaction reranking in Haystack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.adapters import lazy_names

if TYPE_CHECKING:
    from haystack_integrations.components.rankers.late_rag.ranker import LateInteractionRanker

__all__ = ["LateInteractionRanker"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "LateInteractionRanker": "haystack_integrations.components.rankers.late_rag.ranker",
    },
)
