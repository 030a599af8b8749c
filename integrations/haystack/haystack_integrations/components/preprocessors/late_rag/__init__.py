"""Haystack's documents, split into passages that an encoder takes whole."""

from haystack_integrations.components.preprocessors.late_rag.document_splitter import LateInteractionDocumentSplitter

__all__ = ["LateInteractionDocumentSplitter"]
