"""Exact scores from the stored rows, for those that may be among the best.

Where candidates come with upper bounds of their scores, the result is exact: rows are scored in the order of their
bounds, in batches of doubling size, until the next bound is below the k-th best score. Ties go to the lower row.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from late_rag.collections.kit.candidates import Candidates
from late_rag.scoring.packing import PackedRows
from late_rag.scoring.stored import StoredQuery, stored_best, stored_maxsim
from late_rag.types import batched

if TYPE_CHECKING:
    Ranked = list[tuple[int, float]]
    """Rows and scores, best first."""

RowStore: TypeAlias = Callable[[Sequence[int]], tuple[list[int], list[PackedRows]]]
"""Reads stored rows: those of the numbers asked for that exist and have embeddings, and the embeddings of each."""

_FIRST_SCORED = 8
_MOST_SCORED = 512


def best_of_candidates(store: RowStore, query: StoredQuery, candidates: Candidates, top_k: int) -> Ranked:
    """The best of what may be among them; no more is read than the bounds ask for."""
    ranked = best_of_rows(store, query, candidates.sure, top_k)
    size = top_k + _FIRST_SCORED
    threshold = _threshold(ranked, top_k)
    while batch := candidates.take(min(size, _MOST_SCORED), threshold):
        numbers, packed = store(batch)
        scores = stored_maxsim(query, packed).tolist()
        ranked = _best([*ranked, *zip(numbers, scores, strict=True)], top_k)
        threshold = _threshold(ranked, top_k)
        size *= 2
    return ranked


def best_of_rows(store: RowStore, query: StoredQuery, chosen: Sequence[int], top_k: int) -> Ranked:
    """The best of rows of which no bounds are known."""
    ranked: Ranked = []
    for batch in batched(chosen, _MOST_SCORED):
        numbers, packed = store(batch)
        scores = stored_best(query, packed, top_k, _threshold(ranked, top_k)).tolist()
        better = [pair for pair in zip(numbers, scores, strict=True) if pair[1] > -math.inf]
        ranked = _best([*ranked, *better], top_k)
    return ranked


def _threshold(ranked: Ranked, top_k: int) -> float:
    """What a row must score to be among the best."""
    return ranked[-1][1] if len(ranked) == top_k else -math.inf


def _best(scored: Ranked, top_k: int) -> Ranked:
    return heapq.nsmallest(top_k, scored, key=lambda pair: (-pair[1], pair[0]))
