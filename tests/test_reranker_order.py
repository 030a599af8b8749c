"""What one search found keeps its order where reranking would find nothing else, and only there."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from late_rag import Chunk, Hit, Reranker, Retriever
from late_rag import reranker as reranking
from late_rag.testing import HashEncoder


@pytest.fixture
def found_by_hybrid(tmp_path: Path) -> tuple[Retriever, list[Hit]]:
    """What MaxSim and BM25 order in another way than MaxSim alone."""
    retriever = Retriever.create(tmp_path / "hybrid.rag", HashEncoder())
    texts = [
        "ant bee cat ant",
        "ant bee owl fox elk dog",
        "bee",
        "cat cat cat dog",
        "ants bees cats",
        "elk ant cat cat",
    ]
    retriever.add([Chunk(f"c{number}", "d", text) for number, text in enumerate(texts)])
    hits = retriever.search("cat dog dog", mode="hybrid")
    assert [hit.score for hit in hits] != sorted((hit.score for hit in hits), reverse=True)
    return retriever, hits


@pytest.mark.parametrize("given", [True, False], ids=["collection", "model"])
def test_what_the_same_model_found_keeps_its_order(found_by_hybrid, given, caplog):
    retriever, hits = found_by_hybrid
    reranker = Reranker(collection=retriever.collection if given else None, encoder=HashEncoder())
    for copied in (hits, hits[1:], pickle.loads(pickle.dumps(hits))):
        ranked = reranker.rerank("cat dog dog", copied)
        assert [(hit.chunk, hit.score, hit.fused) for hit in ranked] == [(h.chunk, h.score, h.fused) for h in copied]
        assert [hit.index for hit in ranked] == list(range(len(copied)))
    assert len(reranker.rerank("cat dog dog", hits, 2)) == 2
    assert caplog.text.count("reranking changes nothing") == 1
    assert str(retriever.collection.location) in caplog.text


def test_of_which_collections_it_was_said_is_remembered_within_bounds(monkeypatch, caplog):
    monkeypatch.setattr(reranking, "_REMEMBERED", 2)
    monkeypatch.setattr(reranking, "_told", type(reranking._told)())
    for location in ("first", "second", "first", "second", "third", "third", "first"):
        reranking._tell(location, "a model")
    assert [record.args[0] for record in caplog.records] == ["first", "second", "third", "first"]
    assert len(reranking._told) <= 2


def test_what_else_is_ordered_by_maxsim(found_by_hybrid, caplog):
    retriever, hits = found_by_hybrid
    reranker = Reranker(collection=retriever.collection, encoder=HashEncoder())
    best = sorted(range(len(hits)), key=lambda number: -hits[number].score)
    by_text = retriever.collection.text_search(["cat dog dog"], top_k=5)[0]
    again = retriever.search("cat dog dog", mode="hybrid")
    enlarged = [replace(hits[0], chunk=replace(hits[0].chunk, text="owl")), *hits[1:]]

    def ordered(candidates: Sequence[str | Chunk | Hit], query: str = "cat dog dog", **options: bool) -> bool:
        scores = [hit.score for hit in reranker.rerank(query, candidates, **options)]
        return scores == sorted(scores, reverse=True)

    assert [hit.index for hit in reranker.rerank("cat dog dog", hits, keep_order=False)] == best
    assert ordered(hits[::-1])
    assert ordered([*hits, "cat"])
    assert ordered([hit.chunk for hit in hits])
    assert ordered([*hits[:3], *again[3:]])  # of two searches
    assert ordered(hits, query="elk")
    assert ordered(by_text)
    assert ordered(enlarged)
    assert "changes nothing" not in caplog.text
    (batch, kept) = reranker.rerank_batch(["elk", "cat dog dog"], [hits, hits])
    assert [hit.score for hit in batch] == [hit.score for hit in reranker.rerank("elk", hits)]
    assert [hit.index for hit in kept] == list(range(len(hits)))
