"""A test collection's documents through chunker, encoder and pooling into a collection, each stage timed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from late_rag import road
from late_rag.chunkers import load_chunker
from late_rag.pooling import load_pooling
from late_rag.types import Progress

if TYPE_CHECKING:
    from late_rag.evaluation.beir import BeirCollection
    from late_rag.evaluation.overlap import ExactTop
    from late_rag.protocols import Chunker, Collection, Encoder, TokenPooling
    from late_rag.road import Passage
    from late_rag.types import Document, Report, TokenEmbeddings

_BLOCK_CHUNKS = 512


def fill(
    collection: Collection, encoder: Encoder, data: BeirCollection, titles: bool, exact: ExactTop, report: Report
) -> tuple[float, float]:
    """Fills the collection block by block; seconds of encoding, and of writing.

    A block is encoded to its end before it is written, so that neither time hides in the other.
    """
    chunker = load_chunker(collection.settings.chunking, encoder)
    pooling = _WatchedPooling(load_pooling(collection.settings.pooling))
    encode_s = build_s = 0.0
    done = 0
    for documents, passages in _blocks(data.documents(titles), chunker):
        start = time.perf_counter()
        encoded = list(road.encode(passages, encoder, pooling))
        pooling_s, unpooled = pooling.taken()
        written = time.perf_counter()
        chunks = [chunk for chunk, _ in encoded]
        collection.add(chunks, [rows for _, rows in encoded], documents)
        encode_s += written - start - pooling_s
        build_s += time.perf_counter() - written + pooling_s
        exact.add([chunk.id for chunk in chunks], unpooled)
        done += len(documents)
        report(Progress("encode", done, data.document_count, "documents"))
    start = time.perf_counter()
    collection.optimize()
    return encode_s, build_s + time.perf_counter() - start


class _WatchedPooling:
    """A pooling, or none, that keeps what it was given, and how long it took."""

    def __init__(self, pooling: TokenPooling | None) -> None:
        self._pooling = pooling
        self._seconds = 0.0
        self._given: list[TokenEmbeddings] = []

    def __call__(self, embeddings: TokenEmbeddings) -> TokenEmbeddings:
        self._given.append(embeddings)
        if self._pooling is None:
            return embeddings
        start = time.perf_counter()
        pooled = self._pooling(embeddings)
        self._seconds += time.perf_counter() - start
        return pooled

    def options(self) -> dict[str, Any]:
        return {} if self._pooling is None else self._pooling.options()

    def taken(self) -> tuple[float, list[TokenEmbeddings]]:
        """Seconds, and what it was given, since this was asked last."""
        taken = self._seconds, self._given
        self._seconds, self._given = 0.0, []
        return taken


def _blocks(documents: Iterable[Document], chunker: Chunker) -> Iterator[tuple[list[Document], list[Passage]]]:
    """Whole documents with their chunks, in blocks of about as many chunks."""
    block: list[Document] = []
    passages: list[Passage] = []
    for document in documents:
        block.append(document)
        passages.extend(road.split([document], chunker))
        if len(passages) >= _BLOCK_CHUNKS:
            yield block, passages
            block, passages = [], []
    if block:
        yield block, passages
