"""Markdown where the text is Markdown, recursive where it is not."""

from __future__ import annotations

from collections.abc import Iterator

from late_rag.chunkers.base import SectionChunker
from late_rag.chunkers.sections import Section, sections
from late_rag.types import Document

MARKDOWN = frozenset(
    {
        "text/markdown",
        "text/html",
        "application/xhtml+xml",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    }
)
"""Mime types (``metadata["mime_type"]``) whose text is Markdown, or is made Markdown when it is loaded."""


class AutoChunker(SectionChunker):
    """By ``metadata["mime_type"]``: headings make sections in Markdown, HTML and DOCX, and nowhere else."""

    def sections(self, document: Document) -> Iterator[Section]:
        if document.metadata.get("mime_type") in MARKDOWN:
            return sections(document.text)
        return iter([Section(0, len(document.text))])
