"""Every search sees one state of the collection, whatever other threads write meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from late_rag.collections import open_collection
from late_rag.collections.local import LocalCollection
from late_rag.filters.selection import Selection
from late_rag.testing.collection_base import chunk, fill, rows

EVERYTHING = Selection(filter="kind == 'x'")
"""As a filter, so that the selected rows are looked up."""


def while_replacing(collection: LocalCollection, look: Callable[[int], None], rounds: int, writers: int = 1) -> None:
    """Calls ``look`` again and again in four threads, while others replace the chunk ``always`` by itself."""
    (embeddings,) = rows(1, seed=77)
    collection.add([chunk("always", kind="x", turn=0)], [embeddings])
    stop = threading.Event()

    def replace() -> None:
        turn = 0
        while not stop.is_set():
            collection.add([chunk("always", kind="x", turn=(turn := turn + 1))], [embeddings])

    with ThreadPoolExecutor(4 + writers) as threads:
        writing = [threads.submit(replace) for _ in range(writers)]
        try:
            list(threads.map(look, range(rounds)))
        finally:
            stop.set()
        for writer in writing:
            writer.result()


def all_found(collection: LocalCollection, rounds: int) -> None:
    (query,) = rows(1, seed=77)

    def look(number: int) -> None:
        (hits,) = collection.search([query], 1, EVERYTHING if number % 2 else None)
        assert [hit.chunk.id for hit in hits] == ["always"], number

    while_replacing(collection, look, rounds)


def test_a_chunk_that_is_being_replaced_is_found(tmp_path: Path, collection: LocalCollection) -> None:
    fill(collection, 400, kind="x")
    all_found(collection, 600)


@pytest.mark.slow
def test_a_chunk_that_is_being_replaced_is_found_thousands_of_times(collection: LocalCollection) -> None:
    fill(collection, 400, kind="x")
    all_found(collection, 10_000)


def test_many_queries_of_one_call_see_one_state(collection: LocalCollection) -> None:
    fill(collection, 300, kind="x")
    (query,) = rows(1, seed=77)

    def look(number: int) -> None:
        found = collection.search([query] * 260, 1)
        assert len({hits[0].chunk.metadata["turn"] for hits in found}) == 1, number

    while_replacing(collection, look, 4)


def test_no_thread_goes_back_in_time(collection: LocalCollection) -> None:
    """What a search saw is never gone in a later one, on whatever thread, by scan, filter, full text or count."""
    fill(collection, 400, kind="x")
    (query,) = rows(1, seed=77)
    newest = 0
    other = open_collection(collection.location)

    def look(number: int) -> None:
        nonlocal newest
        before, reader = newest, (collection, other)[number % 2]
        ways = (
            lambda: reader.search([query], 1)[0][0].chunk,
            lambda: reader.search([query], 1, EVERYTHING)[0][0].chunk,
            lambda: reader.text_search(["always"], 1)[0][0].chunk,
            lambda: reader.get(["always"])[0],
        )
        seen = ways[number // 2 % len(ways)]().metadata["turn"]
        assert seen >= before, number
        newest = max(newest, seen)

    while_replacing(collection, look, 400)
    other.close()
