"""A local collection over the centroid index: the contract, and how files are kept good while it grows and changes."""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from late_rag import IndexSpec, auto_index, calibration
from late_rag.auto_index import Rule
from late_rag.calibration import Calibration
from late_rag.collections import open_collection
from late_rag.collections.local import LocalCollection, index_files, index_manifest, search
from late_rag.errors import CollectionReadOnlyError
from late_rag.filters.selection import Selection
from late_rag.indexes.centroids import CentroidIndex
from late_rag.indexes.exact import ExactIndex
from late_rag.protocols import CollectionSettings
from late_rag.scoring import maxsim
from late_rag.testing import CollectionContract
from late_rag.testing.collection_base import DIM, chunk, fill, rows
from tests.collections.folders import InFolders

SETTINGS = CollectionSettings(model="test", model_id="test-1", dim=DIM, index="centroids")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Index files from 50 chunks on, and candidates for all but the smallest selections."""
    monkeypatch.setattr(index_files, "TAIL_CHUNKS", 50)
    monkeypatch.setattr(calibration, "QUERIES", 10)
    monkeypatch.setattr(search, "_FEW", 2)
    monkeypatch.setattr(search, "_FEW_OF_ALL", 10**9)


class TestCentroidLocalCollection(InFolders, CollectionContract):
    settings = SETTINGS


@pytest.fixture
def collection(tmp_path: Path) -> LocalCollection:
    """300 chunks, all in index files."""
    made = LocalCollection.create(tmp_path / "c.rag", replace(SETTINGS, index_options={"centroids": 64}))
    fill(made, 300, seed=1)
    assert made.info().indexed == 300
    return made


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made of the centroid index, and how often it was measured."""
    told: list[str] = []
    created, added, measured = CentroidIndex.create.__func__, CentroidIndex.add, calibration.calibrate  # type: ignore[attr-defined]

    def create(cls, *given, **named):
        told.append("create")
        return created(cls, *given, **named)

    def add(self, *given, **named):
        told.append("add")
        return added(self, *given, **named)

    def calibrate(*given):
        told.append("calibrate")
        return measured(*given)

    monkeypatch.setattr(CentroidIndex, "create", classmethod(create))
    monkeypatch.setattr(CentroidIndex, "add", add)
    monkeypatch.setattr(calibration, "calibrate", calibrate)
    return told


def overlap(collection: LocalCollection, selection: Selection | None = None, wanted: range = range(300)) -> float:
    """The mean share of the exact ten best that is found."""
    stored = collection.embeddings([f"c{number}" for number in wanted])
    queries = rows(12, seed=7, shortest=10, longest=20)
    shares = []
    for query, hits in zip(queries, collection.search(queries, 10, selection), strict=True):
        scores = maxsim(query, list(stored.values()))
        best = {list(stored)[place] for place in np.argsort(-scores, kind="stable")[:10]}
        shares.append(len(best & {hit.chunk.id for hit in hits}) / 10)
    return float(np.mean(shares))


def test_the_best_are_found_with_filters_and_without(collection: LocalCollection) -> None:
    for even in (0, 1):
        collection.update_metadata(Selection(ids=tuple(f"c{n}" for n in range(even, 300, 2))), {"even": not even})
    collection.optimize()
    assert overlap(collection) >= 0.97
    assert overlap(collection, Selection(filter="even == true"), range(0, 300, 2)) >= 0.97


def test_a_little_more_is_added_and_not_measured_again(collection: LocalCollection, calls: list[str]) -> None:
    collection.add([chunk(f"n{number}") for number in range(60)], rows(60, seed=2))
    assert collection.info().indexed == 360
    assert calls == ["add"]
    collection.add([chunk(f"m{number}") for number in range(60)], rows(60, seed=3))
    assert calls == ["add", "add", "calibrate"]


def test_worn_centroids_are_made_anew(collection: LocalCollection, calls: list[str]) -> None:
    collection.add([chunk(f"n{number}") for number in range(1000)], rows(1000, seed=2))
    assert calls == ["add", "create", "calibrate"]
    assert len(list((Path(collection.location) / "index").iterdir())) == 1


def test_what_is_added_and_not_good_enough_is_made_anew(
    collection: LocalCollection, calls: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    good = calibration.calibrate

    def bad_once(*given):
        return good(*given) if "create" in calls else Calibration(0.99, None, ((10, 0.5),), 400)

    monkeypatch.setattr(calibration, "calibrate", bad_once)
    collection.add([chunk(f"n{number}") for number in range(100)], rows(100, seed=2))
    assert calls == ["add", "create", "calibrate"]
    assert "centroids: it is made anew: no number of candidates that is worth it reaches 0.99" in caplog.text
    assert collection.verify().ok


def test_many_deletes_make_it_anew(collection: LocalCollection, calls: list[str]) -> None:
    collection.delete(Selection(ids=tuple(f"c{number}" for number in range(100))))
    assert calls == ["create", "calibrate"]
    assert overlap(collection, wanted=range(100, 300)) >= 0.97


def test_auto_leaves_the_scan_when_the_collection_has_grown_and_no_sooner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    large = Rule(IndexSpec("centroids"), "few rows are looked at", least_tokens=3000)
    monkeypatch.setattr(auto_index, "RULES", (auto_index.RULES[0], large))
    with LocalCollection.create(tmp_path / "c.rag", replace(SETTINGS, index="auto")) as collection:
        collection.add([chunk(f"n{number}") for number in range(100)], rows(100, seed=2))
        assert (collection.info().index, collection.info().indexed, calls) == ("exact", 100, [])
        fill(collection, 45, seed=1)  # no more than a tail may have
        assert (collection.info().tokens < 3000, calls) == (True, [])
        collection.add([chunk("long")], rows(1, shortest=1000, longest=1000))
        assert calls == ["create", "calibrate"]
        info = collection.info()
        assert (info.index, info.indexed) == ("centroids", 146)
        assert info.index_reason.startswith("auto: few rows are looked at, from 3,000 token vectors on; ")


def test_auto_that_keeps_the_scan_tries_again_when_the_collection_has_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[str]
) -> None:
    monkeypatch.setattr(auto_index, "RULES", (auto_index.RULES[0], Rule(IndexSpec("centroids"), "few", 100)))
    monkeypatch.setattr(calibration, "calibrate", lambda index, *_: Calibration(0.99, None, (), len(index)))
    with LocalCollection.create(tmp_path / "c.rag", replace(SETTINGS, index="auto")) as collection:
        fill(collection, 100, seed=1)
        assert calls == ["create"]
        assert "; so all chunks are scanned; index files cover 100 of 100" in collection.info().index_reason
        collection.add([chunk(f"n{number}") for number in range(40)], rows(40, seed=2))
        assert (calls, overlap(collection, Selection(ids=tuple(f"c{n}" for n in range(100))), range(100))) == (
            ["create"],
            1.0,
        )
        collection.add([chunk(f"m{number}") for number in range(55)], rows(55, seed=3))
        assert (calls, collection.info().indexed) == (["create"], 195)  # the scan's files grow meanwhile
        collection.add([chunk(f"o{number}") for number in range(10)], rows(10, seed=4))
        assert (calls, collection.info().indexed) == (["create", "create"], 205)


def test_the_tail_of_an_approximate_index_is_bounded_in_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_files, "TAIL_CHUNKS", 20_000)
    assert index_files._tail_limits(ExactIndex, 100, 1) == (20_000, 0.25)
    assert index_files._tail_limits(CentroidIndex, 100, 1) == (2_000, 0.05)
    assert index_files._tail_limits(CentroidIndex, 1, 1) == (20_000, 0.05)


def test_threads_search_while_one_writes(collection: LocalCollection) -> None:
    problems: list[str] = []
    committed: list[int] = [0]
    done = threading.Event()
    news = rows(90, seed=9, shortest=8)

    def look(thread: int) -> None:
        for turn in itertools.count(thread):
            if done.is_set() and turn > thread + 10:
                return
            number = turn % max(1, committed[0])
            try:
                hits = collection.search([news[number]], 3)[0]
                if number < committed[0] and f"n{number}" not in [hit.chunk.id for hit in hits]:
                    problems.append(f"n{number} is not found")
            except Exception as error:  # noqa: BLE001
                problems.append(repr(error))

    threads = [threading.Thread(target=look, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for first in range(0, 90, 10):
        collection.add([chunk(f"n{n}") for n in range(first, first + 10)], news[first : first + 10])
        committed[0] = first + 10
    done.set()
    for thread in threads:
        thread.join()
    assert not [problem for problem in problems if "n0 is" not in problem], problems[:3]


def test_damage_is_noticed_and_the_database_answers(
    collection: LocalCollection, caplog: pytest.LogCaptureFixture
) -> None:
    before = [hit.chunk.id for hit in collection.search(rows(1, seed=4), 5)[0]]
    (folder,) = (Path(collection.location) / "index").iterdir()
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with open_collection(collection.location, "read") as opened:
            assert [hit.chunk.id for hit in opened.search(rows(1, seed=4), 5)[0]] == before
        assert "index files cannot be used" in caplog.text
        caplog.clear()
        path.write_bytes(content)
    assert collection.verify().ok


@pytest.mark.parametrize("measured", ["unknown", {"asked": 0.99, "candidates": -1, "curve": [], "chunks": 300}])
def test_what_was_measured_and_cannot_be_read_costs_the_files_alone(
    collection: LocalCollection, measured: object, caplog: pytest.LogCaptureFixture
) -> None:
    (folder,) = (Path(collection.location) / "index").iterdir()
    about = json.loads((folder / index_manifest.NAME).read_bytes())["about"]
    collection.close()
    manifest = index_manifest.write(folder, about, measured)  # type: ignore[arg-type]
    with closing(sqlite3.connect(Path(collection.location) / "collection.sqlite")) as connection, connection:
        connection.execute("UPDATE indexes SET manifest = ?", (manifest,))
    with open_collection(collection.location) as opened:
        assert "index files cover 300 of 300 chunks" in opened.info().index_reason
        assert overlap(opened) == 1
        assert "index files cannot be used" in caplog.text
        opened.delete(Selection(ids=("unknown",)))
        assert "candidates reach 0.99" in opened.info().index_reason


@pytest.mark.parametrize("row", [0.0, DIM**-0.5])
def test_where_nothing_can_be_told_apart_all_is_scanned_and_what_comes_is_found(tmp_path: Path, row: float) -> None:
    alike = [np.full((5, DIM), row, np.float32)] * 300
    come = rows(6, seed=3, shortest=5)
    with LocalCollection.create(tmp_path / "c.rag", SETTINGS) as made:
        made.add([chunk(f"c{number}") for number in range(300)], alike)
        assert "so all chunks are scanned" in made.info().index_reason
        made.add([chunk(f"n{number}") for number in range(6)], come)
        made.optimize()
        assert made.info().indexed == 306
        assert [hits[0].chunk.id for hits in made.search(come, 10)] == [f"n{number}" for number in range(6)]


def test_what_is_open_for_reading_builds_nothing(collection: LocalCollection, calls: list[str]) -> None:
    folder = Path(collection.location) / "index"
    before = list(folder.iterdir())
    with open_collection(collection.location, "read") as reader:  # type: ignore[attr-defined]
        with pytest.raises(CollectionReadOnlyError, match=r"is open for reading; open it with mode='write'; optimize"):
            reader.optimize()
        reader.finish_load()
    assert calls == []
    assert list(folder.iterdir()) == before
