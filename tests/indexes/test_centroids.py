"""The centroid index keeps the contract of indexes; each of its parts is what its naive definition says."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag import IndexSpec
from late_rag.errors import CollectionDamagedError, InputError
from late_rag.indexes import centroid_files, centroid_search, centroid_training, centroids
from late_rag.indexes.centroid_assignment import Assigner
from late_rag.indexes.centroid_postings import merged, postings_of
from late_rag.indexes.centroid_training import levels_of, train
from late_rag.indexes.centroids import CentroidIndex, CentroidOptions
from late_rag.indexes.spool import Spool, rounded_rows
from late_rag.testing import IndexContract
from late_rag.testing.data import random_embeddings
from late_rag.testing.index import assert_same, numbered, share_of_best
from late_rag.types import TokenEmbeddings

STORED = random_embeddings(400, 32, seed=1)
QUERIES = random_embeddings(8, 32, seed=2, longest=12)


class TestCentroidIndex(IndexContract):
    index_class = CentroidIndex


@pytest.fixture
def new_folder(tmp_path: Path) -> Callable[[], Path]:
    return lambda: Path(tempfile.mkdtemp(dir=tmp_path))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def made(folder: Path, chunks: list[TokenEmbeddings], **options: int) -> CentroidIndex:
    return CentroidIndex.create(folder, numbered(chunks), chunks[0].shape[1], CentroidOptions(**options))


def naive_estimates(index: CentroidIndex, query: TokenEmbeddings, stored: list[TokenEmbeddings]) -> np.ndarray:
    """Best product with a probed centroid of the chunk, else the floor, summed over the query's tokens; in float32."""
    held = index._held
    table = held.centroids.rows(np.arange(len(held.centroids)))
    codes = Assigner(held.centroids)(rounded_rows(np.concatenate(stored)))
    ends = np.cumsum([0, *map(len, stored)])
    of_chunk = [set(codes[first:last].tolist()) for first, last in pairwise(ends)]
    sums = np.zeros(len(stored))
    for row in query:
        products = table @ row
        probed = np.argsort(-products, kind="stable")[: index._options.probes]
        highest, lowest = products[probed[0]], products[probed[-1]]
        floor = lowest - centroid_search.UNSEEN * (highest - lowest)
        for chunk, mine in enumerate(of_chunk):
            sums[chunk] += max([products[number] for number in probed if number in mine], default=floor)
    return sums


@pytest.mark.parametrize("tokens", [1, 7, 80])
def test_scores_are_those_of_the_definition(folder: Path, tokens: int) -> None:
    stored = STORED[:60]
    index = made(folder, stored, centroids=64, probes=8)
    (query,) = random_embeddings(1, 32, seed=3, shortest=tokens, longest=tokens)
    rows, scores = index.search([query], 60)[0]
    assert sorted(rows.tolist()) == list(range(1, 61))
    # what rounds off: 7 bits of the query, 16 bits of the sums; and a centroid that is the last probed or just not
    np.testing.assert_allclose(scores, naive_estimates(index, query, stored)[rows - 1], atol=0.02 * tokens + 0.02)


def test_many_queries_are_found_as_one_by_one(folder: Path) -> None:
    index = made(folder, STORED)
    assert_same(index.search(QUERIES, 30), [index.search([query], 30)[0] for query in QUERIES])


def test_the_same_rows_and_seed_make_the_same_files(new_folder: Callable[[], Path]) -> None:
    folders = [new_folder() for _ in range(3)]
    for folder, seed in zip(folders, (0, 0, 1), strict=True):
        made(folder, STORED, seed=seed)
    first, second, other = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert first == second
    assert first["values.bin"] != other["values.bin"]


def test_a_row_belongs_to_the_best_centroid_of_its_two_best_cells() -> None:
    rows = rounded_rows(np.concatenate(STORED))
    found = train(rows, 100, 0)
    codes = Assigner(found)(rows)
    table = np.rint(levels_of(found.values) * np.float32(63 / 127)).astype(np.int64)
    levels = levels_of(rows).astype(np.int64)
    cells = np.argsort(-(levels @ found.coarse.astype(np.int64).T), axis=1, kind="stable")[:, :2]
    for row, (code, best_cells) in enumerate(zip(codes.tolist(), cells.tolist(), strict=True)):
        products = table @ levels[row]
        mine = [products[found.first[cell] : found.first[cell + 1]].max() for cell in best_cells]
        assert products[code] == max(mine)


def test_training_makes_centroids_fit_better_than_rows_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = made(folder, STORED, centroids=64)._held.fit.cosine
    monkeypatch.setattr(centroid_training, "_FINE_ROUNDS", 0)
    assert trained > made(folder, STORED, centroids=64)._held.fit.cosine + 0.05


@settings(max_examples=60)
@given(st.data())
def test_lists_are_those_of_the_definition_and_merging_is_making_at_once(data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=8))
    codes = data.draw(st.lists(st.integers(0, 5), min_size=sum(lengths), max_size=sum(lengths)))
    array, sizes = np.array(codes, np.int32), np.array(lengths)
    found = postings_of(array, sizes, 6)
    chunks = np.repeat(np.arange(len(lengths)), lengths).tolist()
    for centroid in range(6):
        expected = sorted({chunk for code, chunk in zip(codes, chunks, strict=True) if code == centroid})
        assert found.chunks[found.starts[centroid] : found.starts[centroid + 1]].tolist() == expected
    cut = data.draw(st.integers(0, len(lengths)))
    tokens = int(sizes[:cut].sum())
    old, new = postings_of(array[:tokens], sizes[:cut], 6), postings_of(array[tokens:], sizes[cut:], 6, cut)
    both = merged(old, new)
    assert (both.starts.tolist(), both.chunks.tolist()) == (found.starts.tolist(), found.chunks.tolist())


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.integers(1, 50))
def test_the_highest_are_those_of_a_stable_sort(values: list[int], count: int) -> None:
    array = np.array(values, np.int32)
    assert centroid_search.highest(array, count).tolist() == np.argsort(-array, kind="stable")[:count].tolist()


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([np.ones((1, 5), np.float32)], id="one row of a dim that is no multiple of anything"),
        pytest.param([np.ones((3, 32), np.float32)] * 40, id="identical rows"),
        pytest.param([np.zeros((2, 32), np.float32)] * 5, id="zeros"),
        pytest.param([np.zeros((1, 7), np.float32), np.eye(7, dtype=np.float32)], id="zeros among others"),
        pytest.param([np.float32(1e-4) * rows for rows in STORED[:20]], id="short rows"),
        pytest.param([rows[:1] for rows in STORED[:300]], id="chunks of one row"),
        pytest.param(random_embeddings(2, 1, seed=1), id="one dim"),
    ],
)
def test_rows_of_every_kind(chunks: list[TokenEmbeddings], new_folder: Callable[[], Path]) -> None:
    index = made(new_folder(), chunks)
    for tokens in (1, 512):
        query = np.random.default_rng(0).standard_normal((tokens, chunks[0].shape[1])).astype(np.float32)
        rows, scores = index.search([query], len(chunks) + 5)[0]
        assert sorted(rows.tolist()) == list(range(1, len(chunks) + 1))
        assert np.isfinite(scores).all()
    added = index.add(new_folder(), [(len(chunks) + 1, chunks[0])])
    assert len(added.search([chunks[0] + np.float32(0.1)], 10**6)[0][0]) == len(chunks) + 1


def test_equal_chunks_are_ordered_by_row(folder: Path) -> None:
    index = made(folder, [STORED[0]] * 30)
    assert index.search([QUERIES[0]], 12)[0][0].tolist() == list(range(1, 13))


def test_a_query_of_many_tokens_over_long_lists_is_cut_into_bounded_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = made(folder, STORED, centroids=16)
    (query,) = random_embeddings(1, 32, seed=3, shortest=100, longest=100)
    expected = index.search([query], 50)
    monkeypatch.setattr(centroid_search, "_ENTRIES", 100)
    monkeypatch.setattr(centroid_search, "_CELLS", 1000)
    assert_same(index.search([query], 50), expected)


def test_rows_that_lie_in_few_cells_get_no_more_than_a_bounded_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centroid_training, "_MOST_OF_MEAN", 2)
    rng = np.random.default_rng(0)
    narrow = np.ones((4000, 16)) + 0.01 * rng.standard_normal((4000, 16))
    rows = np.concatenate([narrow, rng.standard_normal((50, 16))]).astype(np.float32)
    found = train(rounded_rows(rows), 100, 0)
    assert np.diff(found.first).max() <= 20


def test_added_chunks_are_found_as_if_they_had_been_there(new_folder: Callable[[], Path]) -> None:
    index = made(new_folder(), STORED[:360], centroids=256)
    for first in range(360, 400, 20):
        index = index.add(new_folder(), enumerate(STORED[first : first + 20], first + 1))
    everything = np.arange(1, 401)
    assert share_of_best(index.search(QUERIES, 100), QUERIES, STORED, everything) >= 0.95
    wanted = [row for row in range(361, 401) if row in index.search([STORED[row - 1]], 5)[0][0]]
    assert len(wanted) >= 39
    assert not index.worn


def test_centroids_are_worn_by_rows_they_do_not_fit_and_by_growth(new_folder: Callable[[], Path]) -> None:
    index = made(new_folder(), STORED[:100], centroids=64)
    elsewhere = np.random.default_rng(9).standard_normal((100, 20, 32)).astype(np.float32)
    assert index.add(new_folder(), enumerate(elsewhere, 101)).worn
    assert not index.add(new_folder(), enumerate(STORED[:100], 101)).worn
    assert index.add(new_folder(), enumerate([*STORED, *STORED], 101)).worn


@pytest.mark.parametrize("within", [1, 3, 40])
def test_within_is_the_order_of_all_restricted(folder: Path, within: int) -> None:
    index = made(folder, STORED)
    chosen = np.arange(within, 401, within)
    for query in QUERIES:
        rows, scores = index.search([query], 400)[0]
        kept = np.isin(rows, chosen)
        found = index.search([query], 1000, np.append(chosen, 5000))[0]
        assert_same([found], [(rows[kept], scores[kept])])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"probes": 0}, "probes takes a whole number from 1 to 4,096, not 0"),
        ({"centroids": -1}, "centroids takes a whole number from 0 to 262,144, not -1"),
        ({"seed": 2**32}, "seed takes a whole number from 0 to 4,294,967,295, not 4294967296"),
        ({"probes": 1.5}, "option 'probes' of index 'centroids' takes a whole number, not 1.5"),
    ],
)
def test_options_that_cannot_be(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        IndexSpec.of(IndexSpec("centroids", **options))


def test_the_number_of_centroids_grows_with_the_root() -> None:
    counts = [CentroidOptions().count(rows) for rows in (1, 100, 250_000, 1_300_000, 10_000_000, 10**12)]
    assert counts == [1, 100, 4096, 16_384, 32_768, 262_144]
    assert CentroidOptions(centroids=500).count(10_000_000) == 500


def test_the_spool_keeps_directions_and_leaves_nothing(folder: Path) -> None:
    chunks = [rows * np.float32(number % 7 + 0.01) for number, rows in enumerate(STORED)]
    with Spool(folder, 32) as spool:
        spool.fill(numbered(chunks))
        assert spool.lengths.tolist() == list(map(len, chunks))
        back = levels_of(spool.values)
        assert list(folder.iterdir()) == []
        sample = spool.sample(640, 0)
    rows = np.concatenate(STORED)
    cosines = (rows * back).sum(axis=1) / np.linalg.norm(back, axis=1)
    assert cosines.min() > 0.999
    assert len(sample) == 640
    whole = {row.tobytes() for row in back.astype(np.float32)}
    assert {row.tobytes() for row in levels_of(sample)} <= whole


@pytest.mark.parametrize("mapped", [True, False])
def test_files_that_cannot_be_are_damage(folder: Path, mapped: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centroid_files, "MAPPED_BYTES", 0 if mapped else 10**9)
    made(folder, STORED).close()
    pristine = {path: path.read_bytes() for path in folder.iterdir()}
    wrong = np.full(5, 400, "<i4").tobytes()
    changes = {
        "chunks.i32": [b"", pristine[folder / "chunks.i32"][:-20] + wrong, np.full(1, -1, "<i4").tobytes()],
        "numbers.bin": [b"", pristine[folder / "numbers.bin"][::-1]],
        "sizes.bin": [pristine[folder / "sizes.bin"][:-4], np.full(1, -1, "<i4").tobytes()],
        "cells.bin": [pristine[folder / "cells.bin"][:-4]],
        "mean.bin": [np.full(32, value, np.float32).tobytes() for value in (np.nan, 3e38)],
        "coarse.bin": [b"x" * 32],
        "about.json": [
            json.dumps(json.loads(pristine[folder / "about.json"]) | other).encode()
            for other in (
                {"kind": "other"},
                {"step": -1.0},
                {"step": 1e300},
                {"fit": {"trained": -5, "rows": -5, "trained_cosine": 1, "cosine": 1}},
            )
        ],
    }
    for name, contents in changes.items():
        for content in contents:
            (folder / name).write_bytes(content)
            with pytest.raises((CollectionDamagedError, ValueError)):
                CentroidIndex.open(folder)
        (folder / name).write_bytes(pristine[folder / name])
    assert len(CentroidIndex.open(folder)) == 400


def test_an_index_of_chunks_without_centroids_is_damage(folder: Path) -> None:
    made(folder, STORED)
    for name in ("sizes.bin", "cells.bin", "values.bin", "coarse.bin", "chunks.i32"):
        (folder / name).write_bytes(b"")
    with pytest.raises(CollectionDamagedError, match="no centroids, or a cell without any"):
        CentroidIndex.open(folder)


def test_an_index_of_nothing_is_not_worn(new_folder: Callable[[], Path]) -> None:
    nothing = CentroidIndex.create(new_folder(), iter(()), 32)
    assert not nothing.add(new_folder(), iter(())).worn


def test_a_mapped_file_that_is_cut_is_damage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centroid_files, "MAPPED_BYTES", 0)
    index = made(folder, STORED)
    assert len(index.search(QUERIES, 5)[0][0]) == 5
    os.truncate(folder / "chunks.i32", 8)
    with pytest.raises(CollectionDamagedError, match=r"chunks.i32: was cut from \d+ to 8 bytes while it was in use"):
        index.search(QUERIES, 5)


def test_queries_of_another_dim_are_named(folder: Path) -> None:
    index = made(folder, STORED)
    with pytest.raises(CollectionDamagedError, match="rows have dim 32, queries have 16"):
        index.search([np.ones((2, 16), np.float32)], 5)


def test_the_sample_that_is_trained_on_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centroids, "_SAMPLE", 640)
    seen: list[int] = []
    trained = centroids.train
    monkeypatch.setattr(centroids, "train", lambda sample, *rest: seen.append(len(sample)) or trained(sample, *rest))
    made(folder, STORED)
    assert seen == [640]
