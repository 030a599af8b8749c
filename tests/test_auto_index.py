"""``index="auto"``: the last row that applies and is installed, and the reason in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from late_rag import IndexSpec, auto_index, backends
from late_rag.auto_index import RULES, Rule, choose
from late_rag.collections.local import LocalCollection, index_files
from late_rag.errors import CancelledError, InputError
from late_rag.filters.selection import Selection
from late_rag.indexes.exact import ExactIndex
from late_rag.protocols import CollectionSettings
from late_rag.testing import LossyIndex
from late_rag.testing.collection_base import DIM, chunk, fill, rows
from late_rag.types import Progress

LARGE = Rule(IndexSpec("lossy", loss=0.0), "few rows are looked at", least_tokens=3500, devices=("cpu",))


AUTO = CollectionSettings(model="m", model_id="m", dim=DIM)


def published(collection: LocalCollection) -> str:
    with collection._database.reading() as connection:
        found = collection._files.current(connection)
    assert found is not None
    return found.kind


@pytest.fixture(autouse=True)
def _row(monkeypatch: pytest.MonkeyPatch) -> None:
    row = backends.Backend("late_rag.testing.lossy", "LossyIndex", options="LossyOptions")
    monkeypatch.setitem(backends.INDEXES, "lossy", row)
    monkeypatch.setattr(auto_index, "RULES", (*RULES, LARGE))
    monkeypatch.setattr(index_files, "TAIL_CHUNKS", 100)


def test_the_scan_is_taken_up_to_a_million_rows_and_centroids_beyond() -> None:
    for tokens in (0, 999_999):
        assert choose(tokens, rules=RULES).spec == IndexSpec("exact")
        assert choose(tokens, rules=RULES).reason.startswith("auto: a scan of all chunks in int8")
    for tokens in (1_000_000, 10**9):
        assert choose(tokens, rules=RULES).spec == IndexSpec("centroids")
        assert choose(tokens, rules=RULES).reason.endswith("lose little, from 1,000,000 token vectors on")


@pytest.mark.parametrize(
    ("tokens", "device", "name"),
    [(3499, "cpu", "exact"), (3500, "cpu", "lossy"), (3500, "cuda", "exact")],
)
def test_size_and_device_decide(tokens: int, device: str, name: str) -> None:
    found = choose(tokens, device, (*RULES, LARGE))
    assert found.spec.name == name
    if name == "lossy":
        assert found.reason == "auto: few rows are looked at, from 3,500 token vectors on"


def test_what_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(backends.INDEXES, "lossy", backends.Backend("there_is_none", "Index", "fast"))
    found = choose(3500, rules=(*RULES, LARGE))
    assert found.spec == IndexSpec("exact")
    assert "; lossy would be faster at this size: index 'lossy' needs there_is_none, which" in found.reason


def test_the_device_is_the_one_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[str] = []

    class Watching(ExactIndex):
        @classmethod
        def create(cls, folder: Path, rows: Any, dim: int, options: Any = None, device: str = "", *rest: Any) -> Any:
            seen.append(device)
            return super().create(folder, rows, dim, options, device, *rest)

        @classmethod
        def open(cls, folder: Path, options: Any = None, device: str = "") -> Any:
            seen.append(device)
            return super().open(folder, options, device)

    monkeypatch.setattr("late_rag.indexes.exact.ExactIndex", Watching)
    monkeypatch.setenv(auto_index.DEVICE_VARIABLE, "cuda")
    with LocalCollection.create(tmp_path / "c.rag", AUTO) as collection:
        fill(collection, 200)
        assert collection.info().index == "exact"  # the second rule is one for the CPU
        collection.search(rows(1), 1)
    assert seen
    assert set(seen) == {"cuda"}
    monkeypatch.setenv(auto_index.DEVICE_VARIABLE, "abacus")
    with pytest.raises(InputError, match="variable LATE_RAG_INDEX_DEVICE is 'abacus', not 'cpu' or 'cuda'"):
        LocalCollection.open(tmp_path / "c.rag")


def test_what_was_chosen_at_another_size_serves_until_another_is_built(tmp_path: Path) -> None:
    with LocalCollection.create(tmp_path / "c.rag", AUTO) as collection:
        fill(collection, 200)
        assert (published(collection), collection.info().indexed) == ("lossy", 200)
        assert (collection.capabilities.exact, collection.capabilities.recall) == (False, LossyIndex.recall)
        collection.delete(Selection(ids=tuple(f"c{number}" for number in range(50))))
        assert collection.info().tokens < LARGE.least_tokens
        assert (published(collection), collection.info().index) == ("lossy", "exact")
        assert "; the files are of kind 'lossy' so far; index files cover 150 of 150" in collection.info().index_reason
        assert not collection.capabilities.exact
        assert len(collection.search(rows(1), 10)[0]) == 10
        assert collection._views._view.index_version == 1
        assert collection.verify().ok
        collection.optimize()
        assert (published(collection), collection.info().index) == ("exact", "exact")
        assert collection.capabilities.exact


def test_a_build_goes_by_the_size_it_began_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The collection grows past the bound while its files are made: these are published, and are the scan's."""
    with LocalCollection.create(tmp_path / "c.rag", AUTO) as collection:
        fill(collection, 60)
        told: list[Progress] = []

        def grows(progress: Progress) -> None:
            if not told:
                with collection._database.writing() as connection:
                    connection.execute("UPDATE state SET tokens = 10 * tokens")
            told.append(progress)

        monkeypatch.setattr(index_files, "TAIL_CHUNKS", 50)
        collection.optimize(grows)
        assert published(collection) == "exact"
        assert told[-1] == Progress("index", 60, 60, "chunks")
        assert (collection.info().index, collection.info().indexed) == ("lossy", 60)
        collection.optimize()
        assert (published(collection), collection.info().indexed) == ("lossy", 60)


def test_building_is_stopped_by_who_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stop(_: Progress) -> None:
        raise CancelledError("enough")

    with LocalCollection.create(tmp_path / "c.rag", AUTO) as collection:
        fill(collection, 60)
        monkeypatch.setattr(index_files, "TAIL_CHUNKS", 50)
        with pytest.raises(CancelledError, match="enough"):
            collection.optimize(stop)
        assert list((tmp_path / "c.rag" / "index").iterdir()) == []
        assert len(collection.search(rows(1), 10)[0]) == 10


@pytest.mark.parametrize("loss", [0.0, 0.6])  # with the second the scan is kept
def test_every_index_that_is_opened_for_a_build_is_closed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loss: float
) -> None:
    opened: list[ExactIndex] = []
    closed: list[ExactIndex] = []
    made, ended = ExactIndex.__init__, ExactIndex.close

    def init(self: ExactIndex, *given: Any) -> None:
        made(self, *given)
        opened.append(self)

    def close(self: ExactIndex) -> None:
        ended(self)
        closed.append(self)

    monkeypatch.setattr(ExactIndex, "__init__", init)
    monkeypatch.setattr(ExactIndex, "close", close)
    options = {"loss": loss, "delay": 1.0}
    settings = CollectionSettings(model="m", model_id="m", dim=DIM, index="lossy", index_options=options)
    with LocalCollection.create(tmp_path / "c.rag", settings) as collection:
        fill(collection, 60)
        collection.optimize()
        collection.add([chunk("more")], rows(1, seed=1))
        collection.optimize()
        assert collection.verify().ok
    assert len(opened) >= 4
    assert {id(each) for each in opened} == {id(each) for each in closed}


def test_info_tells_it(tmp_path: Path) -> None:
    with LocalCollection.create(tmp_path / "c.rag", AUTO) as collection:
        assert collection.info().index == "exact"
        fill(collection, 200)
        info = collection.info()
        assert info.tokens >= 3500
        assert (info.index, info.index_reason.split(";")[0]) == (
            "lossy",
            "auto: few rows are looked at, from 3,500 token vectors on",
        )
