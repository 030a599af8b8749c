"""A LlamaIndex index over a collection of :mod:`late_rag`.

from llama_index.core import Document
from llama_index.indices.late_rag import LateInteractionIndex

documents = [Document(id_="travel", text="Travel is approved by the head of the department.")]
index = LateInteractionIndex.from_documents(documents, collection="handbook.rag")
nodes = index.as_retriever(similarity_top_k=5).retrieve("who approves travel?")
index.refresh_ref_docs(documents)  # [False]: nothing changed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.adapters import lazy_names

if TYPE_CHECKING:
    from llama_index.indices.late_rag.index import LateInteractionIndex

__all__ = ["LateInteractionIndex"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "LateInteractionIndex": "llama_index.indices.late_rag.index",
    },
)
