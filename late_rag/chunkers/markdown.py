"""A section of its own for each Markdown heading."""

from __future__ import annotations

from collections.abc import Iterator

from late_rag.chunkers.base import SectionChunker
from late_rag.chunkers.forms import Form
from late_rag.chunkers.sections import Section, readable_sections
from late_rag.types import Document


class MarkdownChunker(SectionChunker):
    """Breaks a Markdown text before its headings, and a longer section as :class:`RecursiveChunker` does."""

    def form(self, document: Document) -> Form:  # noqa: ARG002 - whatever the document says
        return Form.MARKDOWN

    def sections(self, document: Document) -> Iterator[Section]:
        return readable_sections(document.text)
