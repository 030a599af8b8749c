"""The lossy index keeps the contract of indexes, and one that gives the worst candidates does not."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from late_rag import IndexSpec, backends
from late_rag.errors import InputError
from late_rag.testing import IndexContract, LossyIndex
from late_rag.testing.data import random_embeddings
from late_rag.testing.index import numbered
from late_rag.testing.lossy import LossyOptions

ROW = backends.Backend("late_rag.testing.lossy", "LossyIndex", options="LossyOptions")


class TestLossyIndex(IndexContract):
    index_class = LossyIndex


@pytest.mark.parametrize("test", ["test_finds_the_best", "test_finds_the_best_within"])
def test_the_contract_notices_what_is_lost_beyond_the_promise(test: str, tmp_path: Path) -> None:
    contract = TestLossyIndex()
    stored, queries = random_embeddings(400, 32, seed=1), random_embeddings(8, 32, seed=2)
    for loss in (0.05, 0.5):
        index = created(tmp_path, stored, LossyOptions(loss, delay=1.0))
        if loss < 0.1:
            getattr(contract, test)(index, stored, queries)
        else:
            with pytest.raises(AssertionError):
                getattr(contract, test)(index, stored, queries)


def created(folder: Path, stored: list[np.ndarray], options: LossyOptions) -> LossyIndex:
    return LossyIndex.create(Path(tempfile.mkdtemp(dir=folder)), numbered(stored), 32, options)


@pytest.mark.parametrize("loss", [0.0, 0.3, 1.0])
def test_the_loss_is_as_it_was_set(loss: float, tmp_path: Path) -> None:
    stored, queries = random_embeddings(400, 32, seed=1), random_embeddings(8, 32, seed=2)
    index, exact = created(tmp_path, stored, LossyOptions(loss)), created(tmp_path, stored, LossyOptions(0.0))
    shares = []
    for (rows, _), (again, _), (right, _) in zip(
        index.search(queries, 100), index.search(queries, 10), exact.search(queries, 10), strict=True
    ):
        assert rows[:10].tolist() == again.tolist()
        shares.append(np.isin(right, again).mean())
        assert np.isin(right, index.search(queries, 400)[0][0]).all()
    assert 1 - loss - 0.15 <= np.mean(shares) <= 1 - 0.6 * loss


def test_a_loss_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backends.INDEXES, "lossy", ROW)
    with pytest.raises(InputError, match="index 'lossy': loss is from 0 to 1, not 2"):
        IndexSpec.of({"kind": "lossy", "loss": 2})
