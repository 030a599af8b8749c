"""Where the stages come together: files, documents and chunks into a collection, questions to hits."""

from late_rag.retriever.retriever import Retriever
from late_rag.retriever.settings import CollectionOptions
from late_rag.retriever.syncing import FailedFile, SyncResult

__all__ = ["CollectionOptions", "FailedFile", "Retriever", "SyncResult"]
