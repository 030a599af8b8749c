"""Haystack's documents, split into passages that an encoder takes whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.adapters import lazy_names

if TYPE_CHECKING:
    from haystack_integrations.components.preprocessors.late_rag.document_splitter import (
        LateInteractionDocumentSplitter,
    )

__all__ = ["LateInteractionDocumentSplitter"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "LateInteractionDocumentSplitter": "haystack_integrations.components.preprocessors.late_rag.document_splitter",
    },
)
