"""What every chunker of this package shares: sections in, chunks with spans, metadata and media out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any, Self

from late_rag.chunkers.marks import Marks
from late_rag.chunkers.options import ChunkingOptions, Limits
from late_rag.chunkers.prefixes import SEPARATOR, Prefixes
from late_rag.chunkers.sections import Section
from late_rag.chunkers.spans import Splitter, skip_space
from late_rag.chunkers.tokens import TokenCounter
from late_rag.types import Chunk, Document, Media

if TYPE_CHECKING:
    from late_rag.protocols import Encoder

PAGED = "application/pdf"
"""The mime type of documents whose pages are separated by form feeds."""


class SectionChunker(ABC):
    """Splits a document section by section; what a section is, is a subclass's to say.

    A chunk's id is ``f"{document.id}#{ordinal}"``, the ordinal counting from 0. Its metadata are the document's, and
    ``heading`` (the path of headings, "A > B") and ``page`` (from 1) where they are known and the document has no
    such key of its own, and those of the document's marks that it covers. No chunk spans two sections or two pages. A
    document without text gives a chunk for each of its pages or media, or else one empty chunk.
    """

    def __init__(self, options: ChunkingOptions, encoder: Encoder) -> None:
        self._options = options
        counter = TokenCounter(encoder.tokenizer)
        limits = Limits.of(options, encoder.document_capacity)
        self._prefixes = Prefixes(options, counter, limits)
        self._split = Splitter(counter, limits)

    @classmethod
    def from_options(cls, options: Mapping[str, Any], encoder: Encoder) -> Self:
        """The chunker for options as JSON.

        Raises:
            InputError: an unknown option or an impossible value.
        """
        return cls(ChunkingOptions.from_json(options), encoder)

    def options(self) -> dict[str, Any]:
        return self._options.to_json()

    @abstractmethod
    def sections(self, document: Document) -> Iterator[Section]:
        """The sections of a document without pages: in order, and together the whole text."""

    def __call__(self, document: Document) -> Iterator[Chunk]:
        if skip_space(document.text, 0, len(document.text)) == len(document.text):
            yield from _without_text(document)
            return
        ordinal, marks = 0, Marks(document.marks)
        for section in _pages(document.text) if _is_paged(document) else self.sections(document):
            for chunk in self._chunks(document, section, ordinal, marks):
                ordinal += 1
                yield chunk

    def _chunks(self, document: Document, section: Section, ordinal: int, marks: Marks) -> Iterator[Chunk]:
        known = _known(section)
        metadata = known | dict(document.metadata) if known else document.metadata
        media = tuple(medium for medium in document.media if medium.page is not None and medium.page == section.page)
        first, rest = self._headings_above(document, section)
        spans = self._split(
            document.text, section.start, section.end, self._prefixes(metadata, first), self._prefixes(metadata, rest)
        )
        for number, span in enumerate(spans, ordinal):
            text = document.text[span.start : span.end]
            marked = marks(span.start, span.end)
            yield Chunk(
                id=f"{document.id}#{number}",
                document_id=document.id,
                text=text,
                embed_text=span.prefix + text if span.prefix else None,
                start=span.start,
                end=span.end,
                metadata={**metadata, **marked} if marked else metadata,
                media=media,
            )

    def _headings_above(self, document: Document, section: Section) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Headings to put in front of a section's first chunk and of its others."""
        if section.headings:
            return section.above, section.headings
        title = document.metadata.get("title")
        if not isinstance(title, str) or not title.strip():
            return (), ()
        begins = skip_space(document.text, section.start, section.end)
        return () if document.text.startswith(title, begins) else (title,), (title,)


def _known(section: Section) -> dict[str, Any]:
    heading = {"heading": SEPARATOR.join(section.headings)} if section.headings else {}
    return heading if section.page is None else heading | {"page": section.page}


def _is_paged(document: Document) -> bool:
    return document.metadata.get("mime_type") == PAGED


def _pages(text: str) -> Iterator[Section]:
    start, page = 0, 1
    while (end := text.find("\f", start)) >= 0:
        yield Section(start, end, page=page)
        start, page = end + 1, page + 1
    yield Section(start, len(text), page=page)


def _without_text(document: Document) -> Iterator[Chunk]:
    """A chunk for each page that has media and for all media without a page; one without media if there are none."""
    groups: list[tuple[int | None, tuple[Media, ...]]] = [
        (page, tuple(media)) for page, media in groupby(document.media, key=lambda medium: medium.page)
    ]
    for ordinal, (page, media) in enumerate(groups or [(None, ())]):
        yield Chunk(
            id=f"{document.id}#{ordinal}",
            document_id=document.id,
            text="",
            start=0,
            end=0,
            metadata=document.metadata if page is None else {"page": page} | dict(document.metadata),
            media=media,
        )
