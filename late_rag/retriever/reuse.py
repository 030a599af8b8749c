"""What need not be encoded: documents that are stored as they are, and chunks whose content was encoded before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from late_rag import metadata
from late_rag.curtailed import log
from late_rag.filters.selection import Selection
from late_rag.types import Chunk, Document, Omission, batched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from late_rag.protocols import Collection
    from late_rag.retriever.stages import Stages
    from late_rag.types import TokenEmbeddings

Paired: TypeAlias = "Iterator[tuple[Chunk, TokenEmbeddings | None]]"
"""Chunks in order, each with its embeddings where they are known."""

_LOOKED_UP_TOGETHER = 64


class StoredEmbeddings:
    """What a selection of stored chunks can lend, by the hash of what was encoded.

    Holds a hash and an id for each chunk of the selection, and reads embeddings only when they are asked for. For an
    encoder that reads text alone a picture is no part of what was encoded: the page of a PDF that stands beside its
    text is another one after each change of the file.
    """

    def __init__(self, stages: Stages, selection: Selection | None) -> None:
        self._stages = stages
        self._collection = stages.collection
        self._ids: dict[str, str] = {}
        if selection is not None:
            for batch in self._collection.iterate(selection):
                self._ids.update((self._key(chunk), chunk.id) for chunk, _ in batch)

    def _key(self, chunk: Chunk) -> str:
        if chunk.media and chunk.encoded_text.strip() and self._stages.encoder.modalities == {"text"}:
            return replace(chunk, media=()).content_hash
        return chunk.content_hash

    def pair(self, chunks: Iterable[Chunk]) -> Paired:
        """Each chunk with the embeddings that are stored for its content, or None."""
        if not self._ids:
            yield from ((chunk, None) for chunk in chunks)
            return
        for batch in batched(chunks, _LOOKED_UP_TOGETHER):
            yield from zip(batch, self._look_up(batch), strict=True)

    def _look_up(self, chunks: Sequence[Chunk]) -> list[TokenEmbeddings | None]:
        ids = [self._ids.get(self._key(chunk)) for chunk in chunks]
        found = self._collection.embeddings([identity for identity in ids if identity is not None])
        return [None if identity is None else found.get(identity) for identity in ids]


def paired_chunks(
    stages: Stages, documents: Sequence[Document], known: Iterable[str], note: Callable[[Omission], object] = log
) -> Paired:
    """The chunks of documents, with the embeddings that the same documents have stored for the same content.

    ``known`` are the ids of those documents that are in the collection; ``note`` is told what the chunks lack.
    """
    known = set(known)
    before = tuple(document.id for document in documents if document.id in known)
    stored = StoredEmbeddings(stages, Selection(document_ids=before) if before else None)
    return stored.pair(stages.chunks(documents, note))


def unchanged(collection: Collection, documents: Sequence[Document], hashes: Mapping[str, str]) -> set[str]:
    """Ids of the documents that are stored as they are, metadata and all.

    ``hashes`` are the content hashes of those that are in the collection.
    """
    same = [document for document in documents if hashes.get(document.id) == document.content_hash]
    stored = {document.id: document for document in collection.get_documents([document.id for document in same])}
    return {document.id for document in same if same_item(stored.get(document.id), document)}


def same_item(stored: Document | Chunk | None, given: Document | Chunk) -> bool:
    """Whether what is stored is what is given, to the kinds of its metadata's values and the content of its media."""
    if stored is None or stored != given or (given.media and stored.content_hash != given.content_hash):
        return False
    return metadata.same(stored.metadata, given.metadata)
