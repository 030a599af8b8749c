"""The adapters: what each adds to a search of the core, how long it holds the event loop, what it weighs.

``python -m benchmarks.adapters`` measures all of them, ``python -m benchmarks.adapters langchain`` one.
"""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from benchmarks.cranfield import read
from benchmarks.figures import Figure, report, seconds
from late_rag import Chunk, Reranker, Retriever

CALLS = 200
TICK_S = 0.0005
TOP_K, CANDIDATES, BEST = 10, 20, 5


@dataclass(frozen=True)
class Adapter:
    """One framework's components over a collection, each as a function of the query."""

    distribution: str
    search: Callable[[str], object]
    asearch: Callable[[str], Coroutine[Any, Any, object]]
    rerank: Callable[[str], object]


def langchain(core: Retriever, query: str) -> Adapter:
    from langchain_late_rag import LateInteractionReranker, LateInteractionRetriever

    retriever, reranker = (
        LateInteractionRetriever(collection=core.collection, k=TOP_K),
        LateInteractionReranker(top_n=BEST, keep_order=False),
    )
    documents = retriever.invoke(query, k=CANDIDATES)
    return Adapter(
        "langchain-late-rag",
        retriever.invoke,
        retriever.ainvoke,
        lambda query: reranker.compress_documents(documents, query),
    )


def llama_index(core: Retriever, query: str) -> Adapter:
    from llama_index.core.schema import QueryBundle

    from llama_index.postprocessor.late_rag import LateInteractionRerank
    from llama_index.retrievers.late_rag import LateInteractionRetriever

    retriever = LateInteractionRetriever(collection=core.collection, similarity_top_k=TOP_K)
    nodes = LateInteractionRetriever(collection=core.collection, similarity_top_k=CANDIDATES).retrieve(query)
    reranker = LateInteractionRerank(top_n=BEST, keep_order=False)
    return Adapter(
        "llama-index-retrievers-late-rag",
        retriever.retrieve,
        retriever.aretrieve,
        lambda query: reranker.postprocess_nodes(nodes, QueryBundle(query)),
    )


def haystack(core: Retriever, query: str) -> Adapter:
    os.environ.setdefault("HAYSTACK_TELEMETRY_ENABLED", "False")
    from haystack_integrations.components.rankers.late_rag import LateInteractionRanker
    from haystack_integrations.components.retrievers.late_rag import LateInteractionRetriever
    from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore

    store = LateInteractionDocumentStore(collection=core.collection)
    retriever = LateInteractionRetriever(document_store=store, top_k=TOP_K)
    ranker = LateInteractionRanker(top_k=BEST, keep_order=False)
    documents = retriever.run(query, top_k=CANDIDATES)["documents"]
    return Adapter(
        "late-rag-haystack",
        retriever.run,
        retriever.run_async,
        lambda query: ranker.run(query, documents),
    )


ADAPTERS = {"langchain": langchain, "llama_index": llama_index, "haystack": haystack}


def overhead(name: str, adapter: Adapter, core: Retriever, queries: Sequence[str]) -> Iterator[Figure]:
    """One question, in turns: the core's own search and rerank, and the components over them."""
    texts = [hit.chunk for hit in core.search(queries[0], CANDIDATES)]
    reranker = Reranker("minilm")
    works: dict[str, tuple[Callable[[str], object], Callable[[str], object]]] = {
        "search": (adapter.search, lambda query: core.search(query, TOP_K)),
        f"rerank of {CANDIDATES}": (adapter.rerank, lambda query: reranker.rerank(query, texts, BEST)),
    }
    for work, (ours, bare) in works.items():
        pairs = [
            (seconds(partial(ours, query)), seconds(partial(bare, query)))
            for query in (list(queries) * 2)[: CALLS + 10]
        ][10:]
        first, second = (1e3 * statistics.median(column) for column in zip(*pairs, strict=True))
        more = 1e3 * statistics.median(one - other for one, other in pairs)
        yield Figure(f"{name}: {work}, more than the core's in ms", f"{first:.2f} ms", f"{second:.2f} ms", more, 2)


async def held(search: Callable[[str], Coroutine[Any, Any, object]], queries: Sequence[str]) -> float:
    """For how many milliseconds a task on the loop had to wait beyond its sleep while searches ran: 99 % of waits."""
    late: list[float] = []
    running = True

    async def tick() -> None:
        while running:
            start = time.perf_counter()
            await asyncio.sleep(TICK_S)
            late.append(time.perf_counter() - start - TICK_S)

    ticking = asyncio.create_task(tick())
    for query in queries:
        await search(query)
    running = False
    await ticking
    return 1e3 * statistics.quantiles(late, n=100)[98]


def closure(name: str, seen: set[str] | None = None) -> set[str]:
    """The distributions that one needs, itself included, as they are installed here."""
    seen = set() if seen is None else seen
    if name in seen:
        return seen
    try:
        requirements = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return seen
    seen.add(name)
    for requirement in map(Requirement, requirements):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            closure(requirement.name.lower().replace("_", "-"), seen)
    return seen


def megabytes(names: set[str]) -> float:
    """Size of the installed files of these distributions."""
    files = [Path(str(file.locate())) for name in names for file in metadata.files(name) or []]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def figures(names: Sequence[str] = ()) -> Iterator[Figure]:
    """All figures of these adapters, or of every one."""
    queries = [row["text"] for row in read("queries")]
    with Retriever.create(None, chunking="whole") as core:
        core.add([Chunk(row["_id"], row["_id"], row["text"]) for row in read("corpus")[:400]])
        for name in names or ADAPTERS:
            adapter = ADAPTERS[name](core, queries[0])
            yield from overhead(name, adapter, core, queries)
            gc.collect()
            idle = asyncio.run(held(adapter.asearch, queries[:3]))
            longest = asyncio.run(held(adapter.asearch, queries[:100]))
            what = f"{name}: event loop held while searching, 99 % of ticks, ms"
            yield Figure(what, f"{longest:.2f}", f"{idle:.2f}", longest, 10)
            more = closure(adapter.distribution) - closure("late-rag")
            yield Figure(f"{name}: the extra, MB", f"{len(more)} distributions", "the core", megabytes(more), 250)


if __name__ == "__main__":
    report(figures(sys.argv[1:]))
