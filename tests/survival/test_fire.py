"""Many processes at once with every answer checked, work of minutes that is killed, and few open files."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from late_rag.collections import create_collection, open_collection
from late_rag.filters.selection import Selection
from late_rag.protocols import CollectionSettings
from late_rag.testing.collection_base import DIM, chunk, fill, rows
from late_rag.transfer import copy_collection, export_jsonl, import_jsonl

FIRE = Path(__file__).with_name("fire.py")
SETTINGS = CollectionSettings(model="test", model_id="test-1", dim=DIM)


def under_fire(tmp_path: Path, seconds: float, index: str = "auto") -> None:
    location, board = tmp_path / "c.rag", tmp_path / "board"
    board.mkdir()
    with create_collection(location, replace(SETTINGS, index=index)) as made:  # type: ignore[attr-defined]
        fill(made, 300, turn=0)
    roles = [("write", "left"), ("write", "west"), *(("read", f"reader{n}") for n in range(4))]
    processes = [
        subprocess.Popen(
            [sys.executable, str(FIRE), role, str(location), str(board), name, str(seconds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for role, name in roles
    ]
    for process in processes:
        out, errors = process.communicate(timeout=seconds + 120)
        assert process.returncode == 0, errors
        assert int(out) > 10
    with open_collection(location) as opened:  # type: ignore[attr-defined]
        assert opened.verify().ok


def test_six_processes_answer_right(tmp_path: Path) -> None:
    under_fire(tmp_path, 5)


@pytest.mark.slow
@pytest.mark.parametrize("index", ["auto", "centroids"])
def test_six_processes_answer_right_for_two_minutes(tmp_path: Path, index: str) -> None:
    under_fire(tmp_path, 120, index)


WORK = """
import sys
from late_rag.collections import open_collection
from late_rag.collections.local import index_files
from late_rag.transfer import copy_collection, import_jsonl
index_files.TAIL_CHUNKS = 100
what, location, target, lines = sys.argv[1:]
print("ready", flush=True)
if what == "optimize":
    while True:
        open_collection(location).optimize()
elif what == "copy":
    copy_collection(open_collection(location, "read"), target, merge=True)
else:
    with open(lines, "rb") as stream:
        import_jsonl(stream, target, merge=True)
"""


def kill_at_random(tmp_path: Path, what: str, kills: int, index: str = "auto") -> None:
    """Nothing is lost, and the same again completes it."""
    location, target, lines = tmp_path / "c.rag", tmp_path / "target.rag", tmp_path / "lines.jsonl"
    rng = random.Random(what)
    with create_collection(location, replace(SETTINGS, index=index)) as made:  # type: ignore[attr-defined]
        fill(made, 1500)
        made.delete(Selection(ids=tuple(f"c{n}" for n in range(0, 1500, 3))))
        with lines.open("w", encoding="utf-8") as stream:
            export_jsonl(made, stream.write, embeddings=True)
        made.optimize()
        expected = made.search(rows(3, seed=5), 20)
    for _ in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", WORK, what, str(location), str(target), str(lines)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(rng.random() * 0.6)
        process.kill()
        process.communicate()
        with open_collection(location) as opened:  # type: ignore[attr-defined]
            assert opened.search(rows(3, seed=5), 20) == expected
            assert opened.verify().ok
    if what == "copy":
        with open_collection(location, "read") as opened:  # type: ignore[attr-defined]
            copy_collection(opened, target, merge=True)
    elif what == "import":
        with lines.open("rb") as again:
            import_jsonl(again, target, merge=True)
    if what != "optimize":
        with open_collection(target) as opened:  # type: ignore[attr-defined]
            found = [[(hit.chunk.id, hit.score) for hit in hits] for hits in opened.search(rows(3, seed=5), 20)]
            assert found == [[(hit.chunk.id, hit.score) for hit in hits] for hits in expected]
            assert opened.count() == 1000
            assert opened.verify().ok


@pytest.mark.parametrize("what", ["optimize", "copy", "import"])
def test_killed_at_any_moment(tmp_path: Path, what: str) -> None:
    kill_at_random(tmp_path, what, 4)


def test_killed_while_a_candidate_index_is_built(tmp_path: Path) -> None:
    kill_at_random(tmp_path, "optimize", 2, "centroids")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "index"), [("optimize", "auto"), ("copy", "auto"), ("import", "auto"), ("optimize", "centroids")]
)
def test_killed_at_a_hundred_moments(tmp_path: Path, what: str, index: str) -> None:
    kill_at_random(tmp_path, what, 100, index)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_with_few_open_files_errors_are_told_and_nothing_is_lost(tmp_path: Path) -> None:
    script = """
import resource, sys, threading
from late_rag.collections import open_collection
from late_rag.errors import LateRAGError
from late_rag.testing.collection_base import chunk, rows
collection = open_collection(sys.argv[1])
collection.search(rows(1), 1)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
begun, written, other = threading.Barrier(30), [], []
def work(number):
    begun.wait()
    for turn in range(2):
        try:
            collection.add([chunk(f"t{number}-{turn}")], rows(1))
            written.append(f"t{number}-{turn}")
            assert collection.search(rows(1), 3)
        except LateRAGError:
            pass
        except BaseException as error:
            other.append(repr(error))
threads = [threading.Thread(target=work, args=(number,)) for number in range(30)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
assert not other, other
assert written
assert len(collection.get(written)) == len(written)
assert collection.verify().ok
"""
    with create_collection(tmp_path / "c.rag", SETTINGS) as made:  # type: ignore[attr-defined]
        made.add([chunk("first")], rows(1))
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "c.rag")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
