"""What shapes a result without knowing where it is stored: order, threshold, grouping, diversity, context."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias
from uuid import uuid4

from late_rag.retriever.context import with_context
from late_rag.retriever.diversity import diverse
from late_rag.retriever.hybrid import hybrid_search
from late_rag.types import Found, Search

if TYPE_CHECKING:
    from late_rag.protocols import Collection
    from late_rag.retriever.options import SearchConfig
    from late_rag.types import Hit, TokenEmbeddings

Ask: TypeAlias = Callable[[Sequence[int], int], "list[list[Hit]]"]
"""Numbers of queries and how many hits each wants, to the hits of each; fewer only where there are no more."""


def find(
    collection: Collection, queries: Sequence[str], embeddings: Sequence[TokenEmbeddings], config: SearchConfig
) -> list[list[Hit]]:
    """For each query its hits as they are asked for."""

    def ask(numbers: Sequence[int], count: int) -> list[list[Hit]]:
        if config.mode == "hybrid":
            asked = [(queries[number], embeddings[number]) for number in numbers]
            return hybrid_search(collection, asked, count, config.meant, config.threshold)
        found = collection.search([embeddings[number] for number in numbers], count, config.meant)
        return [above(hits, config.threshold) for hits in found]

    numbers = range(len(queries))
    if config.group_by == "document":
        lists = best_of_documents(ask, numbers, config.wanted)
    else:
        lists = ask(numbers, config.wanted)
    if config.lambda_mult is not None:
        lists = [_picked(collection, hits, config) for hits in lists]
    return lists if config.expand is None else with_context(collection, lists, config.expand, config.meant)


def _picked(collection: Collection, hits: list[Hit], config: SearchConfig) -> list[Hit]:
    rows = collection.embeddings([hit.chunk.id for hit in hits])
    there = [hit for hit in hits if hit.chunk.id in rows]  # one may have been deleted since
    return diverse(there, rows, config.top_k, config.lambda_mult or 0.0)


def placed(hits: Sequence[Hit], collection: Collection, query: str) -> list[Hit]:
    """The hits, each with the search that it is of and its place."""
    settings = collection.settings
    pooled = settings.pooling is not None
    search = Search(uuid4().hex, query, collection.location, settings.model_id, settings.variant, pooled)
    return [replace(hit, found=Found(search, place, hit.chunk.encoded_text)) for place, hit in enumerate(hits)]


def above(hits: Iterable[Hit], threshold: float | None) -> list[Hit]:
    """Hits whose similarity is at least the threshold."""
    return [hit for hit in hits if threshold is None or hit.similarity >= threshold]


def best_per_document(hits: Iterable[Hit]) -> list[Hit]:
    """The first hit of each document."""
    best: dict[str, Hit] = {}
    for hit in hits:
        best.setdefault(hit.chunk.document_id, hit)
    return list(best.values())


def best_of_documents(ask: Ask, numbers: Iterable[int], top_k: int) -> list[list[Hit]]:
    """The best chunk of each of the ``top_k`` best documents, for each query.

    Asks for twice as many chunks as long as there are too few documents among them and more chunks to be had.
    """
    results: dict[int, list[Hit]] = {number: [] for number in numbers}
    unfinished, count = list(results), top_k
    while unfinished:
        count *= 2
        answers = dict(zip(unfinished, ask(unfinished, count), strict=True))
        for number, hits in answers.items():
            results[number] = best_per_document(hits)[:top_k]
        unfinished = [number for number, hits in answers.items() if len(results[number]) < top_k and len(hits) == count]
    return list(results.values())
