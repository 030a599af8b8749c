"""SMVE keeps the contract of indexes, its vectors are those of the definition, and its lists what was put into them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag import IndexSpec
from late_rag.errors import CollectionDamagedError, InputError
from late_rag.indexes import smve, weighted_postings
from late_rag.indexes.smve import SmveEncoding, SmveIndex, SmveOptions
from late_rag.scoring.packing import pack, unpack
from late_rag.testing import IndexContract
from late_rag.testing.data import random_embeddings
from late_rag.testing.index import assert_same, numbered, share_of_best
from tests.indexes.test_muvera import narrow

DIM = 16


class TestSmveIndex(IndexContract):
    index_class = SmveIndex
    options = SmveOptions(anchors=512)


def naive(encoding: SmveEncoding, rows: np.ndarray, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums of what the tokens keep, and averages, token by token."""
    sums, counts = np.zeros(encoding.width), np.zeros(encoding.width)
    for row in unpack(pack(rows - encoding._mean)):
        products = row.astype(np.float64) @ encoding._anchors * encoding._step
        for anchor in np.argsort(-products, kind="stable")[:kept]:
            if products[anchor] > 0:
                sums[anchor] += products[anchor]
                counts[anchor] += 1
    return sums, sums / np.maximum(counts, 1)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.sampled_from([(8, 1), (64, 3), (128, 16)]),
    st.sampled_from(["on", "off"]),
    st.integers(0, 99),
)
def test_vectors_are_those_of_the_definition(
    lengths: list[int], sizes: tuple[int, int], center: str, seed: int
) -> None:
    chunks = [np.concatenate(random_embeddings(n, DIM, seed=seed + n, longest=1)) for n in lengths]
    encoding = smve._drawn(SmveOptions(*sizes, center, seed), DIM, chunks)
    vectors = encoding.chunks(np.concatenate(chunks), np.array(lengths))
    for rows, vector in zip(chunks, vectors, strict=True):
        sums, averages = naive(encoding, rows, sizes[1])
        np.testing.assert_allclose(vector, averages, atol=1e-5)
        np.testing.assert_allclose(encoding.query(rows), sums, atol=1e-5)


def test_estimates_are_the_products_of_the_vectors(tmp_path: Path) -> None:
    """Also where lists were merged, in steps, with those of chunks that came later."""
    chunks = random_embeddings(90, DIM, seed=7, empty_share=0.1)
    options = SmveOptions(anchors=64, kept=4)
    numbers = numbered(chunks)
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    index = SmveIndex.create(folders[0], numbers[:40], DIM, options)
    for folder, part in zip(folders[1:], (numbers[40:41], numbers[41:]), strict=True):
        index = index.add(folder, part)
    assert sorted(path.name for path in folders[2].iterdir()) == sorted(path.name for path in folders[0].iterdir())
    there = [(row, rows) for row, rows in numbers if len(rows)]
    lengths = np.array([len(rows) for _, rows in there])
    vectors = index._encoding.chunks(np.concatenate([rows for _, rows in there]), lengths)
    for query in random_embeddings(5, DIM, seed=8):
        ((rows, scores),) = index.search([query], 1000)
        right = dict(zip([row for row, _ in there], vectors @ index._encoding.query(query), strict=True))
        assert set(rows.tolist()) == right.keys()
        np.testing.assert_allclose(scores, [right[row] for row in rows.tolist()], atol=0.02, rtol=0.02)


def test_centring_is_chosen_where_it_finds_more(tmp_path: Path) -> None:
    cone = narrow(random_embeddings(300, 32, seed=3, shortest=20))
    queries = narrow(random_embeddings(16, 32, seed=4, shortest=8, longest=12))
    shares = {}
    for center in ("auto", "on", "off"):
        (tmp_path / center).mkdir()
        index = SmveIndex.create(tmp_path / center, numbered(cone), 32, SmveOptions(center=center))
        shares[center] = share_of_best(index.search(queries, 30), queries, cone, np.arange(1, 301))
    assert shares["on"] > shares["off"] + 0.1
    assert shares["auto"] == shares["on"]


def test_opened_again_it_draws_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = random_embeddings(60, DIM, seed=5)
    before = SmveIndex.create(tmp_path, numbered(chunks), DIM).search(chunks[:3], 20)
    monkeypatch.setattr(smve, "_drawn", None)
    assert_same(SmveIndex.open(tmp_path).search(chunks[:3], 20), before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"anchors": 100}, "index 'smve': anchors is a multiple of 8 from 8 to 65,536, not 100"),
        ({"anchors": 64, "kept": 9}, "kept is from 1 to an eighth of the anchors, not 9"),
        ({"seed": -1}, "seed takes a whole number from 0 to 4,294,967,295, not -1"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        IndexSpec.of({"kind": "smve", **options})


@pytest.mark.parametrize(
    ("name", "forged"),
    [
        ("anchors.f32", lambda values: values * 100),
        ("mean.f32", lambda values: values[:-1]),
        ("rows.i64", lambda values: values[::-1]),
        ("starts.i64", lambda values: values[::-1]),
        ("places.i32", lambda values: values + 1000),
        ("places.i32", lambda values: values - 1000),
        ("values.u8", lambda values: values[1:]),
        ("scales.f32", lambda values: values * np.nan),
    ],
)
def test_files_that_it_never_writes_are_damage(name: str, forged: object, tmp_path: Path) -> None:
    options = SmveOptions(anchors=64)
    SmveIndex.create(tmp_path, numbered(random_embeddings(20, DIM, seed=6)), DIM, options)
    path = tmp_path / name
    dtype = {"f32": np.float32, "i64": np.int64, "i32": np.int32, "u8": np.uint8}[name.partition(".")[2]]
    path.write_bytes(forged(np.frombuffer(path.read_bytes(), dtype)).astype(dtype).tobytes())
    with pytest.raises(CollectionDamagedError, match=str(tmp_path)):
        SmveIndex.open(tmp_path, options)


def test_queries_of_another_dim(tmp_path: Path) -> None:
    index = SmveIndex.create(tmp_path, numbered(random_embeddings(5, DIM, seed=6)), DIM)
    with pytest.raises(CollectionDamagedError, match="made of rows of dim 16, queries have 8"):
        index.search(random_embeddings(1, 8, seed=1), 3)


@pytest.mark.parametrize("length", [0, 1, 700_000])
def test_what_is_mapped_to_be_written_has_its_room_before(tmp_path: Path, length: int) -> None:
    values = weighted_postings._new(tmp_path / "values", np.int32, length)
    assert (tmp_path / "values").stat().st_blocks * 512 >= values.nbytes == 4 * length
    assert not values.any()
