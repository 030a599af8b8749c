"""The async twins of the retriever: same results, and an event loop that never waits."""

from __future__ import annotations

import asyncio
import threading

import pytest

from late_rag import Retriever
from late_rag.errors import InputError
from late_rag.testing import HashEncoder
from late_rag.types import AddResult, Document

TEXTS = [f"document number {number} " + "with some more words " * 40 for number in range(400)]


async def turns(work) -> tuple[int, object]:
    """How often another task had its turn while ``work`` was under way."""
    count, task = 0, asyncio.ensure_future(work)
    while not task.done():
        await asyncio.sleep(0.001)
        count += 1
    return count, task.result()


async def everything(location, encoder, folder) -> None:
    async with await Retriever.acreate(location, encoder) as made:
        assert await made.aadd([Document("a", "one two")]) == AddResult(added=1)
        assert len((await made.async_(folder)).added) == 1
        hits = await made.asearch("one", top_k=1)
        assert hits == made.search("one", top_k=1)
        assert await made.asearch_batch(["one", "three"]) == made.search_batch(["one", "three"])
        assert await made.aexplain("one", hits[0]) == made.explain("one", hits[0])
        assert await made.aupdate_metadata(["a#0"], {"year": 1}) == 1
        assert await made.adelete(["a#0"]) == 1
        assert (await made.ainfo()).chunks == 1
        with pytest.raises(InputError):
            await made.asearch("")
    opened = await Retriever.aopen(location, model=encoder)
    assert await opened.asearch("three")
    await opened.aclose()


def test_every_twin_gives_what_the_method_gives(tmp_path, encoder, files):
    asyncio.run(everything(tmp_path / "c.rag", encoder, files({"a.txt": "three"})))


def test_nothing_runs_on_the_thread_of_the_loop(tmp_path, encoder):
    async def main() -> None:
        async with await Retriever.acreate(tmp_path / "c.rag", encoder) as made:
            await made.aadd(TEXTS[:50])
            await made.asearch("number 7")
            await made.asearch_batch(["number 7", "number 8"])

    asyncio.run(main())
    assert encoder.threads
    assert threading.main_thread().name not in encoder.threads


def test_the_loop_goes_on_while_much_is_added_and_searched(tmp_path):
    async def main() -> None:
        made = await Retriever.acreate(tmp_path / "c.rag", HashEncoder())
        count, result = await turns(made.aadd(TEXTS))
        assert result.added > 400
        assert count > 5
        count, hits = await turns(made.asearch_batch([f"number {number}" for number in range(100)]))
        assert len(hits) == 100
        assert count > 2
        await made.aclose()

    asyncio.run(main())


def test_a_cancelled_add_stops_and_keeps_what_was_committed(tmp_path):
    async def main() -> int:
        made = await Retriever.acreate(tmp_path / "c.rag", HashEncoder())
        task = asyncio.create_task(made.aadd([f"{number} {text}" for number in range(50) for text in TEXTS]))
        while not made.collection.count():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return made.collection.count()

    asyncio.run(main())
    with Retriever.open(tmp_path / "c.rag", model=HashEncoder()) as opened:
        assert 0 < opened.collection.count() < 50 * 400
        assert not opened.collection.verify().problems
