"""The queries of a test collection asked of a collection: how good the answers are, and how long they take."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from late_rag.evaluation.report import Ranked
from late_rag.measures import mean_measures
from late_rag.types import Hit, Progress, Report

if TYPE_CHECKING:
    from late_rag.evaluation.beir import BeirCollection
    from late_rag.protocols import Collection
    from late_rag.types import TokenEmbeddings

Search: TypeAlias = Callable[[int], list[Hit]]
"""One query's hits for a ``top_k``."""

T = TypeVar("T")
R = TypeVar("R")

DEPTH = 100
"""Different documents that are fetched for each query."""

_TOP = 10
_WARM_UP = 20


def timed(work: Callable[[T], R], items: Iterable[T]) -> tuple[list[R], list[float]]:
    """The result for each item, and the milliseconds each took."""
    results: list[R] = []
    milliseconds: list[float] = []
    for item in items:
        start = time.perf_counter()
        results.append(work(item))
        milliseconds.append(1e3 * (time.perf_counter() - start))
    return results, milliseconds


def dense_search(
    collection: Collection, embeddings: Mapping[str, TokenEmbeddings], data: BeirCollection, report: Report
) -> tuple[Ranked, list[list[Hit]]]:
    """How ``search`` does with these embeddings by query id, and its first ten chunks for each query."""
    searches: dict[str, Search] = {
        identity: partial(_search, collection, query) for identity, query in embeddings.items()
    }
    return _ranked("search", searches, data, report)


def _search(collection: Collection, query: TokenEmbeddings, top_k: int) -> list[Hit]:
    return collection.search([query], top_k)[0]


def text_search(collection: Collection, texts: Mapping[str, str], data: BeirCollection, report: Report) -> Ranked:
    """How ``text_search`` does with these texts by query id."""
    searches: dict[str, Search] = {
        identity: partial(_text_search, collection, text) for identity, text in texts.items()
    }
    return _ranked("text search", searches, data, report)[0]


def _text_search(collection: Collection, text: str, top_k: int) -> list[Hit]:
    return collection.text_search([text], top_k)[0]


def _ranked(
    stage: str, searches: Mapping[str, Search], data: BeirCollection, report: Report
) -> tuple[Ranked, list[list[Hit]]]:
    """Quality and speed of one way to search, and the first ten chunks of each query."""
    rankings: dict[str, list[str]] = {}
    for done, (identity, search) in enumerate(searches.items(), 1):
        rankings[identity] = _document_ranking(search, data.document_count)
        report(Progress(stage, done, len(searches), "queries"))
    for search in list(searches.values())[:_WARM_UP]:
        search(_TOP)
    top, milliseconds = timed(lambda search: search(_TOP), searches.values())
    measures = mean_measures(rankings, data.judgements)
    return Ranked(measures, statistics.median(milliseconds), _percentile(milliseconds, 95)), top


def _document_ranking(search: Search, documents_there: int) -> list[str]:
    """The first DEPTH documents by their best chunks, or all there are; twice as many chunks each time until then."""
    top_k, wanted = DEPTH, min(DEPTH, documents_there)
    while True:
        hits = search(top_k)
        documents = list(dict.fromkeys(hit.chunk.document_id for hit in hits))
        if len(documents) >= wanted or len(hits) < top_k:
            return documents[:DEPTH]
        top_k *= 2


def _percentile(values: Sequence[float], percent: int) -> float:
    """The smallest of the values that so many percent of them do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]
