"""Cranfield encoded by minilm, as it is (250 k tokens) and multiplied with noise (1.3 M)."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from benchmarks.figures import data_folder
from late_rag import load_encoder
from late_rag.protocols import CollectionSettings
from late_rag.types import Chunk, TokenEmbeddings

TIMES = 5.3
MEAN_COSINE = 0.9


@dataclass(frozen=True)
class Corpus:
    """Chunks with embeddings, queries of exactly 20 tokens, and settings for a collection of them."""

    chunks: list[Chunk]
    embeddings: list[TokenEmbeddings]
    queries: list[TokenEmbeddings]
    settings: CollectionSettings

    @property
    def tokens(self) -> int:
        return sum(map(len, self.embeddings))


def read(name: str) -> list[dict[str, str]]:
    """The lines of one of Cranfield's files."""
    path = data_folder() / "cranfield" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def cranfield() -> Corpus:
    """Each abstract as one chunk (over-long ones in windows), and the first 20 tokens of the longer queries."""
    encoder = load_encoder("minilm")
    chunks = [
        Chunk(row["_id"], row["_id"], row["text"], metadata={"number": n, "tenth": n % 10, "half": n % 2})
        for n, row in enumerate(read("corpus"))
    ]
    queries = encoder.encode_queries([row["text"] for row in read("queries")])
    settings = CollectionSettings("minilm", encoder.model_id, encoder.dim)
    embeddings = list(encoder.encode_documents(chunks))
    return Corpus(chunks, embeddings, [query[:20] for query in queries if len(query) >= 20], settings)


def multiplied(corpus: Corpus) -> Corpus:
    """The same chunks 5.3 times, each row of the copies moved by noise to a mean cosine of .9."""
    rng = np.random.default_rng(0)
    spread = np.sqrt(1 / MEAN_COSINE**2 - 1)
    chunks, embeddings = list(corpus.chunks), list(corpus.embeddings)
    for number in range(len(chunks), int(TIMES * len(corpus.chunks))):
        original = number % len(corpus.chunks)
        chunks.append(Chunk(f"copy-{number}", f"copy-{number}", corpus.chunks[original].text))
        noise = rng.standard_normal(corpus.embeddings[original].shape)
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        moved = corpus.embeddings[original] + spread * noise
        embeddings.append((moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32))
    return Corpus(chunks, embeddings, corpus.queries, corpus.settings)


def many_small(corpus: Corpus, count: int) -> Corpus:
    """So many chunks of 20 tokens, cut from the corpus's: for what depends on the number of chunks."""
    rng = np.random.default_rng(0)
    chunks, embeddings = [], []
    for number in range(count):
        rows = corpus.embeddings[number % len(corpus.embeddings)]
        start = int(rng.integers(0, max(1, len(rows) - 20)))
        facts = {"number": number, "fiftieth": number % 50, "half": number % 2, "kind": "even" if number % 2 else "odd"}
        chunks.append(Chunk(f"small-{number}", f"small-{number}", f"passage {number}", metadata=facts))
        embeddings.append(rows[start : start + 20])
    return Corpus(chunks, embeddings, corpus.queries, corpus.settings)
