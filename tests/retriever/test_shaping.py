"""What shapes the hits of a search: hybrid order, diversity, context, and all of them together, in batches."""

from __future__ import annotations

import itertools
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag import Retriever, Selection
from late_rag.errors import InputError, UnsupportedError
from late_rag.protocols import Capabilities
from late_rag.retriever.diversity import diverse
from late_rag.scoring.scores import maxsim, maxsim_of_many
from late_rag.testing.data import random_embeddings
from late_rag.types import Chunk, Document, Hit

WORDS = [f"w{number}" for number in range(40)]


@pytest.fixture
def filled(retriever: Retriever) -> Retriever:
    """60 documents of several chunks each."""
    chance = random.Random(4)
    retriever.add(
        Document(f"d{number}", ". ".join(" ".join(chance.choices(WORDS, k=12)) for _ in range(6)), {"n": number})
        for number in range(60)
    )
    return retriever


# hybrid


def naive_hybrid(retriever: Retriever, query: str, top_k: int, **restriction: object) -> list[tuple[str, float]]:
    """Reciprocal rank fusion as its definition has it, over lists that are whole."""
    everything = retriever.collection.count()
    dense = retriever.search(query, top_k=everything, **restriction)
    selection = Selection(filter=restriction["filter"]) if "filter" in restriction else None
    sparse = retriever.collection.text_search([query], everything, selection)[0]
    fused: dict[str, float] = {}
    for hits in (dense[:100], sparse[:100]):
        for rank, hit in enumerate(hits, 1):
            fused[hit.chunk.id] = fused.get(hit.chunk.id, 0) + 1 / (60 + rank)
    scores = {hit.chunk.id: hit.score for hit in dense}
    ranked = sorted(fused, key=lambda key: (-fused[key], -scores[key], key))
    return [(key, pytest.approx(fused[key])) for key in ranked[:top_k]]


@pytest.mark.parametrize("restriction", [{}, {"filter": "n < 7"}])
def test_hybrid_is_reciprocal_rank_fusion(filled, restriction):
    for query in ("w1 w2 w3", "w7", "w30 w31 w32 w33"):
        hits = filled.search(query, top_k=15, mode="hybrid", **restriction)
        assert [(hit.chunk.id, hit.fused) for hit in hits] == naive_hybrid(filled, query, 15, **restriction)


def test_every_hybrid_hit_has_its_maxsim_score(filled):
    scores = {hit.chunk.id: (hit.score, hit.similarity) for hit in filled.search("w5 w6", top_k=10_000)}
    hits = filled.search("w5 w6", top_k=50, mode="hybrid")
    assert len(hits) == 50
    assert all((hit.score, hit.similarity) == pytest.approx(scores[hit.chunk.id]) for hit in hits)


def test_hybrid_without_matching_words_is_the_order_of_maxsim(filled):
    plain = filled.search("nothing of this", top_k=5)
    assert [hit.chunk for hit in filled.search("nothing of this", top_k=5, mode="hybrid")] == [h.chunk for h in plain]


def test_the_threshold_holds_in_hybrid_mode(filled):
    hits = filled.search("w1 w2", top_k=200, mode="hybrid", threshold=0.4)
    assert hits
    assert all(hit.similarity >= 0.4 for hit in hits)
    expected = {hit.chunk.id for hit in filled.search("w1 w2", top_k=10_000, threshold=0.4)}
    assert {hit.chunk.id for hit in hits} <= expected


def test_hybrid_groups_by_document(filled):
    hits = filled.search("w1 w2 w3", top_k=40, mode="hybrid", group_by="document")
    owners = [hit.chunk.document_id for hit in hits]
    assert len(owners) == len(set(owners)) == 40


def test_hybrid_needs_full_text(filled, monkeypatch):
    monkeypatch.setattr(type(filled.collection), "capabilities", Capabilities())
    with pytest.raises(UnsupportedError, match="no full text"):
        filled.search("w1", mode="hybrid")


# diversity


def naive_mmr(hits: list[Hit], rows: dict[str, np.ndarray], top_k: int, weight: float) -> list[str]:
    def common(one: Hit, other: Hit) -> float:
        products = rows[one.chunk.id].astype(np.float64) @ rows[other.chunk.id].astype(np.float64).T
        return float(np.clip(products.max(axis=1).mean(), 0, 1))

    left, picked = list(hits), list[Hit]()
    while left and len(picked) < top_k:
        values = [
            weight * hit.similarity - (1 - weight) * max((common(hit, other) for other in picked), default=0)
            for hit in left
        ]
        picked.append(left.pop(int(np.argmax(np.round(values, 6))) if picked else 0))
    return [hit.chunk.id for hit in picked]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 12), st.sampled_from([0.0, 0.3, 0.5, 0.8, 1.0]))
def test_diverse_is_maximal_marginal_relevance(seed, top_k, weight):
    rows = {f"c{number}": each for number, each in enumerate(random_embeddings(10, 16, seed=seed, shortest=1))}
    similarities = sorted(np.random.default_rng(seed).random(10).tolist(), reverse=True)
    hits = [Hit(Chunk(key, key, key), value, value) for key, value in zip(rows, similarities, strict=True)]
    assert [hit.chunk.id for hit in diverse(hits, rows, top_k, weight)] == naive_mmr(hits, rows, top_k, weight)


def test_diverse_of_nothing_is_nothing():
    assert diverse([], {}, 3, 0.5) == []


def test_a_repeated_passage_gives_way(retriever):
    retriever.add([Chunk(f"same{n}", f"same{n}", "w1 w2 w3 w4 w5") for n in range(5)])
    retriever.add([Chunk("other", "other", "w1 w2 w9 w10 w11")])
    plain = [hit.chunk.id for hit in retriever.search("w1 w2 w3", top_k=2)]
    assert plain == ["same0", "same1"]
    assert [hit.chunk.id for hit in retriever.search("w1 w2 w3", top_k=2, lambda_mult=0.5)] == ["same0", "other"]
    assert [hit.chunk.id for hit in retriever.search("w1 w2 w3", top_k=2, lambda_mult=1)] == plain


def test_only_what_is_fetched_can_be_picked(retriever):
    retriever.add([Chunk(f"same{n}", f"same{n}", "w1 w2 w3 w4 w5") for n in range(5)])
    retriever.add([Chunk("other", "other", "w1 w2 w9 w10 w11")])
    hits = retriever.search("w1 w2 w3", top_k=2, lambda_mult=0.0, fetch_k=3)
    assert [hit.chunk.id for hit in hits] == ["same0", "same1"]


@given(st.integers(0, 2**32), st.integers(1, 600))
@settings(deadline=None, max_examples=20)
def test_maxsim_of_many_queries_is_that_of_each(seed, length):
    queries = random_embeddings(7, 8, seed=seed, shortest=1)
    document = random_embeddings(1, 8, seed=seed + 1, shortest=length, longest=length)[0]
    expected = [maxsim(query, [document])[0] for query in queries]
    np.testing.assert_allclose(maxsim_of_many(queries, document), expected, rtol=1e-4, atol=1e-5)


def test_maxsim_of_many_without_rows():
    query = np.ones((2, 4), np.float32)
    none = np.empty((0, 4), np.float32)
    np.testing.assert_array_equal(maxsim_of_many([query, none], query), [8, 0])
    np.testing.assert_array_equal(maxsim_of_many([query], none), [-np.inf])
    assert maxsim_of_many([], query).shape == (0,)


# context


def test_the_context_is_the_document(filled):
    hits = filled.search("w1 w2", top_k=20, expand="document")
    texts = {
        document.id: document.text for document in filled.collection.get_documents([h.chunk.document_id for h in hits])
    }
    assert [hit.context for hit in hits] == [texts[hit.chunk.document_id] for hit in hits]


@pytest.mark.parametrize("around", [0, 1, 2, 100])
def test_the_context_is_the_passage_around_the_chunk(filled, around):
    for hit in filled.search("w1 w2", top_k=20, expand=around):
        (document,) = filled.collection.get_documents([hit.chunk.document_id])
        siblings = [c for batch in filled.collection.iterate(Selection(document_ids=[document.id])) for c, _ in batch]
        place = [chunk.id for chunk in siblings].index(hit.chunk.id)
        meant = siblings[max(0, place - around) : place + around + 1]
        assert hit.context == document.text[meant[0].start : meant[-1].end]
        assert hit.chunk.text in hit.context


def test_chunks_without_spans_or_document_are_joined(retriever):
    retriever.add([Chunk(f"p{n}", "page", f"w{n} passage") for n in range(4)])
    (hit,) = retriever.search("w2 passage", top_k=1, expand=1)
    assert (hit.chunk.id, hit.context) == ("p2", "w1 passage\nw2 passage\nw3 passage")
    (hit,) = retriever.search("w2 passage", top_k=1, expand="document")
    assert hit.context == "\n".join(f"w{n} passage" for n in range(4))


def test_there_is_no_context_where_none_was_asked_for(filled):
    assert [hit.context for hit in filled.search("w1", top_k=3)] == [None] * 3


# together


@pytest.mark.parametrize(
    ("mode", "group_by", "lambda_mult", "expand"),
    list(itertools.product(["maxsim", "hybrid"], [None, "document"], [None, 0.4], [None, 1, "document"])),
)
async def test_batches_and_async_twins_give_what_one_search_gives(filled, mode, group_by, lambda_mult, expand):
    options = {"mode": mode, "group_by": group_by, "lambda_mult": lambda_mult, "expand": expand, "filter": "n < 40"}
    queries = ["w1 w2", "w30", "w5 w6 w7"]
    expected = [filled.search(query, top_k=6, **options) for query in queries]
    assert all(len(hits) == 6 for hits in expected)
    rounded = [[replace(hit, score=round(hit.score, 4), similarity=0) for hit in hits] for hits in expected]

    def same(found: list[list[Hit]]) -> bool:
        return rounded == [[replace(hit, score=round(hit.score, 4), similarity=0) for hit in hits] for hits in found]

    assert same(filled.search_batch(queries, top_k=6, **options))
    assert same(await filled.asearch_batch(queries, top_k=6, **options))
    assert same([await filled.asearch(query, top_k=6, **options) for query in queries])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"mode": "bm25"}, "mode"),
        ({"mode": None}, "mode"),
        ({"expand": -1}, "expand"),
        ({"expand": True}, "expand"),
        ({"expand": "parent"}, "expand"),
        ({"expand": 1.5}, "expand"),
        ({"lambda_mult": 1.1}, "lambda_mult"),
        ({"lambda_mult": "0.5"}, "lambda_mult"),
        ({"lambda_mult": True}, "lambda_mult"),
        ({"lambda_mult": float("nan")}, "lambda_mult"),
        ({"lambda_mult": 0.5, "fetch_k": 0}, "fetch_k"),
        ({"lambda_mult": 0.5, "fetch_k": "9"}, "fetch_k"),
        ({"fetch_k": 9}, "lambda_mult"),
    ],
)
def test_an_impossible_option_is_named_before_anything_is_encoded(filled, encoder, options, named):
    encoder.forget()
    with pytest.raises(InputError, match=named):
        filled.search("w1", **options)
    assert encoder.queries == []


def test_an_unknown_option_names_those_there_are(filled):
    with pytest.raises(TypeError, match=r"'treshold'.*threshold"):
        filled.search("w1", treshold=0.5)


# whole documents, shared retrievers


def test_a_whole_document_is_one_chunk_of_its_id(tmp_path, encoder):
    long = " ".join(WORDS * 10)
    with Retriever.create(tmp_path / "whole.rag", encoder, chunking="whole", embed_metadata=["topic"]) as retriever:
        document = Document("a", long, {"topic": "travel"}, extra={"private": [1]})
        retriever.add([document])
        (chunk,) = retriever.collection.get(["a"])
        assert (chunk.document_id, chunk.text, chunk.start, chunk.end) == ("a", long, 0, len(long))
        assert chunk.embed_text == f"topic: travel\n{long}"
        assert chunk.extra == {"private": [1]}
        assert retriever.collection.get_documents(["a"]) == [document]
        retriever.add([replace(document, text="w1")])
        assert retriever.collection.count() == 1
        assert retriever.search("w1", top_k=3, expand="document")[0].context == "w1"


def test_a_chunker_can_be_named_in_place_of_the_recorded_one(filled, encoder):
    whole = Retriever(filled.collection, encoder, "whole")
    whole.add([Document("long", " ".join(WORDS * 10))])
    assert [chunk.id for chunk in filled.collection.get(["long"])] == ["long"]
    filled.add([Document("split", " ".join(WORDS * 10))])
    assert filled.collection.get(["split"]) == []
    assert filled.collection.count(Selection(document_ids=["split"])) > 1


def test_whoever_asks_for_a_collection_shares_its_retriever(tmp_path: Path):
    from late_rag.errors import CollectionNotFoundError, CollectionReadOnlyError
    from late_rag.retriever import shared_retriever

    location = tmp_path / "shared.rag"
    with pytest.raises(CollectionNotFoundError):
        shared_retriever(location)
    with pytest.raises(CollectionNotFoundError):
        shared_retriever(location, "write")
    made = shared_retriever(location, "write", create={"chunking": "whole"}, chunker="whole")
    made.add(["the committee approves travel"])
    assert shared_retriever(str(location), "write", create={"chunking": "whole"}, chunker="whole") is made
    reading = shared_retriever(location)
    assert reading is shared_retriever(tmp_path / "." / "shared.rag")
    assert reading.encoder is made.encoder
    assert reading.search("who approves travel?", top_k=1)[0].chunk.text == "the committee approves travel"
    assert reading.collection is made.collection
    with pytest.raises(CollectionReadOnlyError):
        reading.add(["more"])
    reading.collection.close()
    again = shared_retriever(location)
    assert again is not reading
    assert again.collection.count() == 1


def test_threads_that_make_a_collection_at_once_share_one_retriever(tmp_path: Path):
    from late_rag.retriever import shared_retriever

    start = threading.Barrier(4)

    def ask(_: int) -> Retriever:
        start.wait(10)
        return shared_retriever(tmp_path / "new.rag", "write", create={})

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(ask, range(4)))) == 1


def test_readers_take_the_collection_that_is_opened_for_writing_later(tmp_path: Path):
    from late_rag.retriever import shared_retriever

    location = tmp_path / "later.rag"
    Retriever.create(location).close()
    before = shared_retriever(location)
    writing = shared_retriever(location, "write")
    after = shared_retriever(location)
    assert before.collection is not writing.collection
    assert after.collection is writing.collection
    writing.add(["the committee approves travel"])
    assert len(before.search("who approves travel?")) == len(after.search("who approves travel?")) == 1


def test_diverse_hits_of_a_hybrid_search_keep_its_order_where_only_relevance_counts(filled):
    fused = [hit.chunk.id for hit in filled.search("w1 w2 w3", top_k=8, mode="hybrid")]
    assert [hit.chunk.id for hit in filled.search("w1 w2 w3", top_k=8, mode="hybrid", lambda_mult=1)] == fused


def test_metadata_of_another_kind_are_written(retriever):
    for value in (1, True, 1.0):
        result = retriever.add([Chunk("c", "d", "w1", metadata={"ok": value})])
        assert result.skipped == 0
        assert retriever.add([Chunk("c", "d", "w1", metadata={"ok": value})]).skipped == 1
        assert repr(retriever.collection.get(["c"])[0].metadata["ok"]) == repr(value)
    for value in (1, True):
        retriever.add([Document("whole", "w1 w2", {"ok": value})])
        assert repr(retriever.collection.get_documents(["whole"])[0].metadata["ok"]) == repr(value)
        assert len(retriever.search("w1 w2", filter=f"ok == {str(value).lower()}")) >= 1
