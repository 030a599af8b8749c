"""Hierarchical pooling gives the rows of sentence-transformers on the same input."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
modules = pytest.importorskip("sentence_transformers.multi_vector_encoder.modules")

from late_rag.pooling import load_pooling  # noqa: E402


@pytest.mark.parametrize("seed", range(40))
def test_rows_and_their_order_are_the_librarys(seed):
    random = np.random.default_rng(seed)
    rows, dim = int(random.integers(0, 300)), int(random.integers(8, 129))
    embeddings = (random.normal(size=(rows, dim)) + random.normal(size=dim)).astype(np.float32)
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    factor, protected = int(random.integers(1, 7)), int(random.integers(0, 4))
    theirs = modules.HierarchicalTokenPooling(factor, num_protected_tokens=protected, normalize_embeddings=False)
    expected = theirs.pool([torch.from_numpy(embeddings)])[0].numpy()
    ours = load_pooling({"pool_factor": factor, "protected_tokens": protected})(embeddings)
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, atol=1e-6)
