"""Writers that are killed, and many processes at once: nothing lost, nothing doubled, no error in any reader."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from late_rag import Retriever
from late_rag.filters.selection import Selection
from late_rag.types import digest
from tests.survival.crew import ENCODER, content

CREW = Path(__file__).with_name("crew.py")


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CREW), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def location(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "c.rag"
    Retriever.create(place, ENCODER).close()
    yield place
    (tmp_path / "stop").touch()


def check_whole(retriever: Retriever) -> None:
    """Every source that is committed is there once, whole, and found by its own text."""
    collection = retriever.collection
    assert collection.verify().ok
    located = {}
    for batch in collection.iterate_documents():
        for document, source in batch:
            assert source is not None
            assert source.location not in located, "a file is there twice"
            located[source.location] = document
            name, version = document.text.split(" ", 2)[:2]
            assert document.text == content(name, int(version[1:]))
            assert Path(source.path).stem == name
            found = [c for group in collection.iterate(Selection(document_ids=(document.id,))) for c, _ in group]
            assert [c.id for c in found] == [f"{document.id}#{ordinal}" for ordinal in range(len(found))]
            covered = {place for c in found for place in range(c.start or 0, c.end or 0)}
            assert all(place in covered for place, letter in enumerate(document.text) if not letter.isspace())
            last = document.text.rsplit(" ", 1)[-1]
            assert retriever.search(last, 1)[0].chunk.document_id == document.id
    assert set(located) == {source.location for source in collection.sources()}
    assert collection.count() == sum(
        1 for batch in collection.iterate() for c, _ in batch if c.document_id in {d.id for d in located.values()}
    )


def kill_and_look(location: Path, tmp_path: Path, kills: int) -> None:
    folder, stop = tmp_path / "files", tmp_path / "stop"
    folder.mkdir()
    rng = random.Random(7)
    readers = [start("read", location, stop) for _ in range(2)]
    commits = set()
    with Retriever.open(location, model=ENCODER) as retriever:
        for number in range(kills):
            writer = start("sync", location, folder, number)
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(rng.random() ** 2 * 0.5)
            writer.send_signal(signal.SIGKILL)
            assert writer.wait(30) == -signal.SIGKILL
            writer.communicate()
            if number % 5 == 4 or kills < 50:
                check_whole(retriever)
            commits.add(tuple((source.path, source.hash) for source in retriever.collection.sources()))
        result = retriever.sync(folder)
        check_whole(retriever)
        assert not result.failed
        held = {document.text for batch in retriever.collection.iterate_documents() for document, _ in batch}
        assert held == {path.read_text(encoding="utf-8") for path in folder.glob("*.txt")}
        assert retriever.sync(folder).encoded == 0
    stop.touch()
    for reader in readers:
        rounds, errors = reader.communicate(timeout=60)
        assert reader.returncode == 0, errors
        assert int(rounds) > kills
    assert len(commits) > kills / 3, "the writers were killed before they did anything"


def test_a_writer_killed_at_any_moment_leaves_whole_files(location: Path, tmp_path: Path) -> None:
    kill_and_look(location, tmp_path, 8)


@pytest.mark.slow
def test_two_hundred_kills(location: Path, tmp_path: Path) -> None:
    kill_and_look(location, tmp_path, 200)


def test_two_writers_and_four_readers(location: Path, tmp_path: Path) -> None:
    stop, count = tmp_path / "stop", 60
    readers = [start("read", location, stop) for _ in range(4)]
    writers = [start("add", location, name, count) for name in ("left", "right")]
    for writer in writers:
        _, errors = writer.communicate(timeout=120)
        assert writer.returncode == 0, errors
    stop.touch()
    for reader in readers:
        rounds, errors = reader.communicate(timeout=60)
        assert reader.returncode == 0, errors
        assert int(rounds) >= 1
    with Retriever.open(location, model=ENCODER) as retriever:
        texts = [c.text for batch in retriever.collection.iterate() for c, _ in batch]
        expected = [f"{name} number{n} {name}x{n}" for name in ("left", "right") for n in range(count)]
        assert sorted(texts) == sorted(expected)
        assert retriever.search("rightx17", 1)[0].chunk.text.endswith("rightx17")
        ids = {c.document_id for batch in retriever.collection.iterate() for c, _ in batch}
        assert ids == {digest(text) for text in expected}
        assert retriever.collection.verify().ok


def test_a_large_file_killed_halfway_goes_on_from_what_was_staged(location: Path, tmp_path: Path) -> None:
    script = """
import os, signal, sys
from late_rag import Retriever
from late_rag.retriever import files
from tests.survival.crew import ENCODER
files.STAGE_BYTES = 20_000
def stop(step):
    if step.stage == "encode" and step.done > 300:
        os.kill(os.getpid(), signal.SIGKILL)
Retriever.open(sys.argv[1], model=ENCODER).sync(sys.argv[2], progress=stop)
"""
    large = tmp_path / "files" / "large.txt"
    large.parent.mkdir()
    large.write_text("\n\n".join(f"part{number} says word{number} again" for number in range(9000)), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-c", script, str(location), str(large.parent)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert result.returncode == -signal.SIGKILL, result
    with Retriever.open(location, model=ENCODER) as retriever:
        assert retriever.collection.count() == 0
        assert retriever.info().staged > 200
        staged = retriever.info().staged
        synced = retriever.sync(large.parent)
        assert synced.reused == staged
        assert synced.encoded + synced.reused == retriever.collection.count()
        assert retriever.search("word8999", 1)[0].chunk.text.find("word8999") >= 0
        assert retriever.search("word0", 1)[0].chunk.text.find("word0") >= 0
        assert retriever.collection.verify().ok
