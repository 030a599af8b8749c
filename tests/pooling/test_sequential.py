"""Sequential pooling against its definition."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag import Retriever
from late_rag.errors import InputError
from late_rag.pooling import load_pooling
from late_rag.pooling.hierarchical import HierarchicalPooling
from late_rag.pooling.sequential import SequentialPooling
from late_rag.specs import PoolingSpec
from late_rag.testing import HashEncoder
from tests.pooling.test_hierarchical import unit_rows


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 80), st.integers(1, 6), st.integers(0, 4), st.integers(0, 10**6))
def test_each_row_after_the_protected_ones_is_the_mean_of_neighbours(rows, factor, protected, seed):
    embeddings = unit_rows(rows, 8, seed)
    before = embeddings.copy()
    pooled = SequentialPooling(pool_factor=factor, protected_tokens=protected)(embeddings)
    assert np.array_equal(embeddings, before)
    assert pooled.dtype == np.float32
    rest = list(embeddings[protected:])
    if factor == 1 or len(rest) < 2:
        assert np.array_equal(pooled, embeddings)
        return
    assert np.array_equal(pooled[:protected], embeddings[:protected])
    means = list(pooled[protected:])
    assert len(means) == max(len(rest) // factor, 1)
    sizes = set()
    while means:  # the shortest run whose mean it is, as short as the others or one longer
        mean = means.pop(0)
        size = next(n for n in range(1, len(rest) + 1) if np.allclose(np.mean(rest[:n], axis=0), mean, atol=1e-6))
        sizes.add(size)
        del rest[:size]
    assert not rest
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("rows", [1, 2, 7, 100, 101])
def test_it_leaves_as_many_rows_as_clustering(rows):
    embeddings = unit_rows(rows, 16)
    for factor in (1, 2, 3, 200):
        one, other = SequentialPooling(pool_factor=factor), HierarchicalPooling(pool_factor=factor)
        assert len(one(embeddings)) == len(other(embeddings))


def test_a_collection_is_made_with_it():
    with Retriever.create(None, HashEncoder(), pooling=PoolingSpec("sequential", pool_factor=3)) as retriever:
        retriever.add(["one two three four five six seven eight nine ten"])
        settings = retriever.collection.settings
        assert settings.pooling == {"kind": "sequential", "pool_factor": 3, "protected_tokens": 1}
        assert load_pooling(json.loads(json.dumps(settings.pooling))) == SequentialPooling(pool_factor=3)
        (whole,) = HashEncoder().encode_documents(
            retriever.collection.get([h.chunk.id for h in retriever.search("one")])
        )
        assert retriever.collection.info().tokens == 1 + (len(whole) - 1) // 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool_factor": 0}, "pool_factor takes a whole number of at least 1, not 0"),
        ({"protected_tokens": -1}, "protected_tokens takes a whole number of at least 0, not -1"),
        ({"block_rows": 8}, "has no option 'block_rows'; there are: pool_factor"),
    ],
)
def test_impossible_options(options, message):
    with pytest.raises(InputError) as caught:
        load_pooling({"kind": "sequential", **options})
    assert message in str(caught.value)
