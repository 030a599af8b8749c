"""The writing half of the collection contract."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from late_rag.errors import ConflictError, InputError, UnsupportedError
from late_rag.filters.selection import Selection
from late_rag.protocols import Collection
from late_rag.testing.collection_base import (
    DIM,
    CollectionContractBase,
    chunk,
    document,
    everything,
    fill,
    identities,
    rows,
    source,
)
from late_rag.types import AddResult, Chunk, Document, Media


class WriteContract(CollectionContractBase):
    """What writes leave behind."""

    def test_chunks_and_documents_come_back_as_given(self, collection: Collection) -> None:
        metadata = {
            "text": "größe 漢字 😀",
            "int": 2**62,
            "float": 0.1,
            "yes": True,
            "none": None,
            "day": date(2024, 2, 29),
            "moment": datetime(2024, 2, 29, 12, tzinfo=UTC),
            "list": [1, "two", {"three": [3]}],
        }
        media = (Media("page.pdf", "application/pdf", 3), Media(b"\x89PNG", "image/png"))
        given = Chunk("c", "d", "text", "heading\ntext", 5, 9, metadata, media, {"private": [1, {"a": None}]})
        owner = Document("d", "12345text", metadata, media, {"framework": {"x": 1}})
        collection.add([given], rows(1), [owner])
        assert collection.get(["c"]) == [given]
        assert collection.get_documents(["d"]) == [owner]
        stored = collection.get(["c"])[0].metadata
        assert [type(value) for value in stored.values()] == [type(value) for value in metadata.values()]

    def test_stored_rows_are_close_and_survive_a_round_trip(self, collection: Collection) -> None:
        chunks, embeddings = fill(collection, 20)
        stored = collection.embeddings(identities(chunks))
        for given, kept in zip(embeddings, stored.values(), strict=True):
            assert kept.dtype == np.float32
            assert np.abs(kept - given).max() < 0.01
        collection.add(chunks, list(stored.values()))
        again = collection.embeddings(identities(chunks))
        assert all((stored[identity] == again[identity]).all() for identity in stored)

    def test_adding_twice_stores_once(self, collection: Collection) -> None:
        chunks, embeddings = fill(collection, 10)
        assert collection.add(chunks, embeddings) == AddResult(replaced=10)
        assert collection.count() == 10
        hits = collection.search([embeddings[3]], 10)[0]
        assert sorted(hit.chunk.id for hit in hits) == sorted(identities(chunks))

    def test_replacing_forgets_the_old_rows(self, collection: Collection) -> None:
        old, new = rows(2)
        collection.add([chunk("a", "old")], [old])
        collection.add([chunk("a", "new")], [new])
        (hit,) = collection.search([old], 5)[0]
        assert hit.chunk.text == "new"
        assert hit.score < 0.99 * len(old)

    def test_skip_keeps_what_is_there(self, collection: Collection) -> None:
        first, second, third = rows(3)
        collection.add([chunk("a", "old")], [first])
        result = collection.add([chunk("a", "new"), chunk("b")], [second, third], on_conflict="skip")
        assert result == AddResult(added=1, skipped=1)
        assert collection.get(["a"])[0].text == "old"

    def test_fail_is_all_or_nothing(self, collection: Collection) -> None:
        collection.add([chunk("a", "old")], rows(1))
        with pytest.raises(ConflictError, match="'a'"):
            collection.add([chunk("b"), chunk("a", "new")], rows(2), on_conflict="fail")
        assert [(c.id, c.text) for c in everything(collection)] == [("a", "old")]

    def test_the_same_id_twice_in_a_batch(self, collection: Collection) -> None:
        same, other = chunk("a", "one"), chunk("a", "two")
        assert collection.add([same, same], rows(2), on_conflict="fail").added == 1
        with pytest.raises(ConflictError, match=r"'b'.*different content"):
            collection.add([replace(same, id="b"), replace(other, id="b")], rows(2), on_conflict="fail")
        collection.add([replace(same, id="c"), replace(other, id="c")], rows(2), on_conflict="skip")
        collection.add([replace(same, id="d"), replace(other, id="d")], rows(2), on_conflict="replace")
        assert {c.id: c.text for c in everything(collection)} == {"a": "one", "c": "one", "d": "two"}

    def test_a_listed_document_replaces_all_its_chunks(self, collection: Collection) -> None:
        collection.add([chunk(f"d#{n}", document="d") for n in range(3)], rows(3), [document("d")])
        collection.add([chunk("d#0", "changed", document="d")], rows(1), [document("d", "changed")])
        assert [(c.id, c.text) for c in everything(collection)] == [("d#0", "changed")]
        assert collection.get_documents(["d"])[0].text == "changed"
        assert len(collection.document_hashes()) == 1

    def test_bad_embeddings_are_named_and_nothing_is_written(self, collection: Collection) -> None:
        good = rows(1)[0]
        broken = good.copy()
        broken[0, 0] = np.nan
        cases: list[tuple[Any, str]] = [
            (np.ones((2, DIM + 1), np.float32), str(DIM)),
            (np.ones((2, DIM)), "float64"),
            (np.ones(DIM, np.float32), "shape"),
            (broken, "NaN"),
        ]
        for bad, words in cases:
            with pytest.raises(InputError, match=words) as caught:
                collection.add([chunk("a"), chunk("named")], [good, bad])
            assert "'named'" in str(caught.value)
        with pytest.raises(InputError, match="2 chunks"):
            collection.add([chunk("a"), chunk("b")], [good])
        assert collection.count() == 0

    def test_what_cannot_be_stored_is_named(self, collection: Collection) -> None:
        cases = [
            chunk("named", when=object()),
            chunk("named", big=2**63),
            replace(chunk("named"), metadata={1: "key"}),  # type: ignore[dict-item]
            replace(chunk("named"), text="\ud800"),
            replace(chunk("named"), extra={"x": {1, 2}}),
        ]
        for case in cases:
            with pytest.raises(InputError, match="'named'"):
                collection.add([case], rows(1))
        with pytest.raises(InputError):
            collection.add([replace(chunk("x"), id="")], rows(1))
        with pytest.raises(InputError, match="on_conflict"):
            collection.add([chunk("a")], rows(1), on_conflict="merge")  # type: ignore[arg-type]
        assert collection.count() == 0

    def test_what_is_arranged_stands_as_it_is_behind_all_others(self, collection: Collection) -> None:
        collection.replace(source("a.txt"), [document("d")], [chunk(f"d#{n}", document="d") for n in range(4)], rows(4))
        fill(collection, 2)
        before = {kept.id: kept for kept in everything(collection)}
        embeddings = collection.embeddings(list(before))
        hits = {hit.chunk.id: (hit.score, hit.source) for hit in collection.search(rows(1), 9)[0]}
        collection.delete(Selection(ids=("d#3",)))
        collection.arrange(["d#2", "unknown", "d#3", "d#1", "d#2"])
        assert identities(everything(collection)) == ["d#0", "c0", "c1", "d#2", "d#1"]
        assert all(kept == before[kept.id] for kept in everything(collection))
        again = collection.embeddings(list(before))
        assert all(np.array_equal(again[identity], embeddings[identity]) for identity in again)
        found = {hit.chunk.id: (hit.score, hit.source) for hit in collection.search(rows(1), 9)[0]}
        assert found == {identity: hits[identity] for identity in again}
        assert collection.count() == 5
        assert collection.verify().ok

    def test_replace_swaps_a_source_in_one_commit(self, collection: Collection) -> None:
        fill(collection, 1)
        first, second = source("a.txt"), source("a.txt", "2")
        collection.replace(first, [document("d")], [chunk(f"d#{n}", document="d") for n in range(3)], rows(3))
        assert collection.sources() == [first]
        collection.replace(second, [document("d", "new")], [chunk("d#0", "new", document="d")], rows(1))
        assert collection.sources() == [second]
        assert sorted(identities(everything(collection))) == ["c0", "d#0"]
        (hit,) = collection.search(rows(1), 5, Selection(ids=("d#0",)))[0]
        assert hit.source == "/root/a.txt"
        collection.replace(source("a.txt", "3"), [], [], [])
        assert identities(everything(collection)) == ["c0"]
        assert [kept.hash for kept in collection.sources()] == ["hash-3"]

    def test_a_chunk_put_in_the_place_of_another_stays_of_its_source(self, collection: Collection) -> None:
        collection.replace(source("a.txt"), [document("d")], [chunk("d#0", document="d")], rows(1))
        collection.add([chunk("d#0", "other", document="d")], rows(1))
        (hit,) = collection.search(rows(1), 5)[0]
        assert (hit.chunk.text, hit.source) == ("other", "/root/a.txt")
        collection.replace(source("a.txt", "2"), [], [], [])
        assert collection.count() == 0

    def test_ids_come_from_any_iterable_and_a_wrong_one_is_named(self, collection: Collection) -> None:
        fill(collection, 3)
        assert [c.id for c in collection.get(name for name in ("c2", "c0"))] == ["c2", "c0"]  # type: ignore[arg-type]
        assert collection.delete(Selection(ids=(name for name in ("c2", "c0")))) == 2  # type: ignore[arg-type]
        for wrong, message in (("c1", "not 'c1'"), (None, "not None"), (["c1", 3], "number 1 is 3")):
            with pytest.raises(InputError, match=message):
                collection.get(wrong)  # type: ignore[arg-type]

    def test_chunks_of_files_say_where_these_are(self, collection: Collection) -> None:
        of_file = [chunk(f"a#{n}", document="a") for n in range(2)]
        collection.replace(source("a.md"), [document("a")], of_file, rows(2))
        collection.add([chunk("b")], rows(1))
        located = collection.locations(["b", "a#1", "not there", "a#0"])
        assert located == dict.fromkeys(["a#0", "a#1"], source("a.md").location)
        assert collection.locations([]) == {}

    def test_sources_by_root_and_folder(self, collection: Collection) -> None:
        paths = [("/r", "a/x"), ("/r", "a/y"), ("/r", "ab/z"), ("/s", "a/x")]
        for root, path in paths:
            collection.replace(source(path, root=root), [document(root + path)], [chunk(root + path)], rows(1))
        assert [(s.root, s.path) for s in collection.sources()] == sorted(paths)
        assert [s.path for s in collection.sources("/r", "a")] == ["a/x", "a/y"]
        assert [s.path for s in collection.sources("/r", "ab/z")] == ["ab/z"]
        assert collection.delete_source(source("a/x", root="/r")) == 1
        assert collection.delete_source(source("a/x", root="/r")) == 0
        assert collection.count() == 3

    def test_staged_chunks_are_not_seen_until_they_are_replaced_in(self, collection: Collection) -> None:
        if not collection.capabilities.staging:
            pytest.skip("the engine does not stage")
        state = source("big.txt")
        chunks, embeddings = [chunk(f"d#{n}", document="d") for n in range(4)], rows(4)
        collection.stage(state, chunks[:2], embeddings[:2])
        assert collection.count() == 0
        assert collection.search([embeddings[0]], 5) == [[]]
        assert collection.staged(state) == {c.id: c.content_hash for c in chunks[:2]}
        result = collection.replace(state, [document("d")], chunks[2:], embeddings[2:])
        assert result.added == 4
        assert identities(everything(collection)) == identities(chunks)
        assert collection.staged(state) == {}
        assert collection.search([embeddings[1]], 1)[0][0].chunk.id == "d#1"

    def test_another_state_drops_what_was_staged(self, collection: Collection) -> None:
        if not collection.capabilities.staging:
            pytest.skip("the engine does not stage")
        collection.stage(source("big.txt", "1"), [chunk("d#0")], rows(1))
        assert collection.staged(source("big.txt", "2")) == {}
        collection.replace(source("big.txt", "2"), [], [chunk("d#5")], rows(1))
        assert identities(everything(collection)) == ["d#5"]

    def test_records_are_replaced_one_by_one(self, collection: Collection) -> None:
        state = source("table.csv")
        owners = [document(f"r{n}") for n in range(3)]
        collection.put_records(state, owners, [chunk(f"r{n}#0", document=f"r{n}") for n in range(3)], rows(3))
        assert collection.sources()[0].hash != state.hash
        collection.finish_records(state, ["r0", "r1", "r2"])
        assert collection.sources() == [state]
        later = source("table.csv", "2")
        collection.put_records(later, [document("r1", "new")], [chunk("r1#0", "new", document="r1")], rows(1))
        assert collection.finish_records(later, ["r0", "r1"]) == 1
        assert {c.id: c.text for c in everything(collection)} == {"r0#0": "text of r0#0", "r1#0": "new"}
        assert collection.sources() == [later]

    def test_delete_by_selection(self, collection: Collection) -> None:
        fill(collection, 6, kind="x")
        collection.add([chunk("d#0", document="d"), chunk("d#1", document="d")], rows(2), [document("d")])
        assert collection.delete(Selection(ids=("c0", "c1", "unknown"))) == 2
        assert collection.delete(Selection(ids=("c2", "c3"), filter='kind == "y"')) == 0
        assert collection.delete(Selection(filter='kind == "x"')) == 4
        assert collection.delete(Selection(ids=("d#0",))) == 1
        assert collection.get_documents(["d"])
        assert collection.delete(Selection(document_ids=("d",))) == 1
        assert collection.get_documents(["d"]) == []
        assert collection.count() == 0

    def test_a_source_that_loses_chunks_counts_as_changed(self, collection: Collection) -> None:
        for name in ("a", "b"):
            of_file = [chunk(f"{name}#{n}", document=name) for n in range(2)]
            collection.replace(source(f"{name}.md"), [document(name)], of_file, rows(2))
        collection.delete(Selection(ids=("a#0", "not there")))
        assert {state.path: state.hash for state in collection.sources()} == {"a.md": "", "b.md": source("b.md").hash}
        collection.delete(Selection(document_ids=("b",)))
        assert [state.hash for state in collection.sources()] == ["", ""]

    def test_delete_of_everything_needs_its_own_name(self, collection: Collection) -> None:
        fill(collection, 2)
        with pytest.raises(InputError, match="clear"):
            collection.delete(Selection())
        assert collection.delete(Selection(ids=())) == 0
        assert collection.count() == 2
        collection.clear()
        assert collection.count() == 0
        assert collection.search(rows(1), 5) == [[]]

    def test_update_metadata(self, collection: Collection) -> None:
        collection.add([chunk("d#0", document="d", a=1), chunk("d#1", document="d", a=1)], rows(2), [document("d")])
        assert collection.update_metadata(Selection(ids=("d#0",)), {"b": 2}) == 1
        assert collection.get(["d#0"])[0].metadata == {"a": 1, "b": 2}
        assert collection.get_documents(["d"])[0].metadata == {"title": "d"}
        assert collection.update_metadata(Selection(document_ids=("d",)), {"a": 3}, mode="replace") == 2
        assert [c.metadata for c in collection.get(["d#0", "d#1"])] == [{"a": 3}, {"a": 3}]
        assert collection.get_documents(["d"])[0].metadata == {"a": 3}
        assert collection.count(Selection(filter="a == 3")) == 2
        assert collection.count(Selection(filter="b == 2")) == 0
        assert len(collection.search(rows(1), 5, Selection(filter="a == 3"))[0]) == 2

    def test_update_metadata_encodes_nothing(self) -> None:
        collection = self.create(
            replace(self.settings, embed_metadata=("title",), chunking={"kind": "auto", "headings": True})
        )
        before = replace(chunk("a", "text", title="old", heading="old"), embed_text="old\ntext")
        embeddings = rows(1)
        collection.add([before], embeddings)
        stored = collection.embeddings(["a"])["a"]
        assert collection.update_metadata(Selection(ids=("a",)), {"title": "new", "heading": "new"}) == 1
        assert collection.get(["a"]) == [replace(before, metadata={"title": "new", "heading": "new"})]
        assert (collection.embeddings(["a"])["a"] == stored).all()
        for changes, mode, told in (({1: 2}, "merge", "1"), ({"a": 1}, "swap", "mode.*'swap'")):
            with pytest.raises(InputError, match=told):
                collection.update_metadata(Selection(ids=("a",)), changes, mode)  # type: ignore[arg-type]
        collection.close()

    def test_what_an_engine_lacks_it_says(self, collection: Collection) -> None:
        if not collection.capabilities.staging:
            for ask in (lambda: collection.stage(source("s"), [], []), lambda: collection.staged(source("s"))):
                with pytest.raises(UnsupportedError, match="no staging"):
                    ask()
        if not collection.capabilities.text_search:
            with pytest.raises(UnsupportedError, match="no full text"):
                collection.text_search(["a word"], 1)

    def test_what_was_written_is_there_after_reopening(self, collection: Collection) -> None:
        chunks, embeddings = fill(collection, 15)
        before = collection.search([embeddings[2]], 5)
        second = self.reopen(collection)
        assert second.settings == collection.settings
        assert second.search([embeddings[2]], 5) == before
        assert everything(second) == chunks
        second.close()

    def test_writers_of_two_handles_and_readers_of_a_third(self, collection: Collection) -> None:
        handles = [collection, self.reopen(collection), self.reopen(collection)]
        errors: list[BaseException] = []

        def write(number: int) -> None:
            try:
                for step in range(15):
                    identity = f"w{number}-{step}"
                    handles[number].add([chunk(identity)], rows(1, seed=100 * number + step))
            except BaseException as error:
                errors.append(error)

        def read() -> None:
            try:
                for _ in range(30):
                    hits = handles[2].search(rows(1), 1000)[0]
                    assert len({hit.chunk.id for hit in hits}) == len(hits)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=write, args=(number,)) for number in (0, 1)]
        threads += [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert sorted(identities(everything(handles[2]))) == sorted(f"w{n}-{s}" for n in (0, 1) for s in range(15))
        for handle in handles[1:]:
            handle.close()
