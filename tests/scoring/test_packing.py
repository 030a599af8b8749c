"""Packing loses little, and nothing the second time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from late_rag.errors import InputError
from late_rag.scoring.packing import check, from_blob, pack, unpack

arrays = hnp.arrays(
    np.float32,
    st.tuples(st.integers(0, 6), st.just(5)),
    elements=st.floats(-1e4, 1e4, width=32, allow_nan=False),
)


@settings(deadline=None)
@given(arrays)
def test_int8_is_off_by_at_most_half_a_step(rows: np.ndarray) -> None:
    packed = pack(rows)
    assert packed.values.dtype == np.uint8
    assert np.abs(unpack(packed) - rows).max(initial=0) <= 0.5001 * packed.scale
    assert packed.norm == pytest.approx(np.linalg.norm(unpack(packed), axis=1).max(initial=0), rel=1e-5)


@settings(deadline=None)
@given(arrays, st.sampled_from(["int8", "float16"]))
def test_packing_again_changes_nothing(rows: np.ndarray, storage: str) -> None:
    packed = pack(rows, storage)
    again = pack(unpack(packed), storage)
    assert again.scale == packed.scale or not packed.values.size or not unpack(packed).any()
    np.testing.assert_array_equal(unpack(again), unpack(packed))


@pytest.mark.parametrize("storage", ["int8", "float16"])
def test_blobs_round_trip(storage: str) -> None:
    packed = pack(np.random.default_rng(0).standard_normal((7, 12)).astype(np.float32), storage)
    read = from_blob(packed.values.tobytes(), packed.scale, packed.norm, 12, storage)
    np.testing.assert_array_equal(unpack(read), unpack(packed))


def test_zeros_and_tiny_numbers() -> None:
    for rows in (np.zeros((2, 3), np.float32), np.full((2, 3), 1e-42, np.float32)):
        assert np.abs(unpack(pack(rows))).max() == 0


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([[1.0, 2.0]], "list"),
        (np.ones((2, 3), np.float64), "float64"),
        (np.ones((2, 4), np.float32), r"\(2, 4\), expected \(tokens, 3\)"),
        (np.ones(3, np.float32), r"\(3,\)"),
        (np.array([[1, np.nan, 0]], np.float32), "NaN"),
        (np.array([[1, np.inf, 0]], np.float32), "infinity"),
    ],
)
def test_what_cannot_be_stored_is_named(value: object, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        check(value, 3, "the embeddings of 'c1'")
    assert "the embeddings of 'c1'" in str(caught.value)


def test_float16_range() -> None:
    with pytest.raises(InputError, match="float16"):
        pack(np.full((1, 2), 1e6, np.float32), "float16")
