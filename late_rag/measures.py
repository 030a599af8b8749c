"""Measures of a ranking of documents against graded judgements, each as trec_eval computes it.

A ranking is document ids, best first, each once. Grades say how relevant a document is: from 1 it counts as relevant;
a document that was not judged has grade 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

Grades: TypeAlias = Mapping[str, int]
"""Grade by document id."""

Measure: TypeAlias = Callable[[Sequence[str], Grades, int], float]


def ndcg(ranking: Sequence[str], grades: Grades, k: int) -> float:
    """nDCG@k: the discounted gain of the first k, over that of the best ranking there could be.

    The gain is the grade, the discount the logarithm to base 2 of the rank plus one (Järvelin & Kekäläinen 2002,
    doi:10.1145/582415.582418, as trec_eval's ``ndcg_cut``). 0 where nothing is relevant.
    """
    ideal = _discounted(sorted(grades.values(), reverse=True)[:k])
    return _discounted([grades.get(identity, 0) for identity in ranking[:k]]) / ideal if ideal else 0.0


def _discounted(gains: Sequence[int]) -> float:
    return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1) if gain > 0)


def recall(ranking: Sequence[str], grades: Grades, k: int) -> float:
    """Recall@k: the share of the relevant documents that are among the first k. 0 where nothing is relevant."""
    relevant = _relevant(grades)
    return len(relevant.intersection(ranking[:k])) / len(relevant) if relevant else 0.0


def mrr(ranking: Sequence[str], grades: Grades, k: int) -> float:
    """MRR@k of one ranking: one over the rank of the first relevant document, 0 where none is among the first k."""
    relevant = _relevant(grades)
    return next((1 / rank for rank, identity in enumerate(ranking[:k], 1) if identity in relevant), 0.0)


def _relevant(grades: Grades) -> set[str]:
    return {identity for identity, grade in grades.items() if grade > 0}


MEASURES: Mapping[str, tuple[Measure, int]] = {
    "ndcg@10": (ndcg, 10),
    "recall@10": (recall, 10),
    "recall@100": (recall, 100),
    "mrr@10": (mrr, 10),
}
"""Name, function and k of what an evaluation reports."""


def mean_measures(rankings: Mapping[str, Sequence[str]], judgements: Mapping[str, Grades]) -> dict[str, float]:
    """Each of MEASURES, averaged over the queries that were ranked.

    Args:
        rankings: by query id; at least one.
        judgements: grades by query id; a query without any counts 0.
    """
    return {
        name: math.fsum(measure(ranking, judgements.get(query, {}), k) for query, ranking in rankings.items())
        / len(rankings)
        for name, (measure, k) in MEASURES.items()
    }
