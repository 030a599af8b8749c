"""Index files of a local collection: written when the tail is long, and never needed to find everything."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from late_rag.collections import open_collection
from late_rag.collections.local import LocalCollection, index_files
from late_rag.filters.selection import Selection
from late_rag.testing.collection_base import chunk, fill, rows


class TestIndexFiles:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(index_files, "TAIL_CHUNKS", 50)

    def indexed(self, collection: LocalCollection) -> list[Path]:
        fill(collection, 200, seed=1)
        return sorted((Path(collection.location) / "index").iterdir())

    def test_are_written_when_the_tail_is_long_and_searched_with_it(self, collection: LocalCollection) -> None:
        (folder,) = self.indexed(collection)
        collection.add([chunk("tail")], rows(1, seed=2))
        collection.delete(Selection(ids=("c5",)))
        hits = collection.search(rows(1, seed=2), 300)[0]
        assert hits[0].chunk.id == "tail"
        assert len(hits) == 200
        fill(collection, 200, seed=3)
        (later,) = sorted((Path(collection.location) / "index").iterdir())
        assert later != folder
        assert len(collection.search(rows(1), 300)[0]) == 201
        assert collection.verify().ok

    @pytest.mark.parametrize("kind", ["gone", "truncated", "overwritten", "emptied"])
    def test_damage_costs_nothing_but_a_warning(
        self,
        collection: LocalCollection,
        damage: Callable[[Path, str], None],
        kind: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        (folder,) = self.indexed(collection)
        before = collection.search(rows(3), 50)
        if kind == "gone":
            shutil.rmtree(folder.parent)
        else:
            for path in folder.iterdir():
                damage(path, kind)
        opened = open_collection(collection.location)
        assert opened.search(rows(3), 50) == before
        assert "index files cannot be used" in caplog.text
        assert not opened.verify().ok
        opened.delete(Selection(ids=("unknown",)))
        assert opened.verify().ok
        assert opened.search(rows(3), 50) == before
        opened.close()

    def test_a_search_in_an_older_view_survives_a_new_version(self, collection: LocalCollection) -> None:
        self.indexed(collection)
        reader = open_collection(collection.location, "read")
        before = reader.search(rows(2), 20)
        for seed in range(4, 8):
            fill(collection, 200, seed=seed)
            collection.optimize()
            reader.search(rows(2), 20)
        fill(collection, 200, seed=1)
        assert [[hit.chunk.id for hit in hits] for hits in reader.search(rows(2), 20)] == [
            [hit.chunk.id for hit in hits] for hits in before
        ]
        reader.close()

    def test_what_killed_processes_left_goes_and_what_is_being_built_stays(self, collection: LocalCollection) -> None:
        index = Path(collection.location) / "index"
        for name in ("version-old", "version-new"):
            (index / name).mkdir(parents=True)
        os.utime(index / "version-old", (0, 0))
        self.indexed(collection)
        assert not (index / "version-old").exists()
        assert (index / "version-new").exists()

    def test_files_that_cannot_be_written_do_not_fail_the_write(
        self, collection: LocalCollection, caplog: pytest.LogCaptureFixture
    ) -> None:
        (Path(collection.location) / "index").write_text("in the way", encoding="utf-8")
        fill(collection, 200, seed=1)
        assert "the write is done" in caplog.text
        assert len(collection.search(rows(1), 300)[0]) == 200

    def test_the_loser_of_a_race_discards_its_files(self, collection: LocalCollection) -> None:
        fill(collection, 20)
        files, other = collection._files, open_collection(collection.location)
        publish = files._publish

        def late(index: object, base: object, mark: int) -> bool:
            assert other._files.build()  # type: ignore[attr-defined]
            return publish(index, base, mark)  # type: ignore[arg-type]

        files._publish = late  # type: ignore[method-assign, assignment]
        assert files.build() is False
        assert len(list((Path(collection.location) / "index").iterdir())) == 1
        assert collection.verify().ok
        other.close()
