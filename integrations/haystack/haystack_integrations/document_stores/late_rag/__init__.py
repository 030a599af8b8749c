"""A Haystack document store over a late-interaction collection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.adapters import lazy_names

if TYPE_CHECKING:
    from haystack_integrations.document_stores.late_rag.document_store import LateInteractionDocumentStore

__all__ = ["LateInteractionDocumentStore"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "LateInteractionDocumentStore": "haystack_integrations.document_stores.late_rag.document_store",
    },
)
