"""Late-interaction reranking in LlamaIndex: nodes from any retriever in the order of their MaxSim with the query."""

from llama_index.postprocessor.late_rag.rerank import LateInteractionRerank

__all__ = ["LateInteractionRerank"]
