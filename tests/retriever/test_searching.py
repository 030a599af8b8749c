"""``Retriever.search`` and ``search_batch``: arguments, threshold, grouping, filters."""

from __future__ import annotations

import logging
import math
import random

import numpy as np
import pytest

from late_rag import F, Retriever, Selection
from late_rag.errors import FilterError, InputError
from late_rag.types import Chunk, Document

WORDS = [f"w{number}" for number in range(12)]


@pytest.fixture
def filled(retriever: Retriever) -> Retriever:
    """150 chunks of 30 documents, short and alike enough that there are many ties."""
    chance = random.Random(2)
    retriever.add(
        Chunk(
            f"c{number}",
            f"d{chance.randrange(30)}",
            " ".join(chance.choices(WORDS, k=chance.randrange(1, 6))),
            metadata={"year": 2000 + number % 10},
        )
        for number in range(150)
    )
    return retriever


def test_the_best_come_first(filled):
    hits = filled.search("w1 w2 w3", top_k=20)
    assert len(hits) == 20
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(hit.similarity == pytest.approx(np.clip(hit.score / 4, 0, 1)) for hit in hits)


def test_a_batch_gives_what_each_query_gives_alone(filled, encoder):
    queries = ["w1 w2", "w3", "w4 w5 w6", "w1 w2"]
    expected = [filled.search(query, top_k=7) for query in queries]
    encoder.forget()
    assert filled.search_batch(iter(queries), top_k=7) == expected
    assert encoder.queries == queries
    assert filled.search_batch([]) == []


def grouped(hits, threshold, top_k):
    """What grouping by document means."""
    best = {}
    for hit in hits:
        if threshold is None or hit.similarity >= threshold:
            best.setdefault(hit.chunk.document_id, hit)
    return list(best.values())[:top_k]


@pytest.mark.parametrize("threshold", [None, 0.0, 0.4, 0.7, 1.0])
@pytest.mark.parametrize("top_k", [1, 3, 10, 29, 1000])
def test_groups_are_the_best_chunks_of_the_best_documents(filled, threshold, top_k):
    queries = ["w1 w2 w3", "w4", "w5 w5 w6"]
    found = filled.search_batch(queries, top_k, threshold=threshold, group_by="document")
    everything = [filled.search(query, top_k=1000) for query in queries]
    assert found == [grouped(hits, threshold, top_k) for hits in everything]


def test_more_documents_are_asked_for_until_there_are_enough(retriever):
    retriever.add([Chunk(f"a{number}", "a", "one two") for number in range(100)])
    retriever.add([Chunk("b", "b", "one")])
    assert [hit.chunk.document_id for hit in retriever.search("one two", 2, group_by="document")] == ["a", "b"]


def test_a_threshold_is_the_least_similarity(filled):
    hits = filled.search("w1 w2", top_k=1000)
    middle = hits[len(hits) // 2].similarity
    assert filled.search("w1 w2", top_k=1000, threshold=middle) == [h for h in hits if h.similarity >= middle]


def test_more_than_there_are_gives_all(filled):
    assert len(filled.search("w1", top_k=10**9)) == 150
    assert len(filled.search("w1", top_k=10**30, group_by="document")) == 30


def test_filter_and_selection_restrict_together(filled):
    assert {hit.chunk.metadata["year"] for hit in filled.search("w1", 200, filter="year >= 2008")} == {2008, 2009}
    both = filled.search("w1", 200, filter=F("year") >= 2008, selection=Selection(ids=("c8", "c7")))
    assert [hit.chunk.id for hit in both] == ["c8"]
    two = Selection(document_ids=("d1", "d2"), filter={"field": "year", "op": "==", "value": 2008})
    assert filled.search("w1", 200, filter="year == 2009", selection=two) == []
    assert filled.search("w1", 200, selection=Selection(ids=())) == []


def test_a_hit_knows_its_chunk_whole(retriever):
    chunk = Chunk("c", "d", "some text", "Title: some text", 3, 12, {"year": 1, "tags": ["a"]}, (), {"private": [1]})
    retriever.add([chunk])
    (hit,) = retriever.search("title")
    assert hit.chunk == chunk
    assert hit.source is None


def test_an_empty_collection_has_no_hits(retriever):
    assert retriever.search("anything") == []
    assert retriever.search("anything", group_by="document") == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": ""}, "query is ''"),
        ({"query": " \t\n"}, r"query is ' \\t\\n'"),
        ({"query": "\0"}, "nothing to search for"),
        ({"query": None}, "query must be a str, not NoneType"),
        ({"query": "half \ud83d"}, "query has a lone surrogate .U.D83D. at character 5"),
        ({"top_k": 0}, "top_k must be a whole number of at least 1, not 0"),
        ({"top_k": -1}, "not -1"),
        ({"top_k": "5"}, "not '5'"),
        ({"top_k": True}, "not True"),
        ({"top_k": 2.0}, r"not 2\.0"),
        ({"top_k": None}, "not None"),
        ({"threshold": "high"}, "threshold must be a similarity between 0 and 1, not 'high'"),
        ({"threshold": math.nan}, "not nan"),
        ({"threshold": 1.1}, "not 1.1"),
        ({"threshold": -0.1}, "not -0.1"),
        ({"threshold": True}, "not True"),
        ({"group_by": "page"}, "group_by must be \"document\" or None, not 'page'"),
        ({"selection": "c1"}, "selection must be a Selection, not 'c1'"),
    ],
)
def test_what_cannot_be_is_named_before_anything_is_encoded(filled, encoder, arguments, message):
    encoder.forget()
    with pytest.raises(InputError, match=message):
        filled.search(**({"query": "w1"} | arguments))
    assert encoder.queries == []


@pytest.mark.parametrize("broken", ["year >=", "year ~ 3", {"field": "year", "op": "near", "value": 3}, {"or": 3}])
def test_a_filter_that_cannot_be_read(filled, encoder, broken):
    encoder.forget()
    with pytest.raises(FilterError):
        filled.search("w1", filter=broken)
    assert encoder.queries == []


@pytest.mark.parametrize("queries", ["one text", 5, None])
def test_a_batch_is_a_sequence_of_texts(filled, queries):
    with pytest.raises(InputError, match="queries must be a sequence of texts"):
        filled.search_batch(queries)


def test_the_query_of_a_batch_that_cannot_be_is_named(filled):
    with pytest.raises(InputError, match="query 1 is ''"):
        filled.search_batch(["w1", ""])


def test_an_over_long_query_warns(filled, caplog):
    with caplog.at_level(logging.WARNING, "late_rag"):
        assert filled.search("w1 " * 500)
    assert "500" in caplog.text


def test_whole_numbers_of_numpy_count_as_such(filled):
    assert len(filled.search("w1", top_k=np.int64(3), threshold=np.float32(0.0))) == 3


def test_delete_by_ids_selection_and_filter(filled):
    count = filled.info().chunks
    assert filled.delete(["c1", "c2", "not there"]) == 2
    assert filled.delete([]) == 0
    gone = filled.delete(filter="year == 2003")
    assert gone == 15
    assert filled.delete(Selection(ids=("c4", "c5")), filter="year == 2004") == 1
    assert filled.info().chunks == count - 2 - gone - 1
    assert "c4" not in {hit.chunk.id for hit in filled.search("w1", 1000)}


def test_delete_without_anything_names_clear(filled):
    with pytest.raises(InputError, match="clear"):
        filled.delete()
    with pytest.raises(InputError, match="ids"):
        filled.delete("c1")


def test_explain_adds_up_to_the_score(filled, encoder):
    (hit,) = filled.search("w1 w2 zebra", top_k=1)
    matches = filled.explain("w1 w2 zebra", hit)
    assert [match.query_token for match in matches] == ["", "w1", "w2", "zebra"]
    assert sum(match.similarity for match in matches) == pytest.approx(hit.score, abs=0.05)
    assert filled.explain("w1 w2 zebra", hit.chunk) == matches


@pytest.mark.parametrize("hit", ["y", None, ["y"]])
def test_explain_names_what_is_no_hit(filled, encoder, hit):
    encoder.forget()
    with pytest.raises(InputError, match=f"hit must be a Hit or a Chunk, not {type(hit).__name__}"):
        filled.explain("x", hit)
    assert encoder.queries == []


def test_documents_come_with_all_their_chunks_or_none(retriever):
    retriever.add([Document("d", "one two three " * 40)])
    count = retriever.info().chunks
    assert retriever.delete(Selection(document_ids=("d",))) == count
    assert retriever.info().documents == 0
