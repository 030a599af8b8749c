"""Diverse hits: maximal marginal relevance, with MaxSim between chunks as what two of them have in common.

Carbonell and Goldstein, *The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries*,
SIGIR 1998. What a chunk repeats of one that was picked is the mean, over the chunk's own tokens, of the best match
among the other's; both this and the similarity to the query are between 0 and 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from late_rag.types import Hit, TokenEmbeddings


def diverse(
    hits: Sequence[Hit], embeddings: Mapping[str, TokenEmbeddings], top_k: int, lambda_mult: float
) -> list[Hit]:
    """The ``top_k`` that are each most relevant and least a repetition of those before; the first is the best hit.

    Args:
        hits: best first; of a hybrid search relevance is the fused score, 1 for the first.
        embeddings: of each hit's chunk, by id.
        top_k: how many at most.
        lambda_mult: 1 is relevance alone, 0 difference alone.
    """
    import numpy as np

    from late_rag.scoring.scores import maxsim_of_many

    if not hits:
        return []
    rows = [embeddings[hit.chunk.id] for hit in hits]
    lengths = np.array([max(1, len(each)) for each in rows])
    relevance = np.array([_relevance(hit, hits[0]) for hit in hits])
    repeated = np.zeros(len(hits))
    left = list(range(len(hits)))
    picked: list[int] = []
    while left and len(picked) < top_k:
        value = lambda_mult * relevance[left] - (1 - lambda_mult) * repeated[left] if picked else relevance[left]
        picked.append(left.pop(0 if not picked else int(np.argmax(value))))
        if left and len(picked) < top_k:
            common = maxsim_of_many([rows[number] for number in left], rows[picked[-1]]) / lengths[left]
            repeated[left] = np.maximum(repeated[left], np.clip(common, 0, 1))
    return [hits[number] for number in picked]


def _relevance(hit: Hit, best: Hit) -> float:
    return hit.fused / best.fused if hit.fused is not None and best.fused else hit.similarity
