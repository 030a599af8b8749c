"""The LangChain adapter: what it adds to a search of the core, how long it holds the event loop, what it weighs."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from benchmarks.cranfield import read
from benchmarks.figures import Figure, report, seconds
from langchain_late_rag import LateInteractionReranker, LateInteractionRetriever
from late_rag import Reranker, Retriever
from late_rag.types import Chunk

CALLS = 200
TICK_S = 0.0005


def overhead(core: Retriever, queries: list[str]) -> Iterator[Figure]:
    """One question, in turns: the core's own search and rerank, and the components over them."""
    component = LateInteractionRetriever(collection=core.collection, k=10)
    texts = [hit.chunk for hit in core.search(queries[0], 20)]
    documents = component.invoke(queries[0], k=20)
    reranker, mine = LateInteractionReranker(top_n=5), Reranker("minilm")
    works = {
        "search": (lambda query: component.invoke(query), lambda query: core.search(query, 10)),
        "rerank of 20": (
            lambda query: reranker.compress_documents(documents, query),
            lambda query: mine.rerank(query, texts, 5),
        ),
    }
    for name, (adapter, bare) in works.items():
        pairs = [
            (seconds(partial(adapter, query)), seconds(partial(bare, query))) for query in (queries * 2)[: CALLS + 10]
        ][10:]
        ours, theirs = (1e3 * statistics.median(column) for column in zip(*pairs, strict=True))
        more = 1e3 * statistics.median(first - second for first, second in pairs)
        yield Figure(f"LangChain's {name}, more than the core's in ms", f"{ours:.2f} ms", f"{theirs:.2f} ms", more, 2)


async def held(component: LateInteractionRetriever, queries: list[str]) -> float:
    """The longest time in milliseconds that a task on the loop had to wait beyond its sleep, while searches ran."""
    late: list[float] = []
    running = True

    async def tick() -> None:
        while running:
            start = time.perf_counter()
            await asyncio.sleep(TICK_S)
            late.append(time.perf_counter() - start - TICK_S)

    ticking = asyncio.create_task(tick())
    for query in queries:
        await component.ainvoke(query)
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


def figures() -> Iterator[Figure]:
    """All figures of the adapter."""
    queries = [row["text"] for row in read("queries")]
    with Retriever.create(None) as core:
        core.add([Chunk(row["_id"], row["_id"], row["text"]) for row in read("corpus")[:400]])
        yield from overhead(core, queries)
        component = LateInteractionRetriever(collection=core.collection, k=10)
        gc.collect()
        idle = asyncio.run(held(component, queries[:3]))
        longest = asyncio.run(held(component, queries[:100]))
        yield Figure("event loop held while searching, 99 % of ticks, ms", f"{longest:.2f}", f"{idle:.2f}", longest, 10)
    more = closure("langchain-late-rag") - closure("late-rag")
    yield Figure("the extra [langchain], MB", f"{len(more)} distributions", "the core", megabytes(more), 60)


if __name__ == "__main__":
    report(figures())
