"""Late-interaction retrieval in LangChain: the components of :mod:`late_rag` behind LangChain's interfaces.

A component holds configuration, never a model: it pickles, copies and serialises, and all components of a process over
one collection share one open collection and one model.

    from langchain_late_rag import LateInteractionRetriever, LateInteractionReranker

    retriever = LateInteractionRetriever(collection="handbook.rag", k=5)
    documents = retriever.invoke("who approves travel?")

Public names load on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_late_rag.documents import HitFields
    from langchain_late_rag.loader import LateInteractionLoader
    from langchain_late_rag.reranker import LateInteractionReranker
    from langchain_late_rag.retriever import LateInteractionRetriever
    from langchain_late_rag.text_splitter import LateInteractionTextSplitter
    from langchain_late_rag.tool import late_interaction_tool
    from langchain_late_rag.translator import LateInteractionTranslator
    from langchain_late_rag.vectorstore import LateInteractionVectorStore

_HOMES = {
    "HitFields": "langchain_late_rag.documents",
    "LateInteractionLoader": "langchain_late_rag.loader",
    "LateInteractionReranker": "langchain_late_rag.reranker",
    "LateInteractionRetriever": "langchain_late_rag.retriever",
    "LateInteractionTextSplitter": "langchain_late_rag.text_splitter",
    "LateInteractionTranslator": "langchain_late_rag.translator",
    "LateInteractionVectorStore": "langchain_late_rag.vectorstore",
    "late_interaction_tool": "langchain_late_rag.tool",
}

__all__ = [
    "HitFields",
    "LateInteractionLoader",
    "LateInteractionReranker",
    "LateInteractionRetriever",
    "LateInteractionTextSplitter",
    "LateInteractionTranslator",
    "LateInteractionVectorStore",
    "__version__",
    "late_interaction_tool",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'langchain_late_rag' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
