"""The searching half of the collection contract: what is exact of every engine, and what of those that say so."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from late_rag.errors import InputError
from late_rag.filters.selection import Selection
from late_rag.protocols import Collection
from late_rag.scoring import maxsim, similarity
from late_rag.testing.collection_base import DIM, CollectionContractBase, chunk, everything, fill, identities, rows
from late_rag.testing.index import LEAST_RECALL
from late_rag.types import Chunk, Hit, TokenEmbeddings


class SearchContract(CollectionContractBase):
    """What searches find."""

    def test_promises_enough(self, collection: Collection) -> None:
        promised = collection.capabilities
        assert LEAST_RECALL <= promised.recall <= 1
        assert promised.recall == 1 or not promised.exact

    def test_search_finds_the_best_of_the_stored_rows(self, collection: Collection) -> None:
        fill(collection, 300, seed=3)
        assert_best(collection, rows(20, seed=4), 10)
        assert_best(collection, rows(2, seed=5), 300)

    def test_search_is_exact_among_near_duplicates(self, collection: Collection) -> None:
        only_exact(collection)
        rng = np.random.default_rng(5)
        (original,) = rows(1, seed=6, shortest=30, longest=30)
        noisy = [original + rng.normal(0, 0.004, original.shape) for _ in range(300)]
        duplicates = [(n / np.linalg.norm(n, axis=1, keepdims=True)).astype(np.float32) for n in noisy]
        collection.add([chunk(f"n{number}") for number in range(300)], duplicates)
        fill(collection, 50, seed=7)
        assert_best(collection, [original, *rows(3, seed=8)], 10)

    def test_identical_chunks_score_identically_and_come_by_age(self, collection: Collection) -> None:
        only_exact(collection)
        (same,) = rows(1, seed=9)
        fill(collection, 50, seed=10)
        collection.add([chunk(f"i{number:03}") for number in range(300)], [same] * 300)
        hits = collection.search([same], 10)[0]
        assert [hit.chunk.id for hit in hits] == [f"i{number:03}" for number in range(10)]
        assert len({hit.score for hit in hits}) == 1

    def test_half_precision_finds_the_best_too(self) -> None:
        collection = self.create(replace(self.settings, storage="float16"))
        fill(collection, 150, seed=11)
        assert_best(collection, rows(20, seed=12), 10)
        collection.close()

    def test_score_and_similarity(self, collection: Collection) -> None:
        _, embeddings = fill(collection, 5)
        query = embeddings[2][:3]
        hit = collection.search([query], 1)[0][0]
        assert hit.chunk.id == "c2"
        assert hit.similarity == pytest.approx(similarity(hit.score, len(query)))
        assert hit.score == pytest.approx(len(query), rel=0.01)

    def test_top_k_above_the_count_gives_all_there_are(self, collection: Collection) -> None:
        fill(collection, 120)
        hits = collection.search(rows(1), 10**12)[0]
        assert collection.capabilities.recall * 120 <= len({hit.chunk.id for hit in hits}) <= 120

    @pytest.mark.parametrize("top_k", [0, -1, "5", 1.5, True, None])
    def test_top_k_must_be_a_count(self, collection: Collection, top_k: object) -> None:
        with pytest.raises(InputError, match=r"top_k.*not "):
            collection.search(rows(1), top_k)  # type: ignore[arg-type]

    def test_bad_queries_are_named(self, collection: Collection) -> None:
        fill(collection, 3)
        good = rows(1)[0]
        cases: list[Any] = [good[:, :-1], good.astype(np.float64), good[0], np.full_like(good, np.nan), good[:0]]
        for bad in cases:
            with pytest.raises(InputError, match="query 1"):
                collection.search([good, bad], 3)

    def test_no_queries_and_an_empty_collection(self, collection: Collection) -> None:
        assert collection.search([], 5) == []
        assert collection.search(rows(2), 5) == [[], []]

    def test_chunks_without_rows_are_kept_and_never_hit(self, collection: Collection) -> None:
        empty = np.empty((0, DIM), np.float32)
        collection.add([chunk("empty", " "), chunk("full")], [empty, rows(1)[0]])
        assert [hit.chunk.id for hit in collection.search(rows(1), 5)[0]] == ["full"]
        assert collection.search(rows(1), 5, Selection(ids=("empty",))) == [[]]
        assert collection.get(["empty"])[0].text == " "
        assert collection.embeddings(["empty"])["empty"].shape == (0, DIM)

    def test_many_queries_at_once_find_what_each_finds_alone(self, collection: Collection) -> None:
        fill(collection, 80)
        queries = rows(20, seed=13)
        assert collection.search(queries, 7) == [collection.search([query], 7)[0] for query in queries]

    def test_selections_restrict(self, collection: Collection) -> None:
        chunks = [chunk(f"c{n}", document=f"d{n % 3}", even=n % 2 == 0, n=n) for n in range(600)]
        collection.add(chunks, rows(600, seed=14))
        query = rows(1, seed=15)
        for selection, expected in (
            (Selection(filter="even == true"), {c.id for c in chunks if c.metadata["even"]}),
            (Selection(filter="n < 20 and even == true"), {f"c{n}" for n in range(0, 20, 2)}),
            (Selection(document_ids=("d1",)), {c.id for c in chunks if c.document_id == "d1"}),
            (Selection(ids=("c1", "c5", "nope")), {"c1", "c5"}),
            (Selection(ids=("c1", "c4"), document_ids=("d1",), filter="even == true"), {"c4"}),
            (Selection(ids=()), set()),
            (Selection(filter="n > 10000"), set()),
        ):
            found = {hit.chunk.id for hit in collection.search(query, 1000, selection)[0]}
            assert found <= expected
            assert len(found) >= collection.capabilities.recall * len(expected)
            assert collection.count(selection) == len(expected)
            assert_best(collection, rows(10, seed=15), 5, selection)

    def test_a_write_shows_in_the_next_search(self, collection: Collection) -> None:
        fill(collection, 40)
        other = self.reopen(collection)
        for number, new in enumerate(rows(5, seed=16)):
            collection.search([new], 3)
            other.search([new], 3)
            collection.add([chunk(f"new{number}")], [new])
            assert collection.search([new], 1)[0][0].chunk.id == f"new{number}"
            assert other.search([new], 1)[0][0].chunk.id == f"new{number}"
            collection.delete(Selection(ids=(f"new{number}",)))
            assert f"new{number}" not in {hit.chunk.id for hit in collection.search([new], 100)[0]}
            assert f"new{number}" not in {hit.chunk.id for hit in other.search([new], 100)[0]}
        other.close()

    def test_filters_see_changed_metadata(self, collection: Collection) -> None:
        fill(collection, 5, kind="old")
        selection = Selection(filter='kind == "new"')
        assert collection.search(rows(1), 5, selection) == [[]]
        collection.update_metadata(Selection(ids=("c1",)), {"kind": "new"})
        assert [hit.chunk.id for hit in collection.search(rows(1), 5, selection)[0]] == ["c1"]

    def test_optimize_changes_no_exact_result(self, collection: Collection) -> None:
        _, embeddings = fill(collection, 100)
        collection.delete(Selection(ids=tuple(f"c{n}" for n in range(0, 40, 2))))
        queries = [*embeddings[:3], *rows(3, seed=17)]
        before = collection.search(queries, 10)
        collection.optimize()
        assert collection.search(queries, 10) == before or not collection.capabilities.exact
        collection.add([chunk("late")], [queries[-1]])
        collection.delete(Selection(ids=("c41",)))
        assert collection.search(queries[-1:], 1)[0][0].chunk.id == "late"
        assert_best(collection, [*queries, *rows(14, seed=20)], 10)
        report = collection.verify()
        assert report.ok, report.problems
        assert report.checked["chunks"] == 80

    def test_the_end_of_a_load_changes_no_exact_result(self, collection: Collection) -> None:
        collection.finish_load()
        _, embeddings = fill(collection, 100)
        before = collection.search(embeddings[:3], 10)
        collection.finish_load()
        assert collection.search(embeddings[:3], 10) == before or not collection.capabilities.exact
        facts = collection.info()
        assert 0 <= facts.indexed <= facts.chunks == 100

    def test_iteration_is_complete_and_each_id_comes_once(self, collection: Collection) -> None:
        chunks, embeddings = fill(collection, 25)
        seen: list[str] = []
        for batch in collection.iterate(batch_size=4, with_embeddings=True):
            for found, stored in batch:
                seen.append(found.id)
                assert stored is not None
            collection.add([chunks[0], chunk(f"later{len(seen)}")], [embeddings[0], embeddings[1]])
        assert len(seen) == len(set(seen))
        assert set(identities(chunks)) <= set(seen)
        assert not any(identity.startswith("later") for identity in seen)

    def test_chunks_without_documents(self, collection: Collection) -> None:
        collection.add([chunk("a")], rows(1))
        assert collection.document_hashes() == {}
        assert list(collection.iterate_documents()) == []

    def test_text_search(self, collection: Collection) -> None:
        if not collection.capabilities.text_search:
            pytest.skip("the engine has no full text")
        texts = {
            "en": "The quick foxes don't use x-ray vision; C++ since year: 2020",
            "zh": "今天天气很好，我们去公园散步。",
            "hi": "हिन्दी में लिखा हुआ पाठ",
            "de": "Der Größenwahn",
        }
        collection.add([Chunk(name, name, text) for name, text in texts.items()], rows(4))
        for question, name in (
            ("fox", "en"),
            ("who?", None),
            ("C++", "en"),
            ("don't", "en"),
            ("x-ray", "en"),
            ("year: 2020", "en"),
            ('" OR NEAR( * )', None),
            ("天气", "zh"),
            ("園 公园", "zh"),
            ("हिन्दी", "hi"),
            ("größenwahn", "de"),
            ("AND NOT fox", "en"),
        ):
            hits = collection.text_search([question], 3)[0]
            assert [hit.chunk.id for hit in hits][:1] == ([name] if name else []), question
        assert collection.text_search(["fox"], 3, Selection(ids=("de",))) == [[]]
        with pytest.raises(InputError):
            collection.text_search([" "], 3)
        collection.delete(Selection(ids=("en",)))
        assert collection.text_search(["fox"], 3) == [[]]

    def test_eight_threads_find_what_one_finds(self, collection: Collection) -> None:
        fill(collection, 150)
        queries = rows(8, seed=18)
        expected = collection.search(queries, 5)
        found: dict[int, list[list[Hit]]] = {}

        def work(number: int) -> None:
            found[number] = [collection.search([query], 5)[0] for query in queries for _ in range(3)][::3]

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [found.get(number) for number in range(8)] == [expected] * 8

    def test_async_twins_leave_the_event_loop_free(self, collection: Collection) -> None:
        fill(collection, 200)
        queries = rows(40, seed=19)

        async def both() -> tuple[list[list[Hit]], float]:
            longest, last = 0.0, time.perf_counter()
            search = asyncio.ensure_future(collection.asearch(queries, 5))  # type: ignore[attr-defined]
            while not search.done():
                await asyncio.sleep(0)
                now = time.perf_counter()
                longest, last = max(longest, now - last), now
            return await search, longest

        found, longest = asyncio.run(both())
        assert found == collection.search(queries, 5)
        assert longest < 5


def only_exact(collection: Collection) -> None:
    """Leaves a test out for engines that do not say that they find all."""
    if not collection.capabilities.exact:
        pytest.skip("the engine finds most of the best, not all")


def assert_best(
    collection: Collection, queries: list[TokenEmbeddings], top_k: int, selection: Selection | None = None
) -> None:
    """Each hit has its MaxSim over the stored rows and comes in that order, and the best are among them.

    All of them where the engine is exact (where float32 cannot tell two apart, either may come first), else as many on
    average as it promises.
    """
    chunks = everything(collection) if selection is None else selected(collection, selection)
    stored = collection.embeddings(identities(chunks))
    shares = []
    for query, hits in zip(queries, collection.search(queries, top_k, selection), strict=True):
        scores = dict(zip(stored, maxsim(query, list(stored.values())).tolist(), strict=True)) if stored else {}
        best = sorted(score for score in scores.values() if score > -np.inf)[::-1][:top_k]
        found = [hit.score for hit in hits]
        assert [scores[hit.chunk.id] for hit in hits] == pytest.approx(found, abs=1e-4)
        assert found == sorted(found, reverse=True)
        assert len({hit.chunk.id for hit in hits}) == len(hits) <= top_k
        if collection.capabilities.exact:
            assert found == pytest.approx(best, abs=1e-4)
        elif best:
            shares.append(sum(score > best[-1] - 1e-4 for score in found) / len(best))
    assert not shares or np.mean(shares) >= collection.capabilities.recall


def selected(collection: Collection, selection: Selection) -> list[Chunk]:
    return [chunk for batch in collection.iterate(selection) for chunk, _ in batch]
