"""A process that forks while its threads search and write: the child goes on, and neither harms the other."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from late_rag.collections import create_collection, open_collection
from late_rag.collections.local import LocalCollection
from late_rag.forking import working
from late_rag.indexes.micro_batching import MicroBatching
from late_rag.protocols import CollectionSettings
from late_rag.registry import Registry
from late_rag.testing.collection_base import DIM, chunk, fill, rows

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]
SECONDS = 60


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[LocalCollection]:
    made = create_collection(tmp_path / "c.rag", CollectionSettings(model="test", model_id="test-1", dim=DIM))
    assert isinstance(made, LocalCollection)
    fill(made, 300)
    yield made
    made.close()


def in_child(work: Callable[[], object]) -> int:
    """Does work in a forked child; 0 if it went well, a signal's number below 0 if it hung."""
    process = os.fork()
    if not process:
        signal.alarm(SECONDS)
        try:
            work()
            os._exit(0)
        except BaseException as error:  # noqa: BLE001  # whatever it is, pytest must not go on twice
            os.write(2, f"in the child: {error!r}\n".encode())
            os._exit(1)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


@contextmanager
def busy(collection: LocalCollection) -> Iterator[None]:
    """Threads that search and write without pause."""
    stop, failures = threading.Event(), []

    def run(work: Callable[[int], object]) -> None:
        number = 0
        try:
            while not stop.is_set():
                work(number := number + 1)
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    works: list[Callable[[int], object]] = [
        lambda _: collection.search(rows(2), 5),
        lambda _: collection.search(rows(2), 5),
        lambda _: collection.text_search(["text"], 5),
        lambda number: collection.add([chunk(f"w{number % 20}")], rows(1, seed=number)),
    ]
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(SECONDS)
    assert not failures


def fork_again_and_again(collection: LocalCollection, forks: int) -> None:
    def use() -> None:
        found: list[int] = []
        threads = [
            threading.Thread(target=lambda: found.append(len(collection.search(rows(3), 5)[0]))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [5, 5, 5]
        collection.add([chunk("child")], rows(1))

    with busy(collection):
        for number in range(forks):
            time.sleep(0.003)
            assert in_child(use) == 0, number
    assert collection.get(["child"])
    assert collection.verify().ok


def test_a_child_forked_while_threads_search_and_write_goes_on(collection: LocalCollection) -> None:
    fork_again_and_again(collection, 8)


@pytest.mark.slow
def test_hundreds_of_forks(collection: LocalCollection) -> None:
    fork_again_and_again(collection, 300)


def test_what_a_child_writes_stays_when_the_parent_closes(tmp_path: Path) -> None:
    """Both have locks of their own: the one that closes first must not take the log for nobody's."""
    script = """
import os, sys, time
from late_rag.collections import open_collection
from late_rag.testing.collection_base import chunk, rows
collection = open_collection(sys.argv[1])
collection.search(rows(1), 5)
read, write = os.pipe()
if os.fork():
    collection.add([chunk("parent")], rows(1))
    os.read(read, 1)  # the child has written
    collection.close()
    os._exit(0)
collection.add([chunk("child1")], rows(1))
os.write(write, b"x")
time.sleep(0.5)
for number in range(2, 6):
    collection.add([chunk(f"child{number}")], rows(1))
assert collection.count() == 36
collection.close()
open(sys.argv[2], "w").close()
os._exit(0)
"""
    location, done = tmp_path / "c.rag", tmp_path / "done"
    with create_collection(location, CollectionSettings("test", "test-1", DIM)) as made:  # type: ignore[attr-defined]
        fill(made, 30)
    result = subprocess.run(
        [sys.executable, "-c", script, str(location), str(done)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    for _ in range(600):
        if done.exists():
            break
        time.sleep(0.05)
    assert done.exists(), result.stderr
    with open_collection(location) as opened:  # type: ignore[attr-defined]
        assert len(opened.get([f"child{number}" for number in range(1, 6)])) == 5
        assert opened.get(["parent"])
        assert opened.verify().ok
    assert sqlite3.connect(location / "collection.sqlite").execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_locks_and_queues_start_anew_in_a_child() -> None:
    begun, release = threading.Event(), threading.Event()

    def compute(numbers: list[int]) -> list[int]:
        begun.set()
        release.wait(SECONDS)
        return numbers

    registry, together = Registry(), MicroBatching(compute, lambda _: True)
    registry.get("kept", object)
    threads = [
        threading.Thread(target=together, args=([1],)),
        threading.Thread(target=registry.get, args=("slow", lambda: release.wait(SECONDS) and 1)),
    ]
    for thread in threads:
        thread.start()
    assert begun.wait(SECONDS)
    with registry._lock, together._lock:

        def use() -> None:
            release.set()
            assert together([2]) == [2]
            assert registry.peek("kept") is None
            assert registry.get("slow", lambda: 2) == 2

        assert in_child(use) == 0
    release.set()
    for thread in threads:
        thread.join(SECONDS)


def test_a_fork_waits_for_work_under_way_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    from late_rag import forking

    ended = threading.Event()

    def work(seconds: float) -> None:
        with working, working:
            begun.set()
            time.sleep(seconds)
        ended.set()

    for seconds, patience, waits in ((0.3, 30.0, True), (1.0, 0.1, False)):
        monkeypatch.setattr(forking, "_PATIENCE", patience)
        begun = threading.Event()
        ended.clear()
        thread = threading.Thread(target=work, args=(seconds,))
        thread.start()
        assert begun.wait(SECONDS)
        assert in_child(lambda waits=waits: ended.is_set() == waits or os._exit(1)) == 0
        thread.join(SECONDS)
        with working:
            assert in_child(lambda: None) == 0
