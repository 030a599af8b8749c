"""What every candidate index must do: subclass :class:`IndexContract` and name the class."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from late_rag.errors import CancelledError, InputError
from late_rag.protocols import Index
from late_rag.scoring import maxsim
from late_rag.scoring.packing import pack, unpack
from late_rag.testing.data import random_embeddings
from late_rag.types import TokenEmbeddings

DIM = 32
LEAST_RECALL = 0.8
"""An index or engine that promises less is of no use, so that none passes by promising nothing."""


class IndexContract:
    """The contract of :class:`late_rag.protocols.Index`. Subclasses set ``index_class``, and may set ``options``."""

    index_class: ClassVar[type[Index]]
    options: ClassVar[Any] = None

    @pytest.fixture
    def stored(self) -> list[TokenEmbeddings]:
        """400 chunks as they are stored, some without rows."""
        return [unpack(pack(rows)) for rows in random_embeddings(400, DIM, seed=1, empty_share=0.05)]

    @pytest.fixture
    def queries(self) -> list[TokenEmbeddings]:
        return random_embeddings(8, DIM, seed=2, longest=12)

    @pytest.fixture
    def index(self, stored: list[TokenEmbeddings], new_folder: Callable[[], Path]) -> Index:
        return self.index_class.create(new_folder(), numbered(stored), DIM, self.options)

    @pytest.fixture
    def new_folder(self, tmp_path: Path) -> Callable[[], Path]:
        """Gives another empty folder with each call."""
        return lambda: Path(tempfile.mkdtemp(dir=tmp_path))

    def test_promises_enough(self, index: Index) -> None:
        assert LEAST_RECALL <= index.recall <= 1
        assert index.recall == 1 or not index.upper_bounds

    def test_finds_the_best(self, index: Index, stored: list[TokenEmbeddings], queries: list[TokenEmbeddings]) -> None:
        everything = np.arange(1, len(stored) + 1)
        assert share_of_best(index.search(queries, 100), queries, stored, everything) >= index.recall

    def test_finds_the_best_within(
        self, index: Index, stored: list[TokenEmbeddings], queries: list[TokenEmbeddings]
    ) -> None:
        within = np.arange(1, len(stored) + 1, 3)
        assert share_of_best(index.search(queries, 50, within), queries, stored, within) >= index.recall

    def test_scores_descend_and_bounds_hold(
        self, index: Index, stored: list[TokenEmbeddings], queries: list[TokenEmbeddings]
    ) -> None:
        for query, (rows, scores) in zip(queries, index.search(queries, 50), strict=True):
            assert rows.dtype == np.int64
            assert scores.dtype == np.float32
            assert (np.diff(scores) <= 0).all()
            if index.upper_bounds:
                exact = maxsim(query, [stored[row - 1] for row in rows])
                assert (scores >= exact - 1e-6).all()

    def test_chunks_without_rows_are_never_candidates(
        self, index: Index, stored: list[TokenEmbeddings], queries: list[TokenEmbeddings]
    ) -> None:
        empty = {number for number, rows in enumerate(stored, 1) if not len(rows)}
        assert empty
        assert not empty & set(index.search(queries, 1000)[0][0].tolist())
        assert len(index) == len(stored) - len(empty)

    def test_within_restricts(self, index: Index, queries: list[TokenEmbeddings]) -> None:
        within = np.arange(1, 400, 7, dtype=np.int64)
        for rows, _ in index.search(queries, 400, within):
            assert len(rows)
            assert set(rows.tolist()) <= set(within.tolist())

    def test_empty_within_finds_nothing(self, index: Index, queries: list[TokenEmbeddings]) -> None:
        assert all(len(rows) == 0 for rows, _ in index.search(queries, 10, np.empty(0, np.int64)))

    def test_within_of_unknown_rows_finds_nothing(self, index: Index, queries: list[TokenEmbeddings]) -> None:
        assert all(len(rows) == 0 for rows, _ in index.search(queries, 10, np.array([10_000], np.int64)))

    def test_n_above_the_count_finds_each_once(
        self, index: Index, stored: list[TokenEmbeddings], queries: list[TokenEmbeddings]
    ) -> None:
        for rows, _ in index.search(queries, 10**9):
            assert len(set(rows.tolist())) == len(rows) <= len(stored)

    def test_an_empty_index_finds_nothing(self, queries: list[TokenEmbeddings], new_folder: Callable[[], Path]) -> None:
        index = self.index_class.create(new_folder(), [], DIM, self.options)
        assert [len(rows) for rows, _ in index.search(queries, 10)] == [0] * len(queries)
        added = index.add(new_folder(), [(3, queries[0])])
        assert added.search(queries[:1], 10)[0][0].tolist() == [3]

    def test_added_rows_are_found(self, stored: list[TokenEmbeddings], new_folder: Callable[[], Path]) -> None:
        index = self.index_class.create(new_folder(), numbered(stored[:200]), DIM, self.options)
        for first in range(200, 400, 50):
            index = index.add(new_folder(), iter(list(enumerate(stored[first : first + 50], first + 1))))
        wanted = [row for row in range(1, 401, 5) if len(stored[row - 1])]
        found = [row in index.search([stored[row - 1]], 20)[0][0] for row in wanted]
        assert np.mean(found) >= index.recall

    def test_adding_leaves_the_index_as_it_was(
        self, index: Index, queries: list[TokenEmbeddings], new_folder: Callable[[], Path]
    ) -> None:
        before = index.search(queries, 30)
        added = index.add(new_folder(), [(1000, queries[0])])
        assert (len(added), len(index)) == (len(index) + 1, len(added) - 1)
        assert_same(index.search(queries, 30), before)

    def test_opened_again_it_is_the_same(
        self, queries: list[TokenEmbeddings], stored: list[TokenEmbeddings], new_folder: Callable[[], Path]
    ) -> None:
        folder = new_folder()
        index = self.index_class.create(folder, numbered(stored), DIM, self.options)
        opened = self.index_class.open(folder, self.options)
        assert len(opened) == len(index)
        assert_same(index.search(queries, 30), opened.search(queries, 30))
        index.close()
        assert_same(opened.search(queries, 30), self.index_class.open(folder, self.options).search(queries, 30))

    def test_rows_must_ascend(self, stored: list[TokenEmbeddings], new_folder: Callable[[], Path]) -> None:
        with pytest.raises(InputError, match="ascend"):
            self.index_class.create(new_folder(), [(2, stored[0]), (1, stored[1])], DIM, self.options)
        index = self.index_class.create(new_folder(), [(5, stored[0])], DIM, self.options)
        with pytest.raises(InputError, match="ascend"):
            index.add(new_folder(), [(5, stored[1])])

    def test_progress_counts_rows_and_can_stop(
        self, stored: list[TokenEmbeddings], new_folder: Callable[[], Path]
    ) -> None:
        told: list[int] = []
        index = self.index_class.create(new_folder(), numbered(stored), DIM, self.options, progress=told.append)
        assert told == sorted(told)
        assert told[-1] == len(index)

        def stop(_: int) -> None:
            raise CancelledError("enough")

        with pytest.raises(CancelledError):
            self.index_class.create(new_folder(), numbered(stored), DIM, self.options, progress=stop)


def share_of_best(
    found: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]],
    queries: Sequence[TokenEmbeddings],
    stored: Sequence[TokenEmbeddings],
    within: npt.NDArray[np.int64],
) -> float:
    """The mean share of the exact ten best of these rows that was found."""
    shares = []
    for query, (rows, _) in zip(queries, found, strict=True):
        scores = maxsim(query, [stored[row - 1] for row in within])
        best = within[np.argsort(-scores, kind="stable")[:10]]
        shares.append(float(np.isin(best, rows).mean()))
    return float(np.mean(shares))


def numbered(chunks: Sequence[TokenEmbeddings]) -> list[tuple[int, TokenEmbeddings]]:
    """Row numbers from 1 and the chunks' rows."""
    return list(enumerate(chunks, 1))


def assert_same(
    left: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]],
    right: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]],
) -> None:
    """Both found the same rows with the same scores."""
    for (rows, scores), (other_rows, other_scores) in zip(left, right, strict=True):
        np.testing.assert_array_equal(rows, other_rows)
        np.testing.assert_allclose(scores, other_scores, rtol=1e-6)
