"""Markdown where the text is Markdown, recursive where it is not."""

from __future__ import annotations

from collections.abc import Iterator

from late_rag.chunkers.base import SectionChunker
from late_rag.chunkers.forms import Form
from late_rag.chunkers.sections import Section, readable_sections
from late_rag.types import Document


class AutoChunker(SectionChunker):
    """Headings make sections where the text is Markdown by its mime type, as it is of pages, and nowhere else."""

    def sections(self, document: Document) -> Iterator[Section]:
        if self.form(document) is Form.MARKDOWN:
            return readable_sections(document.text)
        return iter([Section(0, len(document.text))])
