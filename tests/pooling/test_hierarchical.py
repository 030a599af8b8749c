"""Hierarchical pooling against the definition: merge the two nearest clusters until few enough are left."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag.errors import InputError
from late_rag.pooling import load_pooling
from late_rag.pooling.hierarchical import HierarchicalPooling, cut, ward


def unit_rows(rows: int, dim: int, seed: int = 0) -> np.ndarray:
    """Rows that lean one way, as a model's do, with no two distances equal."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, dim)) + random.normal(size=dim)
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def naive_clusters(rows: np.ndarray, count: int) -> set[frozenset[int]]:
    """Ward by the Lance–Williams formula on squared distances, one merge after the other."""
    distances = (1 - rows.astype(float) @ rows.astype(float).T) ** 2
    clusters = {number: frozenset([number]) for number in range(len(rows))}
    between = {(a, b): distances[a, b] for a in clusters for b in clusters if a < b}
    while len(clusters) > count:
        a, b = min(between, key=between.__getitem__)
        size_a, size_b, apart = len(clusters[a]), len(clusters[b]), between[a, b]
        for c in clusters.keys() - {a, b}:
            size_c = len(clusters[c])
            to_a, to_b = between[min(a, c), max(a, c)], between.pop((min(b, c), max(b, c)))
            total = size_a + size_b + size_c
            between[min(a, c), max(a, c)] = (
                (size_a + size_c) * to_a + (size_b + size_c) * to_b - size_c * apart
            ) / total
        del between[a, b]
        clusters[a] |= clusters.pop(b)
    return set(clusters.values())


def naive_numbers(merges: np.ndarray, height: float) -> list[int]:
    """Cluster numbers by recursion down the tree: branches from left to right, then single rows."""
    rows, numbers, used = len(merges) + 1, {}, 0

    def visit(node: int, number: int | None) -> None:
        nonlocal used
        if number is None and (node < rows or merges[node - rows, 2] <= height):
            number, used = used, used + 1
        if node < rows:
            numbers[node] = number
        else:
            children = [int(child) for child in merges[node - rows, :2]]
            for child in [c for c in children if c >= rows] + [c for c in children if c < rows]:
                visit(child, number)

    visit(2 * rows - 2, None)
    return [numbers[row] for row in range(rows)]


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 30), st.integers(3, 8), st.integers(0, 10**6), st.data())
def test_clusters_are_those_of_the_definition(rows, dim, seed, data):
    clusters = data.draw(st.integers(1, rows - 1))
    embeddings = unit_rows(rows, dim, seed)
    labels = cut(ward(embeddings), clusters)
    found = {frozenset(np.flatnonzero(labels == label).tolist()) for label in range(clusters)}
    assert found == naive_clusters(embeddings, clusters)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 40), st.integers(0, 10**6), st.booleans(), st.data())
def test_cut_numbers_clusters_down_the_tree(rows, seed, ties, data):
    clusters = data.draw(st.integers(1, rows - 1))
    embeddings = unit_rows(rows, 4, seed)
    merges = ward(embeddings[np.arange(rows) // 2] if ties else embeddings)
    labels = cut(merges, clusters)
    assert labels.tolist() == naive_numbers(merges, merges[rows - clusters - 1, 2])
    assert labels.max() < clusters


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 80), st.integers(1, 5), st.integers(0, 4), st.integers(0, 10**6))
def test_protected_rows_stay_and_the_rest_become_means(rows, factor, protected, seed):
    embeddings = unit_rows(rows, 8, seed)
    before = embeddings.copy()
    pooled = HierarchicalPooling(pool_factor=factor, protected_tokens=protected)(embeddings)
    rest = max(rows - protected, 0)
    assert np.array_equal(embeddings, before)
    assert pooled.dtype == np.float32
    assert np.array_equal(pooled[:protected], embeddings[:protected])
    if factor == 1 or rest < 2:
        assert np.array_equal(pooled, embeddings)
        return
    clusters = naive_clusters(embeddings[protected:], max(rest // factor, 1))
    means = [embeddings[protected:][sorted(cluster)].astype(float).mean(axis=0) for cluster in clusters]
    assert len(pooled) == protected + len(clusters)
    order = np.lexsort(pooled[protected:].T.round(3))
    wanted = np.array(means)[np.lexsort(np.array(means).T.round(3))]
    assert np.abs(pooled[protected:][order][:, None] - wanted[None]).max(axis=2).min(axis=1).max() < 1e-6


def test_identical_rows_become_one():
    """PyLate's SciPy refuses these where rounding makes a distance negative."""
    row = unit_rows(1, 128)
    pooled = HierarchicalPooling(pool_factor=2, protected_tokens=0)(np.repeat(row, 50, axis=0))
    assert 1 <= len(pooled) <= 25
    assert np.allclose(pooled, row, atol=1e-6)


def test_pooling_is_deterministic():
    embeddings = np.repeat(unit_rows(60, 16), 2, axis=0)
    first, second = (HierarchicalPooling(pool_factor=3)(embeddings) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_long_chunk_is_pooled_block_by_block():
    embeddings = unit_rows(301, 16)
    whole = HierarchicalPooling(pool_factor=2, block_rows=100)(embeddings)
    block = HierarchicalPooling(pool_factor=2, protected_tokens=0)
    parts = [block(embeddings[start : start + 100]) for start in range(1, 301, 100)]
    assert np.array_equal(whole, np.concatenate([embeddings[:1], *parts]))


def test_memory_is_bounded_for_ten_thousand_rows():
    embeddings = unit_rows(10_000, 32)
    pooling = HierarchicalPooling(pool_factor=4)
    pooling(embeddings[:2000])
    tracemalloc.start()
    try:
        pooled = pooling(embeddings)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(pooled) == pytest.approx(2501, abs=10)
    assert peak < 60 * 2**20  # 10,000² distances in float32 would be 381 MiB


def test_options_make_the_same_pooling_again():
    pooling = load_pooling({"kind": "hierarchical", "pool_factor": 3, "protected_tokens": 2})
    assert pooling.options() == {"kind": "hierarchical", "pool_factor": 3, "protected_tokens": 2, "block_rows": 1024}
    assert load_pooling(json.loads(json.dumps(pooling.options()))) == pooling


@pytest.mark.parametrize("options", [None, {}])
def test_nothing_asked_pools_nothing(options):
    assert load_pooling(options) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pool_factor": 0}, "pool_factor takes a whole number of at least 1, not 0"),
        ({"pool_factor": 1.5}, "takes a whole number, not 1.5"),
        ({"pool_factor": True}, "takes a whole number, not True"),
        ({"protected_tokens": -1}, "protected_tokens takes a whole number of at least 0, not -1"),
        ({"block_rows": 1}, "block_rows takes a whole number of at least 2, not 1"),
        ({"factor": 2}, "has no option 'factor'; there are: pool_factor"),
        ({"kind": "mean"}, "unknown pooling 'mean'; there are: hierarchical, sequential"),
    ],
)
def test_impossible_options(options, message):
    with pytest.raises(InputError) as caught:
        load_pooling(options)
    assert message in str(caught.value)
