"""A test collection's documents through chunker, encoder and pooling into a collection, each stage timed."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from late_rag.chunkers import load_chunker
from late_rag.pooling import load_pooling
from late_rag.types import Progress

if TYPE_CHECKING:
    from late_rag.evaluation.beir import BeirCollection
    from late_rag.evaluation.overlap import ExactTop
    from late_rag.protocols import Chunker, Collection, Encoder
    from late_rag.types import Chunk, Document, Report

_BLOCK_CHUNKS = 512


def fill(
    collection: Collection, encoder: Encoder, data: BeirCollection, titles: bool, exact: ExactTop, report: Report
) -> tuple[float, float]:
    """Fills the collection block by block; seconds of encoding, and of writing.

    A block is encoded to its end before it is written, so that neither time hides in the other.
    """
    chunker = load_chunker(collection.settings.chunking, encoder)
    pooling = load_pooling(collection.settings.pooling)
    encode_s = build_s = 0.0
    done = 0
    for documents, chunks in _blocks(data.documents(titles), chunker):
        start = time.perf_counter()
        embeddings = list(encoder.encode_documents(chunks, {document.id: document for document in documents}))
        encoded = time.perf_counter()
        collection.add(chunks, embeddings if pooling is None else list(map(pooling, embeddings)), documents)
        encode_s += encoded - start
        build_s += time.perf_counter() - encoded
        exact.add([chunk.id for chunk in chunks], embeddings)
        done += len(documents)
        report(Progress("encode", done, data.document_count, "documents"))
    start = time.perf_counter()
    collection.optimize()
    return encode_s, build_s + time.perf_counter() - start


def _blocks(documents: Iterable[Document], chunker: Chunker) -> Iterator[tuple[list[Document], list[Chunk]]]:
    """Whole documents with their chunks, in blocks of about as many chunks."""
    block: list[Document] = []
    chunks: list[Chunk] = []
    for document in documents:
        block.append(document)
        chunks.extend(chunker(document))
        if len(chunks) >= _BLOCK_CHUNKS:
            yield block, chunks
            block, chunks = [], []
    if block:
        yield block, chunks
