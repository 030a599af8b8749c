"""What need not be encoded: documents that are stored as they are, and chunks whose content was encoded before."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from late_rag import metadata
from late_rag.curtailed import log
from late_rag.filters.selection import Selection
from late_rag.types import Chunk, Document, Omission, batched, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from late_rag.protocols import Collection, Encoder
    from late_rag.retriever.stages import Stages
    from late_rag.road import Passage
    from late_rag.types import TokenEmbeddings

Paired: TypeAlias = "Iterator[tuple[Chunk, TokenEmbeddings | None]]"
"""Chunks in order, each with its embeddings where they are known."""

_LOOKED_UP_TOGETHER = 64


def encoded_content(chunk: Chunk, document_hash: str | None, encoder: Encoder) -> str:
    """A name for all that the chunk's embedding depends on: where it is equal, one stands for the other.

    For an encoder that reads text alone a picture is no part of it: the page of a PDF that stands beside its text is
    another one after each change of the file. For a contextual one the document is, and the chunk's place in it.
    ``document_hash`` is the content hash of the chunk's document, None where the encoder is not given one.
    """
    content = chunk.content_hash
    if chunk.media and chunk.encoded_text.strip() and encoder.modalities == {"text"}:
        content = digest(chunk.encoded_text)
    if document_hash is None or not encoder.contextual:
        return content
    return digest(document_hash, content, chunk.id if chunk.start is None else f"{chunk.start}-{chunk.end}")


def encoded_contents(passages: Sequence[Passage], encoder: Encoder, collection: Collection) -> list[str]:
    """:func:`encoded_content` of each chunk; where its document is not given, it is the one that is stored."""
    hashes: dict[str, str] = {}
    if encoder.contextual:
        lacking = {chunk.document_id for chunk, document in passages if document is None}
        hashes |= collection.document_hashes(list(lacking)) if lacking else {}
        hashes |= {document.id: document.content_hash for _, document in passages if document is not None}
    return [encoded_content(chunk, hashes.get(chunk.document_id), encoder) for chunk, _ in passages]


class StoredEmbeddings:
    """What a selection of stored chunks can lend, by what was encoded.

    Holds a hash and an id for each chunk of the selection, and reads embeddings only when they are asked for.
    """

    def __init__(self, stages: Stages, selection: Selection | None) -> None:
        self._stages = stages
        self._collection = stages.collection
        self._ids: dict[str, str] = {}
        if selection is not None:
            for batch in self._collection.iterate(selection):
                chunks = [chunk for chunk, _ in batch]
                contents = self._contents([(chunk, None) for chunk in chunks])
                self._ids.update(zip(contents, (chunk.id for chunk in chunks), strict=True))

    def _contents(self, passages: Sequence[Passage]) -> list[str]:
        return encoded_contents(passages, self._stages.encoder, self._collection)

    def pair(self, passages: Iterable[Passage]) -> Paired:
        """Each chunk with the embeddings that are stored for its content, or None.

        A passage without its document is of the one that is stored.
        """
        if not self._ids:
            yield from ((chunk, None) for chunk, _ in passages)
            return
        for batch in batched(passages, _LOOKED_UP_TOGETHER):
            yield from zip((chunk for chunk, _ in batch), self._look_up(batch), strict=True)

    def _look_up(self, passages: Sequence[Passage]) -> list[TokenEmbeddings | None]:
        ids = [self._ids.get(content) for content in self._contents(passages)]
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
    return stored.pair(stages.split(documents, note))


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
