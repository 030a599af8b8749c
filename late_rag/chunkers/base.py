"""What every chunker of this package shares: sections in, chunks with spans, metadata and media out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import chain, count, groupby
from typing import TYPE_CHECKING, Any, Self

from late_rag.chunkers.breaks import skip_space
from late_rag.chunkers.carried import carried
from late_rag.chunkers.forms import Form, form_of, has_title, is_paged
from late_rag.chunkers.layout import Layout
from late_rag.chunkers.marks import Marks
from late_rag.chunkers.options import ChunkingOptions, Limits
from late_rag.chunkers.outline import Outline
from late_rag.chunkers.prefixes import SEPARATOR, Prefixes
from late_rag.chunkers.sections import Section, readable_sections
from late_rag.chunkers.spans import Span, Splitter
from late_rag.chunkers.tokens import TokenCounter
from late_rag.types import Chunk, Document, Media, Metadata

if TYPE_CHECKING:
    from late_rag.protocols import Encoder


class SectionChunker(ABC):
    """Splits a document section by section; what a section is, is a subclass's to say.

    A chunk's id is ``f"{document.id}#{ordinal}"``, the ordinal counting from 0. Its metadata are the document's, and
    ``heading`` (the path of headings, or of the definitions of source code, "A > B") and ``page`` (from 1) where they
    are known and the document has no such key of its own, and those of the document's marks that it covers. Values
    that are too long to be copied to every chunk (:mod:`late_rag.chunkers.carried`) stay with the document. No chunk
    spans two sections or two pages, or minutes in which nobody speaks. A document without text gives a chunk for each
    of its pages or media, or else one empty chunk.
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

    def form(self, document: Document) -> Form:
        """The form of the document's text, which says where it may be broken: by its mime type."""
        return form_of(document)

    def __call__(self, document: Document) -> Iterator[Chunk]:
        if skip_space(document.text, 0, len(document.text)) == len(document.text):
            yield from _without_text(document)
            return
        kept = replace(document, metadata=carried(document))
        form, marks, ordinals = self.form(document), Marks(document.marks), count()
        outline = Outline(document.text, document.metadata.get("mime_type") if form is Form.CODE else None)
        sections = _pages(document.text, form) if is_paged(document) else self.sections(document)
        for section in chain.from_iterable(map(marks.parts, sections)):
            layout, media = Layout.of(document.text, section, form), _media(document, section)
            for span, path in self._spans(document, section, layout, outline):
                text = document.text[span.start : span.end]
                yield Chunk(
                    id=f"{document.id}#{next(ordinals)}",
                    document_id=document.id,
                    text=text,
                    embed_text=span.prefix + text if span.prefix else None,
                    start=span.start,
                    end=span.end,
                    metadata={**_metadata(kept, section, path), **marks(span.start, span.end)},
                    media=media,
                )

    def _spans(
        self, document: Document, section: Section, layout: Layout, outline: Outline
    ) -> Iterator[tuple[Span, tuple[str, ...]]]:
        """The spans of a section, and the definitions that are around each."""
        first, rest = self._headings_above(document, section)
        begin = skip_space(document.text, section.start, section.end)

        @lru_cache(maxsize=8)
        def lines(path: tuple[str, ...], above: tuple[str, ...]) -> str:
            return self._prefixes(_metadata(document, section, path), above)

        def front(start: int) -> str:
            definitions = outline.path(start)
            above = tuple(name for place, name in definitions if place < start)
            path = tuple(name for _, name in definitions)
            written = lines(path, above or (first if start <= begin else rest))
            return written + self._prefixes.table(layout.header(start), written)

        for span in self._split(layout, section.start, section.end, front):
            yield span, tuple(name for _, name in outline.path(span.start))

    def _headings_above(self, document: Document, section: Section) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Headings to put in front of a section's first chunk and of its others."""
        if section.headings:
            return section.above, section.headings
        title = document.metadata.get("title")
        if not isinstance(title, str) or not title.strip() or not has_title(document):
            return (), ()
        begins = skip_space(document.text, section.start, section.end)
        return () if document.text.startswith(title, begins) else (title,), (title,)


def _metadata(document: Document, section: Section, definitions: tuple[str, ...]) -> Metadata:
    """The document's metadata, and what is known of a place in a section that these definitions are around."""
    path = section.headings or definitions
    known: dict[str, Any] = {"heading": SEPARATOR.join(path)} if path else {}
    if section.page is not None:
        known["page"] = section.page
    return known | dict(document.metadata) if known else document.metadata


def _media(document: Document, section: Section) -> tuple[Media, ...]:
    return tuple(medium for medium in document.media if medium.page is not None and medium.page == section.page)


def _pages(text: str, form: Form) -> Iterator[Section]:
    """A section for each page, or for each heading of each page."""
    start, page = 0, 1
    while start <= len(text):
        end = text.find("\f", start)
        end = len(text) if end < 0 else end
        if form is Form.MARKDOWN:
            for part in readable_sections(text[start:end]):
                yield replace(part, start=part.start + start, end=part.end + start, body=part.body + start, page=page)
        else:
            yield Section(start, end, page=page)
        start, page = end + 1, page + 1


def _without_text(document: Document) -> Iterator[Chunk]:
    """A chunk for each page that has media and for all media without a page; one without media if there are none."""
    groups: list[tuple[int | None, tuple[Media, ...]]] = [
        (page, tuple(media)) for page, media in groupby(document.media, key=lambda medium: medium.page)
    ]
    if len(groups) > 1:
        document = replace(document, metadata=carried(document))
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
