"""Stored embeddings come back as they were written, and any change of any column is noticed."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag.collections.kit import embedding_rows
from late_rag.errors import CollectionDamagedError
from late_rag.protocols import CollectionSettings
from late_rag.scoring.packing import Storage, pack
from late_rag.testing.data import random_embeddings


@settings(max_examples=200, deadline=None)
@given(
    dim=st.sampled_from([1, 3, 8, 32, 33]),
    count=st.integers(1, 12),
    seed=st.integers(0, 2**16),
    storage=st.sampled_from(["int8", "float16"]),
)
def test_what_is_written_is_read_and_any_other_is_refused(dim: int, count: int, seed: int, storage: Storage) -> None:
    rng = random.Random(seed)
    known = CollectionSettings("test", "test-1", dim, storage=storage)
    packed = [pack(found, storage) for found in random_embeddings(count, dim, seed=seed, empty_share=0.2)]
    stored = [(row, *embedding_rows.values(row, rows)) for row, rows in enumerate(packed, 1)]
    for rows, again in zip(packed, embedding_rows.read(stored, known, "here"), strict=True):
        assert np.array_equal(rows.values, again.values)
        assert (rows.scale, rows.norm) == (again.scale, again.norm)
    place = rng.randrange(count)
    stored[place] = changed(stored[place], rng)
    with pytest.raises(CollectionDamagedError, match="here: the embeddings in row"):
        embedding_rows.read(stored, known, "here")


def changed(stored: embedding_rows.StoredRow, rng: random.Random) -> embedding_rows.StoredRow:
    """One column other than it was, by a bit or by far."""
    row, tokens, scale, norm, blob, checksum = stored
    kind = rng.randrange(6 if blob else 5)
    if kind == 0:
        return row + rng.choice((1, -1, 2**40)), tokens, scale, norm, blob, checksum
    if kind == 1:
        return row, tokens + rng.choice((1, -1)), scale, norm, blob, checksum
    if kind == 2:
        return row, tokens, rng.choice((0.0, -scale, np.nextafter(scale, 9).item(), float("nan"))), norm, blob, checksum
    if kind == 3:
        return row, tokens, scale, rng.choice((-1.0, norm * 2 + 1, float("inf"))), blob, checksum
    if kind == 4:
        return row, tokens, scale, norm, blob, checksum ^ 1 << rng.randrange(63)
    place = rng.randrange(len(blob))
    flipped = bytes([blob[place] ^ 1 << rng.randrange(8)])
    return row, tokens, scale, norm, blob[:place] + flipped + blob[place + 1 :], checksum
