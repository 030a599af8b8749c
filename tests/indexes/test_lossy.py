"""The lossy index keeps the contract of indexes, and one that gives the worst candidates does not."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from late_rag.testing import IndexContract, LossyIndex
from late_rag.testing.data import random_embeddings
from late_rag.testing.index import numbered


class TestLossyIndex(IndexContract):
    index_class = LossyIndex


class _Losing(LossyIndex):
    loss: ClassVar[float] = 0.4


@pytest.mark.parametrize("test", ["test_finds_the_best", "test_finds_the_best_within"])
def test_the_contract_notices_what_is_lost_beyond_the_promise(test: str) -> None:
    contract = TestLossyIndex()
    stored, queries = random_embeddings(400, 32, seed=1), random_embeddings(8, 32, seed=2)
    for kind in (LossyIndex, _Losing):
        index = kind()
        index.build(numbered(stored))
        if kind is LossyIndex:
            getattr(contract, test)(index, stored, queries)
        else:
            with pytest.raises(AssertionError):
                getattr(contract, test)(index, stored, queries)


@pytest.mark.parametrize("loss", [0.0, 0.3, 1.0])
def test_the_loss_is_as_it_was_set(loss: float) -> None:
    index = type("_Index", (LossyIndex,), {"loss": loss})()
    index.build(numbered(random_embeddings(400, 32, seed=1)))
    queries = random_embeddings(8, 32, seed=2)
    found = index.search(queries, 400)
    assert np.mean([len(rows) for rows, _ in found]) / 400 == pytest.approx(1 - loss, abs=0.03)
    for (rows, _), (again, _) in zip(found, index.search(queries, 10), strict=True):
        assert rows[:10].tolist() == again.tolist()
