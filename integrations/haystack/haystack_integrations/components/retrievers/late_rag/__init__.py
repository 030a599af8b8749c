"""Late-interaction retrieval in Haystack: a retriever over a collection of :mod:`late_rag`."""

from haystack_integrations.components.retrievers.late_rag.retriever import LateInteractionRetriever

__all__ = ["LateInteractionRetriever"]
