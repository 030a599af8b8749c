"""Eight threads on one retriever, and a forked process."""

from __future__ import annotations

import multiprocessing
import os
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from late_rag import Retriever
from late_rag.types import Document

WORDS = [f"w{number}" for number in range(200)]


def text(number: int) -> str:
    return " ".join(random.Random(number).choices(WORDS, k=20))


def test_eight_threads_find_what_one_finds(retriever):
    retriever.add(Document(f"d{number}", text(number)) for number in range(300))
    queries = [text(1000 + number)[:25] for number in range(200)]
    expected = [retriever.search(query, top_k=5) for query in queries]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda query: retriever.search(query, top_k=5), queries)) == expected


def test_writers_and_readers_on_one_retriever(retriever):
    """Four threads add, two delete what they added themselves, two search; nothing is lost or doubled."""

    def add(worker: int) -> None:
        for number in range(25):
            retriever.add([Document(f"{worker}-{number}", text(worker * 100 + number))])

    def add_and_delete(worker: int) -> None:
        for number in range(25):
            retriever.add([Document(f"{worker}-{number}", text(worker * 100 + number))])
            assert retriever.delete([f"{worker}-{number}#0"]) == 1

    def search(worker: int) -> None:
        for number in range(50):
            hits = retriever.search(text(number)[:25], top_k=5)
            assert len({hit.chunk.id for hit in hits}) == len(hits)

    with ThreadPoolExecutor(8) as threads:
        jobs = [
            (add, 0),
            (add, 1),
            (add, 2),
            (add, 3),
            (add_and_delete, 4),
            (add_and_delete, 5),
            (search, 6),
            (search, 7),
        ]
        list(threads.map(lambda job: job[0](job[1]), jobs))
    assert {chunk.document_id for batch in retriever.collection.iterate() for chunk, _ in batch} == {
        f"{worker}-{number}" for worker in range(4) for number in range(25)
    }


def search_and_add(retriever: Retriever, connection) -> None:
    connection.send([hit.chunk.text for hit in retriever.search("approves travel", top_k=1)])
    retriever.add(["added by the child"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("used_before", [False, True])
def test_a_fork_may_go_on_with_it(tmp_path, used_before):
    with Retriever.create(tmp_path / "c.rag") as retriever:
        retriever.add(["the manager approves travel", "lunch is at noon"])
    with Retriever.open(tmp_path / "c.rag") as retriever:
        if used_before:
            retriever.search("lunch")
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        child = context.Process(target=search_and_add, args=(retriever, theirs))
        child.start()
        assert ours.poll(60), "the child hangs"
        assert ours.recv() == ["the manager approves travel"]
        child.join(60)
        assert child.exitcode == 0
        assert retriever.search("child", top_k=1)[0].chunk.text == "added by the child"
