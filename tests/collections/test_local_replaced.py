"""A database that another takes the place of under an open reader, and readers without locks beside a writer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from late_rag.collections import create_collection, open_collection, shared_collection
from late_rag.collections.local import LocalCollection
from late_rag.errors import CollectionDamagedError, CollectionError, CollectionNotFoundError
from late_rag.protocols import CollectionSettings
from late_rag.testing.collection_base import DIM, chunk, rows

SETTINGS = CollectionSettings(model="test", model_id="test-1", dim=DIM)
CHUNKS = 400
SEEDS = {"old": 1, "new": 2}
OTHER_USER = 65534


def filled(location: Path, tag: str) -> LocalCollection:
    """Chunks of the same ids in each, with other texts and embeddings."""
    made = create_collection(location, SETTINGS)
    assert isinstance(made, LocalCollection)
    made.add([chunk(f"c{n}", f"{tag} {n}") for n in range(CHUNKS)], rows(CHUNKS, seed=SEEDS[tag]))
    return made


def restore(how: str, backup: Path, database: Path) -> None:
    if "rename" in how:
        draft = database.with_suffix(".draft")
        shutil.copyfile(backup, draft)
        draft.replace(database)
    else:
        shutil.copyfile(backup, database)
    if "clean" in how:
        for end in ("-wal", "-shm"):
            database.with_name(database.name + end).unlink(missing_ok=True)


def run_elsewhere(location: Path) -> list[str]:
    """What another process finds."""
    script = f"""
import sys
from late_rag.collections import open_collection
from late_rag.testing.collection_base import rows
try:
    collection = open_collection(sys.argv[1])
    questions = rows({CHUNKS}, seed={SEEDS["new"]})
    for number in range(30):
        print(collection.search([questions[number]], 1)[0][0].chunk.text)
    assert collection.verify().ok
except Exception as error:
    print(type(error).__name__, error)
"""
    command = [sys.executable, "-c", script, str(location)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()


@pytest.mark.parametrize("log", ["empty", "filled"])
@pytest.mark.parametrize("how", ["rename", "rename, clean", "overwrite", "overwrite, clean"])
def test_another_database_in_its_place_is_noticed(tmp_path: Path, how: str, log: str) -> None:
    other = filled(tmp_path / "other.rag", "new")
    other.add([chunk("extra", "new extra")], rows(1))
    other.close()
    location = tmp_path / "c.rag"
    writer = filled(location, "old")
    reader = open_collection(location, "read")
    if log == "empty":
        writer.close()
        writer = open_collection(location)  # type: ignore[assignment]
    else:
        writer.add([chunk(f"z{n}", "old z") for n in range(20)], rows(20, seed=3))
    questions, old = rows(CHUNKS, seed=SEEDS["new"]), rows(CHUNKS, seed=SEEDS["old"])
    assert reader.search([old[7]], 1)[0][0].chunk.text == "old 7"
    restore(how, tmp_path / "other.rag" / "collection.sqlite", location / "collection.sqlite")
    for opened in (reader, writer):
        for number in range(30):
            with pytest.raises((CollectionNotFoundError, CollectionDamagedError), match=r"replaced|overwritten"):
                opened.search([questions[number]], 1)
        with pytest.raises((CollectionNotFoundError, CollectionDamagedError)):
            opened.get(["c1"])
        assert opened.closed
    with pytest.raises((CollectionNotFoundError, CollectionDamagedError)):
        writer.add([chunk("lost")], rows(1))
    texts = run_elsewhere(location)
    assert texts == [f"new {n}" for n in range(30)] or ("clean" not in how and "Damaged" in texts[0])
    if how == "rename, clean":
        shared = shared_collection(location, "read")
        assert shared.search([questions[3]], 1)[0][0].chunk.text == "new 3"
        shared.close()


@pytest.mark.parametrize("how", ["rename, clean", "overwrite, clean"])
def test_an_older_backup_of_its_own_is_noticed(tmp_path: Path, how: str) -> None:
    location, backup = tmp_path / "c.rag", tmp_path / "backup.sqlite"
    with filled(location, "old") as writer:
        connection = writer._database._connect()
        connection.execute("VACUUM INTO ?", (str(backup),))
        connection.close()
        (embeddings,) = rows(1, seed=9)
        writer.add([chunk("c1", "newer")], [embeddings])
    reader = open_collection(location, "read")
    assert reader.search([embeddings], 1)[0][0].chunk.text == "newer"
    restore(how, backup, location / "collection.sqlite")
    with pytest.raises(CollectionNotFoundError, match="replaced"):
        reader.search([embeddings], 1)
    reader.close()
    with open_collection(location) as opened:  # type: ignore[attr-defined]
        assert opened.get(["c1"])[0].text == "old 1"


def test_checkpoints_of_others_are_not_taken_for_it(tmp_path: Path) -> None:
    script = """
import sys
from late_rag.collections import open_collection
from late_rag.testing.collection_base import chunk, rows
for turn in range(3):
    collection = open_collection(sys.argv[1])
    collection.add([chunk(f"w{turn}-{n}", "text " * 400) for n in range(400)], rows(400, seed=turn))
    if turn == 1:
        collection.optimize()
    collection.close()
"""
    filled(tmp_path / "c.rag", "old").close()
    reader = open_collection(tmp_path / "c.rag", "read")
    questions = rows(CHUNKS, seed=SEEDS["old"])
    writer = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "c.rag")])
    number = 0
    while writer.poll() is None:
        number = (number + 1) % CHUNKS
        assert reader.search([questions[number]], 1)[0][0].chunk.text == f"old {number}"
    assert writer.returncode == 0
    assert reader.count() == CHUNKS + 3 * 400
    reader.close()


@contextmanager
def searching(reader: LocalCollection) -> Iterator[list[str]]:
    """What searches in four threads find, until they fail."""
    found: list[str] = []
    stop = threading.Event()
    questions = rows(CHUNKS, seed=SEEDS["old"])

    def run(first: int) -> None:
        number = first
        while not stop.is_set():
            number = (number + 1) % CHUNKS
            try:
                text = reader.search([questions[number]], 1)[0][0].chunk.text
            except CollectionError:
                return
            found.append("right" if text == f"old {number}" else f"{text} for {number}")

    threads = [threading.Thread(target=run, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("how", ["rename", "overwrite"])
def test_no_search_that_is_under_way_mixes_both(tmp_path: Path, how: str) -> None:
    filled(tmp_path / "other.rag", "new").close()
    filled(tmp_path / "c.rag", "old").close()
    for _ in range(4):
        shutil.copytree(tmp_path / "c.rag", tmp_path / "now.rag")
        reader = open_collection(tmp_path / "now.rag", "read")
        assert isinstance(reader, LocalCollection)
        with searching(reader) as found:
            while len(found) < 20:
                pass
            restore(how, tmp_path / "other.rag" / "collection.sqlite", tmp_path / "now.rag" / "collection.sqlite")
            with pytest.raises(CollectionError):
                reader.search(rows(1), 1)
        assert set(found) == {"right"}
        reader.close()
        shutil.rmtree(tmp_path / "now.rag")


READER = """
import os, sys
from late_rag.collections import create_collection, open_collection
from late_rag.protocols import CollectionSettings
from late_rag.testing.collection_base import DIM, chunk, rows
warm = create_collection(None, CollectionSettings("test", "test-1", DIM))
warm.add([chunk("warm")], rows(1)), warm.search(rows(1), 1), warm.close()
os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
collection = open_collection(sys.argv[1], "read")
(query,) = rows(1, seed=9)
print("immutable" if collection._database._immutable else "locks", flush=True)
for line in sys.stdin:
    try:
        (hit,) = collection.search([query], 1)[0]
        print(hit.chunk.metadata.get("turn"), flush=True)
    except Exception as error:
        print(type(error).__name__, error, flush=True)
"""


@pytest.mark.skipif(os.name == "nt" or os.getuid() != 0, reason="dropping to another user takes root")
@pytest.mark.parametrize("readable", [True, False])
def test_a_reader_without_locks_notices_a_writer(tmp_path: Path, readable: bool) -> None:
    """It was opened while nobody wrote, in a folder that it cannot write."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    location = tmp_path / "c.rag"
    with filled(location, "old") as made:
        made.add([chunk("always", turn=0)], rows(1, seed=9))
    location.chmod(0o755)
    command = [sys.executable, "-c", READER, str(location), str(OTHER_USER)]
    reader = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert reader.stdin is not None
    assert reader.stdout is not None

    def asked() -> str:
        assert reader.stdin is not None
        assert reader.stdout is not None
        reader.stdin.write("\n")
        reader.stdin.flush()
        return reader.stdout.readline().strip()

    assert reader.stdout.readline() == "immutable\n"
    assert asked() == "0"
    for turn in range(1, 40):
        with open_collection(location) as writer:  # type: ignore[attr-defined]
            writer.add([chunk("always", turn=turn)], rows(1, seed=9))
            if not readable:
                (location / "collection.sqlite-shm").chmod(0o600)
            answer = asked()
            assert answer == str(turn) if readable else answer.startswith(("CollectionReadOnlyError", "CollectionBusy"))
            if turn % 5 == 0:
                writer.optimize()
                answer = asked()
                assert answer == str(turn) or not readable or answer.startswith("CollectionBusyError")
        answer = asked()
        assert answer == str(turn) or answer.startswith(("CollectionReadOnlyError", "CollectionBusyError")), turn
    reader.communicate(timeout=30)
    assert reader.returncode == 0
