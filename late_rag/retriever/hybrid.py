"""Hybrid order: reciprocal rank fusion of MaxSim and BM25.

Cormack, Clarke and Büttcher, *Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning Methods*,
SIGIR 2009: a chunk's score is the sum of ``1 / (60 + rank)`` over the lists it is in.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from late_rag.errors import UnsupportedError
from late_rag.filters.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from late_rag.protocols import Collection
    from late_rag.types import Hit, TokenEmbeddings

CONSTANT = 60
DEPTH = 100
"""How deep each list is at least: what a chunk adds that stands further down no longer matters much."""


def hybrid_search(
    collection: Collection,
    questions: Sequence[tuple[str, TokenEmbeddings]],
    top_k: int,
    selection: Selection | None,
    threshold: float | None,
) -> list[list[Hit]]:
    """For each question the ``top_k`` best by the sum of reciprocal ranks, each with its MaxSim score.

    Only hits of at least the threshold's similarity are ranked, so a full-text match alone does not pass it.

    Raises:
        UnsupportedError: the collection has no full text.
    """
    if not collection.capabilities.text_search:
        raise UnsupportedError(f'{collection.location} has no full text, which mode="hybrid" needs; use mode="maxsim"')
    depth = max(top_k, DEPTH)
    dense = collection.search([embeddings for _, embeddings in questions], depth, selection)
    sparse = collection.text_search([text for text, _ in questions], depth, selection)
    return [
        _fused(collection, embeddings, by_maxsim, by_text, selection, threshold)[:top_k]
        for (_, embeddings), by_maxsim, by_text in zip(questions, dense, sparse, strict=True)
    ]


def _fused(
    collection: Collection,
    embeddings: TokenEmbeddings,
    dense: list[Hit],
    sparse: list[Hit],
    selection: Selection | None,
    threshold: float | None,
) -> list[Hit]:
    scored = {hit.chunk.id: hit for hit in dense}
    missing = tuple(hit.chunk.id for hit in sparse if hit.chunk.id not in scored)
    if missing:
        # with all of the selection: a chunk may have become another since its text was found
        among = replace(selection or Selection(), ids=missing)
        (found,) = collection.search([embeddings], len(missing), among)
        scored.update((hit.chunk.id, hit) for hit in found)
    passing = {key: hit for key, hit in scored.items() if threshold is None or hit.similarity >= threshold}
    sums: dict[str, float] = defaultdict(float)
    for hits in (dense, sparse):
        for rank, key in enumerate((hit.chunk.id for hit in hits if hit.chunk.id in passing), 1):
            sums[key] += 1 / (CONSTANT + rank)
    order = sorted(sums, key=lambda key: (-sums[key], -passing[key].score, key))
    return [replace(passing[key], fused=sums[key]) for key in order]
