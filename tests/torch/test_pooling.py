"""Hierarchical pooling gives PyLate's rows on the same input."""

from __future__ import annotations

import numpy as np
import pytest

from late_rag.pooling import load_pooling

pytestmark = pytest.mark.torch


def pylate_rows(embeddings: np.ndarray, pool_factor: int, protected_tokens: int) -> np.ndarray:
    import torch
    from pylate.models import ColBERT

    pool = ColBERT.pool_embeddings_hierarchical  # uses nothing of the model
    return pool(None, [torch.from_numpy(embeddings)], pool_factor, protected_tokens)[0].numpy()


@pytest.mark.parametrize("seed", range(40))
def test_rows_and_their_order_are_pylates(seed):
    random = np.random.default_rng(seed)
    rows, dim = int(random.integers(0, 300)), int(random.integers(8, 129))
    embeddings = (random.normal(size=(rows, dim)) + random.normal(size=dim)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    factor, protected = int(random.integers(1, 7)), int(random.integers(0, 4))
    ours = load_pooling({"pool_factor": factor, "protected_tokens": protected})(embeddings)
    theirs = pylate_rows(embeddings, factor, protected)
    assert ours.shape == theirs.shape
    assert np.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
def test_few_rows(rows):
    embeddings = np.eye(8, dtype=np.float32)[:rows] * np.arange(1, 9, dtype=np.float32)[:rows, None] / 8
    ours = load_pooling({"pool_factor": 2})(embeddings)
    assert np.allclose(ours, pylate_rows(embeddings, 2, 1), atol=1e-6)
