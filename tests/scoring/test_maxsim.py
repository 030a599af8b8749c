"""MaxSim against its definition."""

from __future__ import annotations

import importlib.util
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag.errors import InputError
from late_rag.scoring import maxsim, similarity
from late_rag.scoring import maxsim as maxsim_function
from late_rag.scoring.packing import pack, unpack
from late_rag.scoring.scores import BLOCK_TOKENS
from late_rag.scoring.stored import stored_maxsim, stored_query
from late_rag.testing.data import random_embeddings


def naive(query: np.ndarray, document: np.ndarray) -> float:
    """The definition, in three loops."""
    if not len(document):
        return -math.inf
    total = 0.0
    for q in query:
        best = -math.inf
        for d in document:
            product = 0.0
            for a, b in zip(q.tolist(), d.tolist(), strict=True):
                product += a * b
            best = max(best, product)
        total += best
    return total


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, list[np.ndarray]]:
    dim = draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    lengths = draw(st.lists(st.integers(0, 9), max_size=12))
    query = rng.standard_normal((draw(st.integers(1, 5)), dim)).astype(kind)
    return query, [rng.standard_normal((length, dim)).astype(kind) for length in lengths]


@settings(deadline=None)
@given(scored())
def test_equals_the_triple_loop(case: tuple[np.ndarray, list[np.ndarray]]) -> None:
    query, documents = case
    scores = maxsim(query, documents)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, [naive(query, document) for document in documents], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("lengths", [range(50, 66), [1], [BLOCK_TOKENS + 7, 0, 3], [BLOCK_TOKENS, 1, BLOCK_TOKENS - 1]])
def test_lengths_around_blocks(lengths: list[int]) -> None:
    rng = np.random.default_rng(1)
    query = rng.standard_normal((20, 16), dtype=np.float32)
    documents = [rng.standard_normal((length, 16), dtype=np.float32) for length in lengths]
    expected = [(query @ d.T).max(axis=1).sum() if len(d) else -np.inf for d in documents]
    np.testing.assert_allclose(maxsim(query, documents), expected, rtol=1e-5)


def test_no_documents() -> None:
    assert maxsim(np.ones((2, 3), np.float32), []).shape == (0,)


def test_errors_name_both_dims() -> None:
    with pytest.raises(InputError, match=r"document 1 .*\(4, 5\).*dim 3"):
        maxsim(np.ones((2, 3), np.float32), [np.ones((4, 3), np.float32), np.ones((4, 5), np.float32)])
    with pytest.raises(InputError, match="at least one token"):
        maxsim(np.ones((0, 3), np.float32), [])


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32), st.sampled_from(["int8", "float16"]))
def test_stored_rows_score_as_their_floats_do(seed: int, storage: str) -> None:
    query = random_embeddings(1, 24, seed=seed)[0]
    packed = [pack(rows, storage) for rows in random_embeddings(20, 24, seed=seed + 1, empty_share=0.2)]
    scores = stored_maxsim(stored_query(query, storage), packed)
    exact = [
        (query.astype(np.float64) @ unpack(rows).astype(np.float64).T).max(axis=1).sum()
        if len(rows.values)
        else -np.inf
        for rows in packed
    ]
    np.testing.assert_allclose(scores, exact, rtol=0, atol=1e-6 * len(query))


@pytest.mark.parametrize("storage", ["int8", "float16"])
def test_equal_rows_score_equally_wherever_they_stand(storage: str) -> None:
    query = random_embeddings(1, 128, seed=7, shortest=32, longest=32)[0]
    chunk = pack(random_embeddings(1, 128, seed=8, shortest=37, longest=37)[0], storage)
    others = [pack(rows, storage) for rows in random_embeddings(300, 128, seed=9)]
    stored = stored_query(query, storage)
    alone = stored_maxsim(stored, [chunk])[0]
    for place in (0, 1, 17, 150, 300):
        assert stored_maxsim(stored, [*others[:place], chunk, *others[place:]])[place] == alone


def test_similarity_is_the_clipped_mean() -> None:
    assert similarity(8.0, 16) == 0.5
    assert similarity(20.0, 16) == 1.0
    assert similarity(-3.0, 16) == 0.0
    assert similarity(-math.inf, 16) == 0.0


def test_kernels_are_what_their_script_makes(repository: object) -> None:
    spec = importlib.util.spec_from_file_location("make_kernels", f"{repository}/tools/make_kernels.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, model in module.models().items():
        assert (module.FOLDER / name).read_bytes() == model.SerializeToString()


def test_public_name_is_the_function() -> None:
    import late_rag

    assert late_rag.maxsim is maxsim_function
