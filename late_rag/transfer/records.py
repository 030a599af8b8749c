"""What is in a collection as one stream of records, in an order in which it can be written again as it comes.

First the :class:`Header`, then all sources, then the chunks in the order they were written, each document in front of
the first of its chunks, and documents without chunks last. A batch is held at a time, and the ids of the documents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from late_rag.errors import CollectionError
from late_rag.types import Chunk, Document, Source, batched

if TYPE_CHECKING:
    from late_rag.protocols import Collection, CollectionSettings
    from late_rag.types import TokenEmbeddings

DOCUMENTS_AT_ONCE = 32
CHUNKS_AT_ONCE = 256

SourceKey: TypeAlias = tuple[str, str]
"""Root and path."""


@dataclass(frozen=True)
class Header:
    """What the collection is, and how much of each kind follows."""

    settings: CollectionSettings
    sources: int
    documents: int
    chunks: int


@dataclass(frozen=True)
class DocumentRecord:
    """A document and the source it came from, if any."""

    document: Document
    source: SourceKey | None = None


@dataclass(frozen=True)
class ChunkRecord:
    """A chunk and its stored rows, ``(tokens, dim) float32``; None where they are left out."""

    chunk: Chunk
    embeddings: TokenEmbeddings | None = None


Record: TypeAlias = Header | Source | DocumentRecord | ChunkRecord


def read_records(collection: Collection, *, with_embeddings: bool) -> Iterator[Record]:
    """Everything in the collection.

    Raises:
        CollectionError: it was written to meanwhile, so that what was read may not fit together.
    """
    before = sources, documents, chunks, _ = _state(collection)
    yield Header(collection.settings, len(sources), documents, chunks)
    yield from sources
    contents = _Contents(collection)
    yield from contents.chunks(with_embeddings)
    yield from contents.documents_without_chunks()
    if before[:3] != (sources, contents.documents_read, contents.chunks_read) or before != _state(collection):
        raise CollectionError(f"{collection.location} was written to while it was read; run this again")


def _state(collection: Collection) -> tuple[list[Source], int, int, int]:
    """Sources, numbers of documents and chunks, and of commits: what a write changes.

    The numbers are read first, so that a write in between is noticed at the end.
    """
    info = collection.info()
    return collection.sources(), info.documents, info.chunks, info.commits


class _Contents:
    """The documents and chunks of a collection, and how many were read."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._sources_left = {
            document.id: (source.root, source.path) if source is not None else None
            for batch in collection.iterate_documents(DOCUMENTS_AT_ONCE)
            for document, source in batch
        }
        self.documents_read = len(self._sources_left)
        self.chunks_read = 0

    def chunks(self, with_embeddings: bool) -> Iterator[DocumentRecord | ChunkRecord]:
        """Chunks in the order they were written, each document in front of its first."""
        for batch in self._collection.iterate(batch_size=CHUNKS_AT_ONCE, with_embeddings=with_embeddings):
            for chunk, embeddings in batch:
                if chunk.document_id in self._sources_left:
                    yield from self._documents([chunk.document_id])
                yield ChunkRecord(chunk, embeddings)
            self.chunks_read += len(batch)

    def documents_without_chunks(self) -> Iterator[DocumentRecord]:
        """The documents that :meth:`chunks` did not come across."""
        for batch in batched(list(self._sources_left), DOCUMENTS_AT_ONCE):
            yield from self._documents(batch)

    def _documents(self, ids: Sequence[str]) -> Iterator[DocumentRecord]:
        for document in self._collection.get_documents(ids):
            yield DocumentRecord(document, self._sources_left.pop(document.id))
