"""Late-interaction reranking in Haystack."""

from haystack_integrations.components.rankers.late_rag.ranker import LateInteractionRanker

__all__ = ["LateInteractionRanker"]
