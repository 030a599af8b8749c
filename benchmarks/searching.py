"""Searching: the collection against numpy in memory, writes between searches, filters, threads, memory."""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import cranfield
from benchmarks.cranfield import Corpus
from benchmarks.figures import Figure, alternating_ms, report, seconds
from late_rag.collections import create_collection
from late_rag.filters.selection import Selection
from late_rag.protocols import Collection
from late_rag.types import Chunk

THREADS = 8
QUERIES_A_THREAD = 500


def filled(corpus: Corpus) -> Collection:
    """A temporary collection that holds the corpus."""
    collection = create_collection(None, corpus.settings)
    collection.add(corpus.chunks, corpus.embeddings)
    return collection


def against_numpy(corpus: Corpus, collection: Collection, limit: float) -> Figure:
    """``Collection.search`` against one float32 product and maxima over it, all in memory."""
    tokens = np.concatenate(corpus.embeddings)
    lengths = np.array([len(rows) for rows in corpus.embeddings])
    offsets = np.cumsum(lengths) - lengths
    ours, theirs = itertools.cycle(corpus.queries), itertools.cycle(corpus.queries)
    found, baseline = alternating_ms(
        lambda: collection.search([next(ours)], 10),
        lambda: np.maximum.reduceat(next(theirs) @ tokens.T, offsets, axis=1).sum(axis=0),
    )
    what = f"Collection.search, k=10, {len(tokens):,} tokens"
    return Figure(what, f"{found:.1f} ms", f"numpy {baseline:.1f} ms", found / baseline, limit)


def overlap(corpus: Corpus, collection: Collection) -> Figure:
    """How many of the float32 embeddings' exact ten best the stored rows find."""
    tokens = np.concatenate(corpus.embeddings)
    lengths = np.array([len(rows) for rows in corpus.embeddings])
    offsets = np.cumsum(lengths) - lengths
    shared = 0
    for query, hits in zip(corpus.queries, collection.search(corpus.queries, 10), strict=True):
        scores = np.maximum.reduceat(query @ tokens.T, offsets, axis=1).sum(axis=0)
        best = {corpus.chunks[number].id for number in np.argsort(-scores)[:10]}
        shared += len(best & {hit.chunk.id for hit in hits})
    value = shared / (10 * len(corpus.queries))
    return Figure(f"overlap@10, {len(tokens):,} tokens", f"{shared} found", "float32 exact", value, 0.99, at_most=False)


def memory(corpus: Corpus) -> Figure:
    """What searching adds beyond the packed rows, in a process that does nothing else: one query, then a thousand."""
    with tempfile.TemporaryDirectory() as folder:
        collection = create_collection(Path(folder) / "c.rag", corpus.settings)
        collection.add(corpus.chunks, corpus.embeddings)
        collection.close()
        np.save(Path(folder) / "queries.npy", np.stack(list(itertools.islice(itertools.cycle(corpus.queries), 1000))))
        output = subprocess.run(
            [sys.executable, "-c", _SEARCHES, folder], capture_output=True, text=True, check=True
        ).stdout
    packed = corpus.tokens * corpus.settings.dim / 1e6
    beyond = float(output) - packed
    what = f"memory beyond the packed rows, 1,000 queries, {corpus.tokens:,} tokens"
    return Figure(what, f"{beyond:.0f} MB", f"packed {packed:.0f} MB", beyond, 300)


_SEARCHES = """
import sys
import numpy as np, onnxruntime
from benchmarks.figures import peak_mb, resident_mb
from late_rag.collections import open_collection
queries = list(np.load(sys.argv[1] + "/queries.npy"))
collection = open_collection(sys.argv[1] + "/c.rag", "read")
before = resident_mb()
collection.search(queries[:1], 10)
collection.search(queries, 10)
print(peak_mb() - before)
"""


def durable_add(corpus: Corpus) -> Iterator[Figure]:
    """One chunk added, durably, and the search after it against the one before."""
    collection = filled(corpus)
    queries = itertools.cycle(corpus.queries)
    adds, before, after = [], [], []
    for number in range(80):
        chunk = Chunk(f"new-{number}", f"new-{number}", "one more passage", metadata={"number": number})
        rows = [corpus.embeddings[number]]
        before.append(seconds(lambda: collection.search([next(queries)], 10)))
        adds.append(seconds(lambda chunk=chunk, rows=rows: collection.add([chunk], rows)))
        after.append(seconds(lambda: collection.search([next(queries)], 10)))
    collection.close()
    add, first, second = (1e3 * statistics.median(times[20:]) for times in (adds, before, after))
    count = f"{len(corpus.chunks):,} chunks"
    yield Figure(f"one durable add at {count}, p50", f"{add:.2f} ms", "a limit in ms", add, 3)
    yield Figure(f"search after an add at {count}", f"{second:.1f} ms", f"before {first:.1f} ms", second / first, 1.2)


def filters(corpus: Corpus) -> Iterator[Figure]:
    """What a filter on two fields adds to a search, the first time and the second."""
    collection = filled(corpus)
    query = corpus.queries[:1]
    for share, number, limit in (("2 %", "fiftieth == 7", 1.0), ("half", "half == 1", 6.0)):
        fresh = [Selection(filter=f'{number} and kind in ["odd", "even", "{n}"]') for n in range(40)]
        times: list[tuple[float, float, float]] = [
            (
                seconds(lambda: collection.search(query, 10)),
                seconds(lambda selection=selection: collection.search(query, 10, selection)),
                seconds(lambda selection=selection: collection.search(query, 10, selection)),
            )
            for selection in fresh
        ][5:]
        plain, first, again = (1e3 * statistics.median(column) for column in zip(*times, strict=True))
        more = 1e3 * statistics.median(second - first for first, second, _ in times)
        what = f"filter of two fields, {share} match, {len(corpus.chunks):,} chunks"
        yield Figure(what, f"{first:.1f} ms", f"unfiltered {plain:.1f} ms: more, in ms", more, limit)
        yield Figure(f"{what}, again", f"{again:.1f} ms", f"unfiltered {plain:.1f} ms", again / plain, 1.1)
    collection.close()


def threads(corpus: Corpus, collection: Collection, limit: float) -> Figure:
    """Eight threads against one, with the same answers."""
    queries = list(itertools.islice(itertools.cycle(corpus.queries), QUERIES_A_THREAD))
    answers: dict[int, list[list[str]]] = {}

    def work(number: int, count: int) -> None:
        found = [collection.search([query], 10)[0] for query in queries[:count]]
        answers[number] = [[hit.chunk.id for hit in hits] for hits in found]

    work(0, 20)
    count = QUERIES_A_THREAD if corpus.tokens < 500_000 else 60
    alone = count / seconds(lambda: work(-1, count))
    pool = [threading.Thread(target=work, args=(number, count)) for number in range(THREADS)]
    start = time.perf_counter()
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    together = THREADS * count / (time.perf_counter() - start)
    if any(answers.get(number) != answers[-1] for number in range(THREADS)):
        raise SystemExit("threads found other hits than one thread did")
    what = f"{THREADS} threads × {count} queries, {corpus.tokens:,} tokens"
    return Figure(what, f"{together:.0f}/s", f"one thread {alone:.0f}/s", together / alone, limit, at_most=False)


def figures() -> Iterator[Figure]:
    """All figures of searching."""
    small = cranfield.cranfield()
    collection = filled(small)
    yield against_numpy(small, collection, 0.35)
    yield overlap(small, collection)
    yield threads(small, collection, 1.1)
    collection.close()
    large = cranfield.multiplied(small)
    yield memory(large)
    collection = filled(large)
    yield against_numpy(large, collection, 0.3)
    yield threads(large, collection, 1.0)
    collection.close()
    chunks = cranfield.many_small(small, 15_000)
    yield from durable_add(chunks)
    yield from filters(chunks)


if __name__ == "__main__":
    report(figures())
