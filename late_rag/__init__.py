"""Late-interaction retrieval (ColBERT: one vector a token, scored by MaxSim) for RAG pipelines.

The road that the data takes, each arrow one package or module::

    files ─load→ Document ─chunk→ Chunk ─encode→ token embeddings ─pool→ fewer ─┐
                                                                                ├→ Collection
    query ─encode→ token embeddings ── Index: candidates ── exact MaxSim ───────┘      │
                                                                  Hit (chunk, score) ←─┘ ─rerank→ Hit ─→ generator

    from late_rag import Retriever

    retriever = Retriever.open("handbook.rag", create=True)
    retriever.sync("handbook/")
    for hit in retriever.search("who approves travel?", top_k=5):
        print(f"{hit.similarity:.2f}  {hit.chunk.text[:80]}")

Public names load on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from late_rag.collections import create_collection, open_collection
    from late_rag.encoders import load_encoder
    from late_rag.errors import LateRAGError
    from late_rag.filters import F
    from late_rag.filters.selection import Selection
    from late_rag.loaders import load
    from late_rag.reranker import Reranker
    from late_rag.retriever import Retriever
    from late_rag.scoring import maxsim
    from late_rag.specs import IndexSpec, PoolingSpec
    from late_rag.types import Chunk, Document, Hit, Media, SourceFile, TokenEmbeddings

_HOMES = {
    "Chunk": "late_rag.types",
    "Document": "late_rag.types",
    "F": "late_rag.filters",
    "Hit": "late_rag.types",
    "IndexSpec": "late_rag.specs",
    "LateRAGError": "late_rag.errors",
    "Media": "late_rag.types",
    "PoolingSpec": "late_rag.specs",
    "Reranker": "late_rag.reranker",
    "Retriever": "late_rag.retriever",
    "Selection": "late_rag.filters.selection",
    "SourceFile": "late_rag.types",
    "TokenEmbeddings": "late_rag.types",
    "create_collection": "late_rag.collections",
    "load": "late_rag.loaders",
    "load_encoder": "late_rag.encoders",
    "maxsim": "late_rag.scoring",
    "open_collection": "late_rag.collections",
}

__all__ = [
    "Chunk",
    "Document",
    "F",
    "Hit",
    "IndexSpec",
    "LateRAGError",
    "Media",
    "PoolingSpec",
    "Reranker",
    "Retriever",
    "Selection",
    "SourceFile",
    "TokenEmbeddings",
    "__version__",
    "create_collection",
    "load",
    "load_encoder",
    "maxsim",
    "open_collection",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'late_rag' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
