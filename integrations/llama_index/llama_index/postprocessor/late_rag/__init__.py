"""Late-interaction reranking in LlamaIndex: nodes from any retriever in the order of their MaxSim with the query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.adapters import lazy_names

if TYPE_CHECKING:
    from llama_index.postprocessor.late_rag.rerank import LateInteractionRerank

__all__ = ["LateInteractionRerank"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "LateInteractionRerank": "llama_index.postprocessor.late_rag.rerank",
    },
)
