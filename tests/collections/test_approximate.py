"""A local collection over an index without bounds: its candidates, rescored, and the rows behind them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from late_rag import backends, calibration
from late_rag.collections.local import LocalCollection, index_files, search
from late_rag.filters.selection import Selection
from late_rag.protocols import Capabilities, Collection, CollectionSettings
from late_rag.scoring import maxsim
from late_rag.testing import CollectionContract, LossyIndex
from late_rag.testing.collection_base import DIM, chunk, fill, rows
from late_rag.testing.collection_search import assert_best
from late_rag.testing.lossy import LossyOptions  # noqa: F401  # named by the row of the kinds that are here
from late_rag.types import TokenEmbeddings
from tests.collections.folders import InFolders

SETTINGS = CollectionSettings(model="test", model_id="test-1", dim=DIM, index="lossy")


class Worst(LossyIndex):
    """Finds nothing but the worst."""

    def search(self, queries, n, within=None):
        found = super().search(queries, len(self), within)
        return [(found_rows[::-1][:n], -scores[::-1][:n]) for found_rows, scores in found]


class Counting(LossyIndex):
    """Loses nothing, and remembers how many candidates it was asked for."""

    asked: ClassVar[list[int]] = []

    def search(self, queries, n, within=None):
        self.asked.append(n)
        return super().search(queries, n, within)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Index files from 50 chunks on, and candidates for all but the smallest selections."""
    monkeypatch.setattr(index_files, "TAIL_CHUNKS", 50)
    monkeypatch.setattr(calibration, "QUERIES", 10)
    monkeypatch.setattr(search, "_FEW", 2)
    monkeypatch.setattr(search, "_FEW_OF_ALL", 10**9)
    registered(monkeypatch, LossyIndex)


def registered(monkeypatch: pytest.MonkeyPatch, kind: type[LossyIndex]) -> None:
    """Puts a row into the table of indexes, as whoever ships an index does."""
    row = backends.Backend(kind.__module__, kind.__name__, options="LossyOptions")
    monkeypatch.setitem(backends.INDEXES, "lossy", row)


class TestLossyLocalCollection(InFolders, CollectionContract):
    settings = SETTINGS


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LocalCollection:
    """300 chunks behind an index that loses nothing, of which few candidates are taken."""
    registered(monkeypatch, Counting)
    collection = LocalCollection.create(tmp_path / "c.rag", replace(SETTINGS, index_options={"loss": 0.0}))
    fill(collection, 300, seed=1)
    monkeypatch.setattr(Counting, "asked", [])
    return collection


def best(collection: Collection, query: TokenEmbeddings, top_k: int) -> list[str]:
    stored = collection.embeddings([f"{letter}{number}" for letter in "cn" for number in range(300)])
    scores = maxsim(query, list(stored.values()))
    return [list(stored)[number] for number in np.argsort(-scores, kind="stable")[:top_k]]


def found(collection: Collection, query: TokenEmbeddings, top_k: int, selection: Selection | None = None) -> list[str]:
    return [hit.chunk.id for hit in collection.search([query], top_k, selection)[0]]


def test_the_worst_candidates_do_not_pass(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    registered(monkeypatch, Worst)
    monkeypatch.setattr(calibration, "OVERLAP", 0.0)
    collection = LocalCollection.create(tmp_path / "c.rag", SETTINGS)
    with pytest.raises(AssertionError):
        TestLossyLocalCollection().test_search_finds_the_best_of_the_stored_rows(collection)
    assert len(found(collection, rows(1)[0], 10)) == 10
    collection.close()


def test_says_what_its_index_promises(counted: LocalCollection, tmp_path: Path) -> None:
    assert counted.capabilities == Capabilities(text_search=True, staging=True, exact=False, recall=0.9)
    exact = LocalCollection.create(tmp_path / "exact.rag", CollectionSettings(model="m", model_id="m", dim=DIM))
    assert exact.capabilities == Capabilities(text_search=True, staging=True, exact=True, recall=1.0)


def test_as_many_candidates_as_top_k_needs_are_rescored(counted: LocalCollection) -> None:
    (query,) = rows(1, seed=2)
    for top_k, asked in ((5, 25), (30, 75)):
        assert found(counted, query, top_k) == best(counted, query, top_k)
        assert Counting.asked.pop() == asked
    assert not Counting.asked


def test_where_what_is_gone_took_places_more_are_asked_for(counted: LocalCollection) -> None:
    (query,) = rows(1, seed=2)
    gone = best(counted, query, 70)
    counted.delete(Selection(ids=tuple(gone)))
    assert found(counted, query, 10) == best(counted, query, 10)
    assert Counting.asked == [25, 50, 100]
    assert not set(gone) & set(found(counted, query, 300))


def test_what_came_after_the_index_is_found_beside_it(counted: LocalCollection) -> None:
    (query, *noise) = rows(40, seed=3)
    counted.add([chunk(f"n{number}") for number in range(40)], [query, *noise])
    assert found(counted, query, 10) == best(counted, query, 10)
    assert found(counted, query, 1) == ["n0"]
    counted.delete(Selection(ids=("n0", "c7")))
    assert found(counted, query, 10) == best(counted, query, 10)


def test_a_selection_restricts_the_candidates(counted: LocalCollection) -> None:
    (query,) = rows(1, seed=2)
    counted.add([chunk("n0", even=True)], [query])
    for half in (0, 1):
        counted.update_metadata(Selection(ids=tuple(f"c{n}" for n in range(half, 300, 2))), {"even": not half})
    for even in (True, False):
        selection = Selection(filter=f"even == {str(even).lower()}")
        assert_best(counted, rows(5, seed=4), 10, selection)
        expected = [name for name in best(counted, query, 301) if (name == "n0" or int(name[1:]) % 2 == 0) is even]
        assert found(counted, query, 10, selection) == expected[:10]
    assert Counting.asked


@pytest.mark.parametrize("change", ["cut", "gone", "more", "linked"])
def test_files_of_an_index_are_kept_whole_wherever_it_put_them(
    counted: LocalCollection, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    before = found(counted, rows(1, seed=2)[0], 10)
    (folder,) = (Path(counted.location) / "index").iterdir()
    path = folder / "exact" / "values.u8"
    if change == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif change == "gone":
        path.unlink()
    elif change == "more":
        (folder / "exact" / "other.bin").write_bytes(b"x")
    else:
        (folder / "exact").rename(folder.with_name("elsewhere"))
        (folder / "exact").symlink_to(folder.with_name("elsewhere"))
    with LocalCollection.open(counted.location, "read") as opened:
        assert found(opened, rows(1, seed=2)[0], 10) == before
    assert "index files cannot be used" in caplog.text
