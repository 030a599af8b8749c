"""MUVERA keeps the contract of indexes, and its vectors are those of the paper's definition."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag import IndexSpec
from late_rag.errors import CollectionDamagedError, InputError
from late_rag.indexes import muvera
from late_rag.indexes.muvera import MuveraEncoding, MuveraIndex, MuveraOptions
from late_rag.testing import IndexContract
from late_rag.testing.data import random_embeddings
from late_rag.testing.index import assert_same, numbered, share_of_best

DIM = 16


class TestMuveraIndex(IndexContract):
    index_class = MuveraIndex
    options = MuveraOptions(repetitions=40, planes=3, projection=4)


def naive(encoding: MuveraEncoding, rows: np.ndarray, options: MuveraOptions, *, chunk: bool) -> np.ndarray:
    """The definition, token by token."""
    parts = 2**options.planes
    vector = np.zeros((options.repetitions, parts, options.projection))
    for repetition in range(options.repetitions):
        planes = encoding._planes[:, repetition * options.planes :][:, : options.planes]
        projection = encoding._projection[:, repetition * options.projection :][:, : options.projection]
        tokens: dict[int, list[np.ndarray]] = {}
        for row in rows - encoding._mean:
            code = sum(1 << bit for bit in range(options.planes) if row @ planes[:, bit] > 0)
            tokens.setdefault(code, []).append(row @ projection)
        for code in range(parts):
            if chunk:
                nearest = min(tokens, key=lambda other: ((other ^ code).bit_count(), other))
                vector[repetition, code] = np.mean(tokens[nearest], axis=0)
            elif code in tokens:
                vector[repetition, code] = np.sum(tokens[code], axis=0)
    flat = vector.ravel()
    if encoding._sketch is None:
        return flat
    sketched = np.zeros(options.final or 0)
    for value, place, sign in zip(flat, *encoding._sketch, strict=True):
        sketched[int(place)] += sign * value
    return sketched


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.integers(1, 3),
    st.integers(1, 4),
    st.sampled_from([None, 3, 50]),
    st.integers(0, 99),
)
def test_vectors_are_those_of_the_definition(
    lengths: list[int], repetitions: int, planes: int, final: int | None, seed: int
) -> None:
    options = MuveraOptions(repetitions, planes, 4, final, "on", seed)
    chunks = [np.concatenate(random_embeddings(n, DIM, seed=seed + n, longest=1)) for n in lengths]
    encoding = MuveraIndex.drawn(options, DIM, chunks)
    vectors = encoding.chunks(np.concatenate(chunks), np.array(lengths))
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(lengths), encoding.width)
    for rows, vector in zip(chunks, vectors, strict=True):
        np.testing.assert_allclose(vector, naive(encoding, rows, options, chunk=True), atol=1e-5)
        np.testing.assert_allclose(encoding.query(rows), naive(encoding, rows, options, chunk=False), atol=1e-5)


@pytest.mark.parametrize("options", [MuveraOptions(1, 10, 1), MuveraOptions(8, 5, 256, final=8)])
def test_many_short_chunks_take_bounded_memory(options: MuveraOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100 chunks the pairs of parts would take 800 MB, and what the sketch is made of 25 MB."""
    monkeypatch.setattr(muvera, "_NUMBERS", 2**17)
    chunks = random_embeddings(100, DIM, seed=1, longest=2)
    lengths = np.array([len(rows) for rows in chunks])
    encoding = MuveraIndex.drawn(options, DIM, [])
    tracemalloc.start()
    vectors = encoding.chunks(np.concatenate(chunks), lengths)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12_000_000
    for number in (0, 99):
        np.testing.assert_allclose(vectors[number], naive(encoding, chunks[number], options, chunk=True), atol=1e-4)


def narrow(chunks: list[np.ndarray]) -> list[np.ndarray]:
    """The same rows in a cone, as modern checkpoints have them: their mean cosine is about .9."""
    direction = np.full(chunks[0].shape[1], 3.0 / chunks[0].shape[1] ** 0.5)
    moved = [rows + direction for rows in chunks]
    return [(rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32) for rows in moved]


def test_centring_is_chosen_where_it_finds_more(tmp_path: Path) -> None:
    chunks = random_embeddings(300, 32, seed=3, shortest=20)
    everything, shares = np.arange(1, 301), {}
    cone = narrow(chunks)
    queries = narrow(random_embeddings(16, 32, seed=4, shortest=8, longest=12))
    for center in ("auto", "on", "off"):
        (tmp_path / center).mkdir()
        index = MuveraIndex.create(tmp_path / center, numbered(cone), 32, MuveraOptions(center=center))
        shares[center] = share_of_best(index.search(queries, 30), queries, cone, everything)
    assert shares["on"] > shares["off"] + 0.1
    assert shares["auto"] == shares["on"]
    assert not MuveraIndex.drawn(MuveraOptions(center="off"), 32, chunks)._mean.any()


def test_it_is_drawn_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = random_embeddings(60, DIM, seed=5)
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir(), second.mkdir()
    index = MuveraIndex.create(first, numbered(chunks), DIM)
    before = index.search(chunks[:3], 100)
    monkeypatch.setattr(MuveraIndex, "drawn", None)
    added = MuveraIndex.open(first).add(second, [(100, chunks[0])]).search(chunks[:3], 100)
    for (rows, scores), (more, their_scores) in zip(before, added, strict=True):
        old = more != 100
        assert_same([(more[old], their_scores[old])], [(rows, scores)])
        own = rows == 1
        np.testing.assert_array_equal(their_scores[~old], scores[own])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repetitions": 0}, "index 'muvera': repetitions takes a whole number from 1 to 256, not 0"),
        ({"planes": 11}, "planes takes a whole number from 1 to 10, not 11"),
        ({"final": 0}, "final takes a whole number from 1 to 65,536, not 0"),
        ({"repetitions": 200, "planes": 10}, "repetitions x 2^planes x projection is at most 65,536, not 1,638,400"),
        ({"seed": 2**32}, "seed takes a whole number from 0 to 4,294,967,295, not 4294967296"),
        ({"center": "yes"}, "option 'center' of index 'muvera' takes 'auto' or 'on' or 'off', not 'yes'"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message.replace("^", r"\^")):
        IndexSpec.of({"kind": "muvera", **options})


@pytest.mark.parametrize("name", ["mean", "planes", "projection", "sketch"])
def test_files_that_it_never_writes_are_damage(name: str, tmp_path: Path) -> None:
    options = MuveraOptions(final=8)
    MuveraIndex.create(tmp_path, numbered(random_embeddings(5, DIM, seed=6)), DIM, options)
    path = tmp_path / f"{name}.f32"
    content = path.read_bytes()
    values = [np.full(len(content) // 4, value, np.float32) for value in (np.nan, 3e38)]
    for forged in (content[:-3], content + content[:4] * 160 * 16, *values):
        path.write_bytes(bytes(forged))
        with pytest.raises(CollectionDamagedError, match=r"no rows|not finite|belong together"):
            MuveraIndex.open(tmp_path, options)
    path.write_bytes(content)
    MuveraIndex.open(tmp_path, options)


def test_queries_of_another_dim(tmp_path: Path) -> None:
    index = MuveraIndex.create(tmp_path, numbered(random_embeddings(5, DIM, seed=6)), DIM)
    with pytest.raises(CollectionDamagedError, match="made of rows of dim 16, queries have 8"):
        index.search(random_embeddings(1, 8, seed=1), 3)
