"""The whole text as one section: paragraphs, list items, sentences, lines, clauses, words, characters."""

from __future__ import annotations

from collections.abc import Iterator

from late_rag.chunkers.base import SectionChunker
from late_rag.chunkers.sections import Section
from late_rag.types import Document


class RecursiveChunker(SectionChunker):
    """Breaks a text at the strongest place in the second half of what fits; pages are kept apart."""

    def sections(self, document: Document) -> Iterator[Section]:
        yield Section(0, len(document.text))
