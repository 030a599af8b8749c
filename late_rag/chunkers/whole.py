"""A document as one chunk, for documents that something else has split: a framework's, or the caller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from late_rag.chunkers.options import ChunkingOptions, Limits
from late_rag.chunkers.prefixes import Prefixes
from late_rag.chunkers.tokens import TokenCounter
from late_rag.types import Chunk, Document

if TYPE_CHECKING:
    from late_rag.protocols import Encoder


class WholeChunker:
    """One chunk with the document's id, whatever its length: the encoder takes long ones in windows.

    Of the options only ``embed_metadata`` has a meaning here.
    """

    def __init__(self, options: ChunkingOptions, encoder: Encoder) -> None:
        self._options = options
        limits = Limits.of(options, encoder.document_capacity)
        self._prefixes = Prefixes(options, TokenCounter(encoder.tokenizer), limits)

    @classmethod
    def from_options(cls, options: Mapping[str, Any], encoder: Encoder) -> Self:
        """The chunker for options as JSON.

        Raises:
            InputError: an unknown option or an impossible value.
        """
        return cls(ChunkingOptions.from_json({**options, "headings": False}), encoder)

    def options(self) -> dict[str, Any]:
        return self._options.to_json()

    def __call__(self, document: Document) -> Iterator[Chunk]:
        prefix = self._prefixes(document.metadata, ()) if document.text.strip() else ""
        yield one_chunk(document, prefix + document.text if prefix else None)


def one_chunk(document: Document, embed_text: str | None = None) -> Chunk:
    """All of a document as a chunk with its id; ``embed_text`` is what is encoded where that is not its text."""
    return Chunk(
        id=document.id,
        document_id=document.id,
        text=document.text,
        embed_text=embed_text,
        start=0,
        end=len(document.text),
        metadata=document.metadata,
        media=document.media,
        extra=document.extra,
    )
