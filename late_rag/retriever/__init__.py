"""Where the stages come together: files, documents and chunks into a collection, questions to hits."""

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
