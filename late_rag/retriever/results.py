"""What shapes a result without knowing where it is stored: threshold and grouping.

Each step takes hits, best first, and returns hits, best first. Context (``expand``), diversity and the hybrid order
belong here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from late_rag.types import Hit, TokenEmbeddings

Ask: TypeAlias = "Callable[[Sequence[TokenEmbeddings], int], list[list[Hit]]]"
"""Queries and how many hits each wants, to the hits of each."""


def above(hits: Iterable[Hit], threshold: float | None) -> list[Hit]:
    """Hits whose similarity is at least the threshold."""
    return [hit for hit in hits if threshold is None or hit.similarity >= threshold]


def best_per_document(hits: Iterable[Hit]) -> list[Hit]:
    """The first hit of each document."""
    best: dict[str, Hit] = {}
    for hit in hits:
        best.setdefault(hit.chunk.document_id, hit)
    return list(best.values())


def search_chunks(ask: Ask, queries: Sequence[TokenEmbeddings], top_k: int, threshold: float | None) -> list[list[Hit]]:
    """The ``top_k`` best chunks for each query."""
    return [above(hits, threshold) for hits in ask(queries, top_k)]


def search_documents(
    ask: Ask, queries: Sequence[TokenEmbeddings], top_k: int, threshold: float | None
) -> list[list[Hit]]:
    """The best chunk of each of the ``top_k`` best documents, for each query.

    Asks for twice as many chunks as long as there are too few documents among them and more chunks to be had.
    """
    results: list[list[Hit]] = [[] for _ in queries]
    unfinished, count = list(range(len(queries))), top_k
    while unfinished:
        count *= 2
        answers = ask([queries[number] for number in unfinished], count)
        remaining = []
        for number, hits in zip(unfinished, answers, strict=True):
            kept = above(hits, threshold)
            results[number] = best_per_document(kept)[:top_k]
            exhausted = len(hits) < count or len(kept) < len(hits)
            if len(results[number]) < top_k and not exhausted:
                remaining.append(number)
        unfinished = remaining
    return results
