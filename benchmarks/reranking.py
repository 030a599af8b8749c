"""Reranking: 100 candidates that the reranker has seen, and 100 that it has not, against encoding them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benchmarks.cranfield import read
from benchmarks.figures import Figure, alternating_ms, report, seconds
from late_rag import Reranker, Retriever, load_encoder
from late_rag.types import Chunk

CANDIDATES = 100
ROUNDS = 5


def figures() -> Iterator[Figure]:
    """Uncached in turns with the bare encoding of the same chunks, then cached, then known to a collection."""
    encoder = load_encoder("minilm")
    chunks = [Chunk(row["_id"], row["_id"], row["text"]) for row in read("corpus")[:CANDIDATES]]
    queries = [row["text"] for row in read("queries")]
    list(encoder.encode_documents(chunks[:10]))

    bare, uncached, cold = [], [], Reranker(encoder=encoder, cache_bytes=0)
    for number in range(ROUNDS):
        bare.append(seconds(lambda: list(encoder.encode_documents(chunks))))
        uncached.append(seconds(lambda number=number: cold.rerank(queries[number], chunks)))
    encoding = statistics.median(bare)
    yield Figure(
        f"rerank {CANDIDATES} chunks, uncached",
        f"{1e3 * statistics.median(uncached):.0f} ms",
        f"encoding {1e3 * encoding:.0f} ms",
        statistics.median(ours / theirs for ours, theirs in zip(uncached, bare, strict=True)),
        1.1,
    )
    warm = Reranker(encoder=encoder)
    with Retriever.create(None, encoder) as retriever:
        retriever.add(chunks)
        known = Reranker(encoder=encoder, collection=retriever.collection)
        cached_ms, known_ms = alternating_ms(
            lambda: warm.rerank(queries[0], chunks), lambda: known.rerank(queries[0], chunks)
        )
    for what, took in (("cached", cached_ms), ("known to a collection", known_ms)):
        name = f"rerank {CANDIDATES} chunks, {what}"
        yield Figure(name, f"{took:.1f} ms", f"encoding {1e3 * encoding:.0f} ms", took / 1e3 / encoding, 0.01)


if __name__ == "__main__":
    report(figures())
