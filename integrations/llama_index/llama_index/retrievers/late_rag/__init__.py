"""Late-interaction retrieval in LlamaIndex: a retriever over a collection of :mod:`late_rag`.

    from llama_index.retrievers.late_rag import LateInteractionRetriever

    retriever = LateInteractionRetriever("handbook.rag", similarity_top_k=5)
    nodes = retriever.retrieve("who approves travel?")

A component holds configuration, never a model: it pickles and copies, and all components of a process over one
collection share one open collection and one model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.adapters import lazy_names

if TYPE_CHECKING:
    from late_rag.adapters import HitFields
    from llama_index.retrievers.late_rag.retriever import LateInteractionRetriever
    from llama_index.retrievers.late_rag.tool import late_interaction_tool

__all__ = ["HitFields", "LateInteractionRetriever", "late_interaction_tool"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "HitFields": "late_rag.adapters",
        "LateInteractionRetriever": "llama_index.retrievers.late_rag.retriever",
        "late_interaction_tool": "llama_index.retrievers.late_rag.tool",
    },
)
