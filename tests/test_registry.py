"""One of each thing for a process, built once, never across a fork."""

from __future__ import annotations

import multiprocessing
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from late_rag.collections import shared_collection
from late_rag.collections.local import LocalCollection
from late_rag.encoders import load_encoder
from late_rag.protocols import CollectionSettings
from late_rag.registry import Registry
from late_rag.scoring import maxsim
from late_rag.testing.data import random_embeddings


def test_many_threads_build_once() -> None:
    registry, built, found = Registry(), [], []

    def build() -> object:
        time.sleep(0.02)
        built.append(object())
        return built[-1]

    threads = [threading.Thread(target=lambda: found.append(registry.get("key", build))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert set(map(id, found)) == {id(built[0])}


def test_a_failed_build_is_tried_again() -> None:
    registry = Registry()

    def fail() -> object:
        raise OSError("not now")

    with pytest.raises(OSError, match="not now"):
        registry.get("key", fail)
    assert registry.get("key", lambda: 1) == 1


def test_other_keys_do_not_wait_for_a_slow_build() -> None:
    registry, go_on = Registry(), threading.Event()
    slow = threading.Thread(target=lambda: registry.get("slow", lambda: go_on.wait(10)))
    slow.start()
    assert registry.get("quick", lambda: 2) == 2
    go_on.set()
    slow.join()


def test_what_is_no_longer_alive_is_built_anew() -> None:
    registry = Registry()
    assert registry.get("key", lambda: 1) == 1
    assert registry.get("key", lambda: 2, alive=lambda thing: thing == 2) == 2


def test_one_encoder_and_one_collection_for_all_spellings(tmp_path: Path) -> None:
    assert load_encoder("minilm") is load_encoder("minilm")
    LocalCollection.create(tmp_path / "c.rag", CollectionSettings("test", "test-1", 8)).close()
    first = shared_collection(tmp_path / "c.rag")
    assert shared_collection(f"{tmp_path}/x/../c.rag") is first
    assert shared_collection(tmp_path / "c.rag", "read") is first
    first.close()
    again = shared_collection(str(tmp_path / "c.rag"))
    assert again is not first
    assert again.count() == 0
    again.close()
    shared_collection(tmp_path / "c.rag", "read").close()


def _score(answers: multiprocessing.Queue[list[float]]) -> None:
    documents = random_embeddings(500, 32, seed=1)
    answers.put(maxsim(documents[0], documents).tolist())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_kernels_and_their_threads_work_after_a_fork() -> None:
    documents = random_embeddings(500, 32, seed=1)
    expected = maxsim(documents[0], documents)
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[list[float]] = context.Queue()
    child = context.Process(target=_score, args=(answers,))
    child.start()
    np.testing.assert_allclose(answers.get(timeout=30), expected, rtol=1e-6)
    child.join(30)
    assert child.exitcode == 0
