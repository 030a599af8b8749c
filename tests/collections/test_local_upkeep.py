"""Index files and ``optimize()`` beside writers, without room, and where somebody removes what is derived."""

from __future__ import annotations

import logging
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from late_rag.collections import open_collection
from late_rag.collections.local import LocalCollection, index_files
from late_rag.errors import CollectionBusyError, CollectionFullError
from late_rag.filters.selection import Selection
from late_rag.testing.collection_base import chunk, fill, rows

WRITER = """
import sys
from pathlib import Path
from late_rag.collections import open_collection
from late_rag.testing.collection_base import chunk, rows
collection, number = open_collection(sys.argv[1]), 0
while not Path(sys.argv[2]).exists():
    collection.add([chunk(f"{sys.argv[3]}-{number}", "x", a=number)], rows(1, seed=number))
    number += 1
print(number)
"""


def optimize_beside_writers(location: str, stop: Path, times: int) -> None:
    """Fresh connections that have searched, as the statistics are renewed only for what was used."""
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, location, stop, name], stdout=subprocess.PIPE, text=True)
        for name in ("left", "right")
    ]
    try:
        for _ in range(times):
            with open_collection(location) as collection:  # type: ignore[attr-defined]
                collection.search(rows(1), 5, Selection(filter="a == 1 and b > 2"))
                collection.count(Selection(document_ids=("d",)))
                collection.optimize()
    finally:
        stop.touch()
        written = [int(writer.communicate(timeout=60)[0]) for writer in writers]
    with open_collection(location) as collection:  # type: ignore[attr-defined]
        assert collection.count() == 30 + sum(written)
        assert collection.verify().ok


def test_optimize_waits_for_other_writers(collection: LocalCollection, tmp_path: Path) -> None:
    optimize_beside_writers(collection.location, tmp_path / "stop", 25)


@pytest.mark.slow
def test_optimize_waits_for_other_writers_hundreds_of_times(collection: LocalCollection, tmp_path: Path) -> None:
    optimize_beside_writers(collection.location, tmp_path / "stop", 400)


def test_optimize_that_waited_too_long_says_what_it_did(collection: LocalCollection) -> None:
    waiting = LocalCollection(Path(collection.location), "write", timeout=0.2)
    holder = sqlite3.connect(Path(collection.location) / "collection.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(CollectionBusyError, match=r"0\.2 s.* done is: the index files are up to date$"):
        waiting.optimize()
    holder.execute("ROLLBACK")
    holder.close()
    waiting.optimize()
    waiting.close()


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("indexed", [False, True])
def test_optimize_without_room_is_told_as_a_write_is(
    collection: LocalCollection, monkeypatch: pytest.MonkeyPatch, indexed: bool
) -> None:
    import resource

    if indexed:
        monkeypatch.setattr(index_files, "TAIL_CHUNKS", 5)
    before = collection.search(rows(1), 30)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    limit = 300 if indexed else 50_000
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited[1]))
        with pytest.raises(CollectionFullError, match=r"nothing was lost; optimize was stopped, done is: "):
            collection.optimize()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        signal.signal(signal.SIGXFSZ, handler)
    assert collection.search(rows(1), 30) == before
    collection.optimize()
    assert collection.verify().ok


def test_a_write_stands_whatever_happens_to_index_files(
    collection: LocalCollection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody removes ``index/`` again and again, while every write makes new files due."""
    monkeypatch.setattr(index_files, "TAIL_CHUNKS", 1)
    monkeypatch.setattr(index_files, "TAIL_SHARE", 0.0)
    folder, stop = Path(collection.location) / "index", threading.Event()

    def remove() -> None:
        while not stop.is_set():
            shutil.rmtree(folder, ignore_errors=True)

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        with caplog.at_level(logging.WARNING, "late_rag"):
            for number in range(60):
                collection.add([chunk(f"a{number}"), chunk(f"b{number}")], rows(2, seed=number))
    finally:
        stop.set()
        remover.join()
    assert collection.count() == 150
    assert "the write is done, but the index could not be brought up to date" in caplog.text
    fill(collection, 30)
    assert collection.verify().ok
