"""The best of stored rows, most of which are not scored in full, against all of them scored."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag.scoring import stored
from late_rag.scoring.packing import pack
from late_rag.scoring.stored import stored_best, stored_maxsim, stored_query
from late_rag.testing.data import random_embeddings


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 80),
    most=st.integers(1, 30),
    size=st.sampled_from([1e-6, 1.0, 50.0]),
    storage=st.sampled_from(["int8", "float16"]),
    share=st.floats(0, 1),
)
def test_the_best_are_those_of_all_scores(
    seed: int, count: int, most: int, size: float, storage: str, share: float
) -> None:
    documents = [pack(rows * np.float32(size), storage) for rows in random_embeddings(count, 16, seed=seed, longest=9)]
    documents += documents[: count // 3]  # ties
    documents.append(pack(np.empty((0, 16), np.float32), storage))
    query = stored_query(random_embeddings(1, 16, seed=seed + 1)[0] * np.float32(size), storage)
    every = stored_maxsim(query, documents)
    assert (query.bounds(documents[:count]) >= every[:count]).all()
    for least in (-math.inf, float(np.quantile(every[every > -np.inf], share))):
        found = stored_best(query, documents, most, least)
        kth = max(np.sort(every)[-min(most, len(every))], least)
        assert (found[every >= kth] == every[every >= kth]).all()
        assert ((found == every) | (found == -np.inf)).all()


def test_most_are_not_scored_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [pack(rows) for rows in random_embeddings(400, 64, seed=1)]
    query = stored_query(random_embeddings(1, 64, seed=2, shortest=30)[0], "int8")
    scored: list[int] = []

    def counted(query: object, some: list[object]) -> object:
        scored.append(len(some))
        return stored_maxsim(query, some)

    monkeypatch.setattr(stored, "stored_maxsim", counted)
    stored_best(query, documents, 10)
    assert sum(scored) < 60
    scored.clear()
    stored_best(query, documents, 10, least=1e9)
    assert sum(scored) == 10
