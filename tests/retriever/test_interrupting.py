"""Ctrl-C at whatever moment: the process ends at once, nothing is half there, and the next run goes on."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest

from late_rag import Retriever
from late_rag.testing import HashEncoder

PROGRAM = """
import sys
from late_rag import Retriever
from late_rag.retriever import files
from late_rag.testing import HashEncoder

files.STAGE_SECONDS = 0.05
with Retriever.open(sys.argv[1], create=True, model=HashEncoder(document_length=33)) as retriever:
    print("ready", flush=True)
    retriever.sync(sys.argv[2])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send to another process")
@pytest.mark.parametrize("times", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_interrupted_at_random_moments(tmp_path, times):
    chance = random.Random(3)
    folder = tmp_path / "files"
    folder.mkdir()
    for name in "abcdefgh":
        (folder / f"{name}.txt").write_text(f"the small file {name}")
    (folder / "d2.txt").write_text("\n\n".join(f"long{part} " * 25 for part in range(1500)))
    interrupted = 0
    for _ in range(times):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(tmp_path / "c.rag"), str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.0, 0.5))
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, errors = process.communicate(timeout=60)
        if not errors:  # it was done, or on its way out, before the signal came
            break
        interrupted += 1
        assert time.monotonic() - began < 20
        assert "KeyboardInterrupt" in errors
        with Retriever.open(tmp_path / "c.rag", mode="read") as reader:
            files = reader.info().sources
            assert reader.info().chunks in (files, files + 1499), "a file is half there"
    assert interrupted
    encoder = HashEncoder(document_length=33)
    with Retriever.open(tmp_path / "c.rag", model=encoder) as last, Retriever.create(None, encoder) as fresh:
        last.sync(folder)
        assert last.info().staged == 0
        assert not last.collection.verify().problems
        fresh.sync(folder)
        texts = [
            {(chunk.id, chunk.text) for batch in each.collection.iterate() for chunk, _ in batch}
            for each in (last, fresh)
        ]
        assert texts[0] == texts[1]
