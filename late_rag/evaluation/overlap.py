"""The yardstick of overlap@10: exact MaxSim over float32 embeddings, in the memory of one block of them."""

from __future__ import annotations

import heapq
import math
import statistics
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from late_rag.scoring import maxsim

if TYPE_CHECKING:
    from late_rag.types import Hit, TokenEmbeddings

SIZE = 10
"""How many of the best chunks are compared."""


class ExactTop:
    """The best chunks of each query by exact MaxSim, kept up while the embeddings pass by and are forgotten."""

    def __init__(self, queries: Sequence[TokenEmbeddings]) -> None:
        self._queries = queries
        self._best: list[list[tuple[float, str]]] = [[] for _ in queries]

    def add(self, ids: Sequence[str], embeddings: Sequence[TokenEmbeddings]) -> None:
        """The next chunks, ``(tokens, dim) float32`` each; of equal scores the earlier stays in front."""
        for number, query in enumerate(self._queries):
            scores = maxsim(query, embeddings).tolist()
            some = [(score, identity) for score, identity in zip(scores, ids, strict=True) if score > -math.inf]
            ranked = heapq.nsmallest(SIZE, self._best[number] + some, key=lambda found: -found[0])
            self._best[number] = ranked

    def overlap(self, found: Iterable[Sequence[Hit]]) -> float:
        """The mean share of each query's best that are among its hits."""
        shares = []
        for best, hits in zip(self._best, found, strict=True):
            ids = {hit.chunk.id for hit in hits[:SIZE]}
            shares.append(sum(identity in ids for _, identity in best) / len(best) if best else 1.0)
        return statistics.fmean(shares)
