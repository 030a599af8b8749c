"""Where the stages come together: files, documents and chunks into a collection, questions to hits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.lazy import lazy_names

if TYPE_CHECKING:
    from late_rag.retriever.options import SearchOptions
    from late_rag.retriever.retriever import Retriever
    from late_rag.retriever.settings import CollectionOptions
    from late_rag.retriever.sharing import shared_retriever
    from late_rag.retriever.syncing import FailedFile, FileOmission, SyncResult

__all__ = [
    "CollectionOptions",
    "FailedFile",
    "FileOmission",
    "Retriever",
    "SearchOptions",
    "SyncResult",
    "shared_retriever",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "CollectionOptions": "late_rag.retriever.settings",
        "FailedFile": "late_rag.retriever.syncing",
        "FileOmission": "late_rag.retriever.syncing",
        "Retriever": "late_rag.retriever.retriever",
        "SearchOptions": "late_rag.retriever.options",
        "SyncResult": "late_rag.retriever.syncing",
        "shared_retriever": "late_rag.retriever.sharing",
    },
)
