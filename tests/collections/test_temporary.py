"""Temporary collections whose process was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from late_rag.collections import create_collection
from late_rag.collections.local import temporary
from late_rag.protocols import CollectionSettings

SETTINGS = CollectionSettings(model="m", model_id="m-1", dim=8)

MADE = """
import sys
from late_rag.collections import create_collection
from late_rag.protocols import CollectionSettings
made = create_collection(None, CollectionSettings(model="m", model_id="m-1", dim=8))
print(made.location, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    temporary._remove_abandoned.cache_clear()
    return tmp_path


def other_process(place: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", MADE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(place)},
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def age(folder: Path) -> None:
    os.utime(folder, (0, 0))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_the_next_one_removes_what_a_killed_process_left(place: Path, how: signal.Signals) -> None:
    process, left = other_process(place)
    with process:
        process.send_signal(how)
    assert left.is_dir()
    age(left)
    with create_collection(None, SETTINGS) as made:  # type: ignore[attr-defined]
        assert not left.exists()
        assert Path(made.location).is_dir()
    assert list(place.iterdir()) == []


def test_those_of_living_processes_of_this_one_and_other_things_stay(place: Path) -> None:
    process, theirs = other_process(place)
    own = create_collection(None, SETTINGS)
    (place / "late-rag-temporary-young").mkdir()
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (place / "late-rag-temporary-link").symlink_to(elsewhere)
    for folder in (theirs, Path(own.location)):
        age(folder)
    temporary._remove_abandoned.cache_clear()
    create_collection(None, SETTINGS).close()
    assert {path.name for path in place.iterdir()} == {
        theirs.name,
        Path(own.location).name,
        "late-rag-temporary-young",
        "late-rag-temporary-link",
        "elsewhere",
    }
    own.close()
    process.communicate("")
    assert not theirs.exists()
