"""Random damage of the database and its log: right answers, an error of ours, or verify sees it; never a wrong hit."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from late_rag.collections import open_collection
from late_rag.collections.local import LocalCollection
from late_rag.errors import LateRAGError
from late_rag.testing.collection_base import rows as embeddings
from tests.collections.attacks import attempt, reads
from tests.collections.damages import damaged


def damage_and_read(location: Path, times: int, seed: int) -> dict[str, int]:
    """Random damage of the database: each read is right, an error of ours, or verify sees the damage."""
    with open_collection(location, "read") as opened:  # type: ignore[attr-defined]
        expected = [work() for work in reads(opened)]
    rng = random.Random(seed)
    pristine = location.with_name("pristine")
    shutil.copytree(location, pristine)
    told = {"right": 0, "error": 0, "seen by verify": 0}
    for number in range(times):
        what = f"damage {number}: {damaged(location / 'collection.sqlite', rng)}"
        try:
            told[outcome(location, expected)] += 1
        except Exception as error:  # noqa: BLE001
            pytest.fail(f"{what}: {error!r}")
        shutil.rmtree(location)
        shutil.copytree(pristine, location)
    return told


def outcome(location: Path, expected: list[object]) -> str:
    opened = attempt(lambda: open_collection(location))
    if not isinstance(opened, LocalCollection):
        return "error"
    try:
        found = [attempt(work) for work in reads(opened)]
        wrong = [
            n
            for n, (was, now) in enumerate(zip(expected, found, strict=True))
            if not isinstance(now, LateRAGError) and now != was
        ]
        report = attempt(lambda: opened.verify())
    finally:
        opened.close()
    if wrong:
        assert 0 not in wrong, "a search gave a wrong hit"
        assert isinstance(report, LateRAGError) or not report.ok, f"wrong: {wrong}"  # type: ignore[attr-defined]
        return "seen by verify"
    return "error" if any(isinstance(answer, LateRAGError) for answer in found) else "right"


def test_random_damage_of_the_database_is_never_a_wrong_hit(location: Path) -> None:
    damage_and_read(location, 60, seed=3)


@pytest.mark.slow
def test_a_thousand_random_damages_of_the_database(location: Path) -> None:
    told = damage_and_read(location, 1000, seed=4)
    assert told["right"] + told["error"] > 900, told


COMMITS = 12


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A collection whose writer was killed after 12 commits of a chunk each, all of them in the log."""
    script = """
        import os, signal, sys
        from late_rag.collections import create_collection
        from late_rag.protocols import CollectionSettings
        from late_rag.testing.collection_base import DIM, chunk, rows
        opened = create_collection(sys.argv[1], CollectionSettings("test", "test-1", DIM))
        for number in range(int(sys.argv[2])):
            opened.add([chunk(f"c{number}", number=number)], rows(1, seed=number))
        os.kill(os.getpid(), signal.SIGKILL)
        """
    location = tmp_path / "killed.rag"
    subprocess.run([sys.executable, "-c", textwrap.dedent(script), location, str(COMMITS)], timeout=60, check=False)
    assert (location / "collection.sqlite-wal").stat().st_size
    return location


def damage_the_log(location: Path, times: int, seed: int) -> None:
    """What is left after damage of the log is the collection as of one of the commits, whole, or an error of ours."""
    rng = random.Random(seed)
    pristine = location.with_name("pristine")
    shutil.copytree(location, pristine)
    for number in range(times):
        path = location / ("collection.sqlite-shm" if number % 4 == 3 else "collection.sqlite-wal")
        what = f"damage {number}: {path.name}: {damaged(path, rng)}"
        opened = attempt(lambda: open_collection(location))
        if isinstance(opened, LocalCollection):
            with opened:
                count = opened.count()
                found = [hit.chunk.id for n in range(count) for hit in opened.search(embeddings(1, seed=n), 1)[0]]
                assert found == [f"c{n}" for n in range(count)], what
                assert opened.verify().ok, what
        shutil.rmtree(location)
        shutil.copytree(pristine, location)


def test_a_damaged_log_leaves_the_state_of_a_commit(killed: Path) -> None:
    damage_the_log(killed, 20, seed=6)


@pytest.mark.slow
def test_three_hundred_damages_of_the_log(killed: Path) -> None:
    damage_the_log(killed, 300, seed=7)
