"""A LlamaIndex vector store over a collection of :mod:`late_rag`, and what goes where an embedding model is asked for.

from llama_index.core import Document, VectorStoreIndex
from llama_index.vector_stores.late_rag import LateInteractionVectorStore, PlaceholderEmbedding

store = LateInteractionVectorStore("handbook.rag")
index = VectorStoreIndex.from_vector_store(store, embed_model=PlaceholderEmbedding())
index.insert(Document(text="Travel is approved by the head of the department."))
nodes = index.as_retriever(similarity_top_k=5).retrieve("who approves travel?")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.adapters import lazy_names

if TYPE_CHECKING:
    from late_rag.adapters import HitFields
    from llama_index.vector_stores.late_rag.placeholder import PlaceholderEmbedding
    from llama_index.vector_stores.late_rag.store import LateInteractionVectorStore

__all__ = ["HitFields", "LateInteractionVectorStore", "PlaceholderEmbedding"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "HitFields": "late_rag.adapters",
        "LateInteractionVectorStore": "llama_index.vector_stores.late_rag.store",
        "PlaceholderEmbedding": "llama_index.vector_stores.late_rag.placeholder",
    },
)
