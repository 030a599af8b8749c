"""The road of a document before it is stored: chunks, token embeddings, fewer of them.

Whoever stores what comes of it (the retriever, an import, an evaluation) goes this road, so the same document has the
same rows wherever it was encoded. Nothing here knows a collection.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from late_rag import curtailed

if TYPE_CHECKING:
    from late_rag.protocols import Chunker, Encoder, TokenPooling
    from late_rag.types import Chunk, Document, Omission, TokenEmbeddings

    Passage: TypeAlias = tuple[Chunk, Document | None]
    """A chunk, and the document it is of where that is known."""

    Encoded: TypeAlias = tuple[Chunk, TokenEmbeddings]


def split(
    documents: Iterable[Document], chunker: Chunker, note: Callable[[Omission], object] = curtailed.log
) -> Iterator[Passage]:
    """The chunks of the documents, in order; ``note`` is told what they do not have of their document."""
    for document in documents:
        for chunk in curtailed.told(document, chunker(document), note):
            yield chunk, document


def encode(
    passages: Iterable[Passage],
    encoder: Encoder,
    pooling: TokenPooling | None = None,
    stored: Callable[[str], Document | None] | None = None,
) -> Generator[Encoded]:
    """Each chunk with its rows, ``(tokens, dim) float32``, in input order, while the input is still being read.

    Args:
        passages: read ahead by the encoder, which finds the document of each in its ``documents``.
        encoder: gives the rows.
        pooling: applied to what the encoder gives, on the calling thread.
        stored: gives a document by its id, or None, where it came without; asked if the encoder asks for it.
    """
    waiting: deque[Chunk] = deque()
    documents = _Documents(stored)

    def chunks() -> Iterator[Chunk]:
        for chunk, document in passages:
            waiting.append(chunk)
            documents.enter(chunk, document)
            yield chunk

    with _closing(encoder.encode_documents(chunks(), documents)) as stream:
        for rows in stream:
            chunk = waiting.popleft()
            documents.leave(chunk)
            yield chunk, rows if pooling is None else pooling(rows)


class _Documents(Mapping[str, "Document"]):
    """The documents of the chunks that the encoder has read and not yet given back, by id."""

    def __init__(self, stored: Callable[[str], Document | None] | None) -> None:
        self._stored = stored
        self._known: dict[str, Document | None] = {}
        self._chunks: Counter[str] = Counter()

    def enter(self, chunk: Chunk, document: Document | None) -> None:
        self._chunks[chunk.document_id] += 1
        if document is not None:
            self._known[chunk.document_id] = document

    def leave(self, chunk: Chunk) -> None:
        self._chunks[chunk.document_id] -= 1
        if not self._chunks[chunk.document_id]:
            del self._chunks[chunk.document_id]
            self._known.pop(chunk.document_id, None)

    def __getitem__(self, identity: str) -> Document:
        if identity not in self._chunks:
            raise KeyError(identity)
        if identity not in self._known:
            self._known[identity] = self._stored(identity) if self._stored is not None else None
        document = self._known[identity]
        if document is None:
            raise KeyError(identity)
        return document

    def __iter__(self) -> Iterator[str]:
        return (identity for identity in list(self._chunks) if identity in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@contextmanager
def _closing(stream: Iterator[TokenEmbeddings]) -> Iterator[Iterator[TokenEmbeddings]]:
    """Ends a generator where its reader ends, so that its workers stop with it."""
    try:
        yield stream
    finally:
        if isinstance(stream, Generator):
            stream.close()
