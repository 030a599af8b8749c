"""The index by fast-plaid keeps the contract of indexes, and what a collection sends cannot run code."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from late_rag import IndexSpec, load_encoder
from late_rag.errors import CollectionDamagedError, CollectionError, InputError
from late_rag.testing import IndexContract
from late_rag.testing.data import random_embeddings
from late_rag.testing.index import assert_same, numbered
from tests.torch.conftest import REASON

pytest.importorskip("fast_plaid", reason=REASON)

from late_rag.indexes import plaid
from late_rag.indexes.plaid import PlaidIndex, PlaidOptions

DIM = 32


class TestPlaidIndex(IndexContract):
    index_class = PlaidIndex
    options = PlaidOptions(probes=32)


@pytest.fixture
def stored() -> list[np.ndarray]:
    return random_embeddings(120, DIM, seed=1)


def test_what_was_published_never_changes(stored: list[np.ndarray], tmp_path: Path) -> None:
    index = PlaidIndex.create(tmp_path, numbered(stored), DIM)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()}
    expected = index.search(stored[:3], 20)
    index.close()
    for path in before:
        path.chmod(0o444)
        os.utime(path, (0, 0))  # as after a copy of the collection
    opened = PlaidIndex.open(tmp_path)
    assert_same(opened.search(stored[:3], 20), expected)
    work = Path(opened._library.index)
    opened.close()
    assert not work.exists()
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert after == {path: content for path, (_, content) in before.items()}


def test_rows_beyond_a_batch_are_added(
    stored: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plaid, "_BATCH_ROWS", 700)
    told: list[int] = []
    index = PlaidIndex.create(tmp_path, numbered(stored), DIM, PlaidOptions(probes=32), progress=told.append)
    assert len(told) > 2
    found = [row in index.search([stored[row - 1]], 10)[0][0] for row in range(1, 121)]
    assert np.mean(found) > 0.95


@pytest.mark.parametrize("name", ["embeddings.npy", "buffer.npy"])
def test_a_file_that_would_be_unpickled_is_refused(name: str, stored: list[np.ndarray], tmp_path: Path) -> None:
    PlaidIndex.create(tmp_path, numbered(stored), DIM).close()
    (tmp_path / "plaid" / name).write_bytes(b"")
    with pytest.raises(CollectionDamagedError, match=f"{name}: is not among the files"):
        PlaidIndex.open(tmp_path)


def test_a_panic_is_an_error(stored: list[np.ndarray], tmp_path: Path) -> None:
    index = PlaidIndex.create(tmp_path, numbered(stored), DIM)
    index._rows = np.arange(1, 1000)
    with pytest.raises(CollectionError, match="fast-plaid panicked"):
        index.search(stored[:1], 5, np.array([900]))


def test_options_that_cannot_be() -> None:
    with pytest.raises(InputError, match="index 'plaid': nbits is 1, 2, 4 or 8, not 3"):
        IndexSpec.of({"kind": "plaid", "nbits": 3})


def test_a_collection_over_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from late_rag import Retriever
    from late_rag.collections.local import index_files

    monkeypatch.setattr(index_files, "TAIL_CHUNKS", 50)
    texts = [f"note {number} is about {word}" for number, word in enumerate(["rivers", "trains", "bread"] * 40)]
    with Retriever.create(tmp_path / "c.rag", load_encoder("minilm"), index="plaid") as retriever:
        retriever.add(texts)
        retriever.collection.optimize()
        assert retriever.info().index in ("plaid", "exact")
        assert "bread" in retriever.search("who bakes?", top_k=3)[0].chunk.text
