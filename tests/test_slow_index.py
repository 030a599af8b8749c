"""An index that is slow to build is built at the end of a load, whoever loads, and its tail is bounded."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from late_rag import Chunk, Retriever, backends, calibration
from late_rag.calibration import Calibration
from late_rag.collections import open_collection
from late_rag.collections.local import LocalCollection, index_files
from late_rag.filters.selection import Selection
from late_rag.protocols import CollectionSettings
from late_rag.testing import HashEncoder, LossyIndex
from late_rag.testing.collection_base import DIM, chunk, fill, rows
from late_rag.testing.lossy import LossyOptions
from late_rag.transfer import copy_collection, export_jsonl, import_jsonl

TEXTS = [f"text number {number} of the load" for number in range(12)]


class SlowIndex(LossyIndex):
    """Loses nothing, and takes its time."""

    kind: ClassVar[str] = "slow"
    slow_build: ClassVar[bool] = True


@dataclass(frozen=True)
class SlowOptions(LossyOptions):
    loss: float = 0.0


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_files, "TAIL_CHUNKS", 10)
    monkeypatch.setitem(backends.INDEXES, "slow", backends.Backend(__name__, "SlowIndex", options="SlowOptions"))


@pytest.fixture
def retriever(tmp_path: Path) -> Retriever:
    return Retriever.create(tmp_path / "c.rag", HashEncoder(), index="slow")


def tail_of(collection: LocalCollection) -> int:
    collection.search(rows(1), 1)
    return len(collection._views._view.tail)


def published_size(collection: LocalCollection) -> int:
    with collection._database.reading() as connection:
        return collection._files.current(connection).size


def test_add(retriever: Retriever) -> None:
    retriever.add(TEXTS)
    assert retriever.collection.info().indexed == 12


def test_add_in_one_commit(retriever: Retriever) -> None:
    retriever.add(TEXTS, on_conflict="fail")
    assert retriever.collection.info().indexed == 12


def test_what_was_not_good_enough_is_tried_again_at_the_end_of_a_load_only(tmp_path: Path) -> None:
    """Of twelve chunks no number of candidates is worth it; twice as many ask for another trial."""
    settings = CollectionSettings(model="m", model_id="m", dim=DIM, index="slow")
    with LocalCollection.create(tmp_path / "c.rag", settings) as collection:
        fill(collection, 12)
        collection.finish_load()
        assert "; so all chunks are scanned; index files cover 12 of 12" in collection.info().index_reason
        collection.add([chunk(f"n{number}") for number in range(13)], rows(13, seed=1))
        assert published_size(collection) == 12
        collection.finish_load()
        assert published_size(collection) == 25


def test_sync_and_what_it_removes(retriever: Retriever, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "calibrate", lambda index, *_: Calibration(0.99, 10, (), len(index)))
    folder = tmp_path / "files"
    folder.mkdir()
    for number, text in enumerate(TEXTS):
        (folder / f"{number}.txt").write_text(text, encoding="utf-8")
    retriever.sync(folder)
    assert retriever.collection.info().indexed == 12
    assert published_size(retriever.collection) == 12
    for number in range(8):
        (folder / f"{number}.txt").unlink()
    retriever.sync(folder)
    assert published_size(retriever.collection) == 4


def test_copy_and_import(retriever: Retriever, tmp_path: Path) -> None:
    retriever.add(TEXTS)
    copy_collection(retriever.collection, tmp_path / "copy.rag")
    lines: list[str] = []
    export_jsonl(retriever.collection, lines.append, embeddings=True)
    import_jsonl(io.BytesIO("".join(lines).encode()), tmp_path / "import.rag")
    for name in ("copy.rag", "import.rag"):
        assert open_collection(tmp_path / name).info().indexed == 12


def test_metadata_that_is_encoded(tmp_path: Path) -> None:
    retriever = Retriever.create(tmp_path / "c.rag", HashEncoder(), index="slow", embed_metadata=["title"])
    retriever.add([Chunk(str(number), "d", text, metadata={"title": "old"}) for number, text in enumerate(TEXTS)])
    retriever.update_metadata(None, {"title": "new"})
    assert retriever.collection.info().indexed == 12


@pytest.fixture
def collection(tmp_path: Path) -> LocalCollection:
    settings = CollectionSettings(model="test", model_id="test-1", dim=DIM, index="slow")
    return LocalCollection.create(tmp_path / "c.rag", settings)


def test_writes_alone_leave_the_files_to_the_end_of_the_load(collection: LocalCollection) -> None:
    fill(collection, 40)
    facts = collection.info()
    assert facts.indexed == 0
    assert facts.index_reason == (
        "asked for in the settings; index files cover 0 of 40 chunks, the others are scanned from memory"
    )
    collection.finish_load()
    facts = collection.info()
    assert facts.indexed == 40
    assert facts.index_reason == (
        "asked for in the settings; 10 candidates reach 0.99 (overlap with the exact ten best: 0.995 at 10); "
        "index files cover 40 of 40 chunks"
    )


def test_the_tail_is_bounded_without_an_end(collection: LocalCollection) -> None:
    fill(collection, 41)
    assert collection.info().indexed == 41
    collection.delete(Selection(ids=tuple(f"c{number}" for number in range(35))))
    assert published_size(collection) == 6


@pytest.mark.parametrize("index", ["slow", "exact"])
def test_the_tail_is_bounded_in_bytes_however_large_the_collection_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: str
) -> None:
    monkeypatch.setattr(index_files, "TAIL_CHUNKS", 40)
    monkeypatch.setattr(calibration, "QUERIES", 10)
    settings = CollectionSettings(model="test", model_id="test-1", dim=DIM, index=index)
    with LocalCollection.create(tmp_path / "c.rag", settings) as collection:
        fill(collection, 100)
        collection.optimize()
        a_chunk = collection.info().tokens * DIM // 100
        for number in range(4):
            collection.add([chunk(f"more {number}")], rows(1, seed=number))
        assert (collection.info().indexed, tail_of(collection)) == (100, 4)
        monkeypatch.setattr(index_files, "TAIL_BYTES", 5 * a_chunk)
        for number in range(4, 11):
            collection.add([chunk(f"more {number}")], rows(1, seed=number))
            assert tail_of(collection) * a_chunk <= index_files.TAIL_BYTES
        assert collection.info().indexed > 100


def test_a_load_that_brought_little_builds_nothing(collection: LocalCollection) -> None:
    fill(collection, 10)
    collection.finish_load()
    assert collection.info().indexed == 0


def test_files_that_are_gone_cover_nothing(collection: LocalCollection) -> None:
    fill(collection, 41)
    (folder,) = (Path(collection.location) / "index").iterdir()
    folder.rename(folder.with_name("elsewhere"))
    assert collection.info().indexed == 0


def test_what_goes_wrong_at_the_end_is_logged(collection: LocalCollection, caplog: pytest.LogCaptureFixture) -> None:
    fill(collection, 20)
    (Path(collection.location) / "index").write_text("in the way", encoding="utf-8")
    collection.finish_load()
    assert "the load is done, but the index could not be built" in caplog.text
    assert collection.count() == 20
