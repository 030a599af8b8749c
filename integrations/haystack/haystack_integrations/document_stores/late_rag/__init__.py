"""A Haystack document store over a late-interaction collection."""

from haystack_integrations.document_stores.late_rag.document_store import LateInteractionDocumentStore

__all__ = ["LateInteractionDocumentStore"]
