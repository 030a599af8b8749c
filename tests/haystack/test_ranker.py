"""The ranker: order, limits, copies, the cache, and what a store spares."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from haystack import Document, Pipeline
from haystack.dataclasses import ByteStream
from haystack.document_stores.in_memory import InMemoryDocumentStore

from haystack_integrations.components.rankers.late_rag import LateInteractionRanker
from haystack_integrations.components.retrievers.late_rag import LateInteractionRetriever
from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from late_rag import Reranker
from late_rag.encoders.onnx import OnnxEncoder
from late_rag.errors import CollectionNotFoundError, InputError, ModelError
from tests.frameworks import check_cancelling, watch_encoding

LEAVE = "how many days of paid leave are there?"


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of documents that were encoded since."""
    return watch_encoding(monkeypatch)


def rank(documents: list[Document], **options: Any) -> list[Document]:
    return LateInteractionRanker(**options).run(LEAVE, documents)["documents"]


def test_order_and_scores_are_those_of_the_core(documents: list[Document]) -> None:
    found = rank(documents, top_k=None)
    ranked = Reranker().rerank(LEAVE, [document.content or "" for document in documents])
    assert [document.id for document in found] == [documents[hit.index].id for hit in ranked]
    assert [document.score for document in found] == [hit.similarity for hit in ranked]
    assert found[0].id == "leave"


async def test_the_async_twin_gives_the_same(documents: list[Document]) -> None:
    ranker = LateInteractionRanker()
    for arguments in ((), (2,), (None, 0.3)):
        expected = ranker.run(LEAVE, documents, *arguments)
        assert await ranker.run_async(LEAVE, documents, *arguments) == expected


async def test_ranking_that_is_cancelled_stops() -> None:
    ranker = LateInteractionRanker()
    await check_cancelling(lambda texts: ranker.run_async(LEAVE, [Document(content=text) for text in texts]))


def test_top_k_and_score_threshold_of_the_component_and_of_a_call(documents: list[Document]) -> None:
    scores = [document.score or 0.0 for document in rank(documents, top_k=None)]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == len(documents)
    between = (scores[1] + scores[2]) / 2
    assert len(rank(documents, score_threshold=between)) == 2
    ranker = LateInteractionRanker(top_k=3, score_threshold=between)
    assert len(ranker.run(LEAVE, documents, score_threshold=0.0)["documents"]) == 3
    assert len(ranker.run(LEAVE, documents, top_k=1)["documents"]) == 1
    for refused in (lambda: LateInteractionRanker(top_k=0), lambda: ranker.run(LEAVE, documents, top_k=0)):
        with pytest.raises(InputError, match="top_k"):
            refused()


def test_the_callers_documents_stay_as_they_are(documents: list[Document]) -> None:
    before = copy.deepcopy(documents)
    found = rank(documents)
    assert documents == before
    assert all(document is not same for document in found for same in documents)
    rich = Document(id="r", content="Leave.", meta={"a": [1]}, embedding=[0.5], blob=ByteStream(b"x"), score=7.0)
    (ranked,) = rank([rich])
    assert (ranked.meta, ranked.embedding, ranked.blob) == (rich.meta, rich.embedding, rich.blob)
    assert rich.score == 7.0 != ranked.score


def test_of_documents_with_one_id_the_best_is_kept() -> None:
    same = [Document(id="a", content=text) for text in ("Parking is free.", "Thirty days of paid leave a year.")]
    assert [document.content for document in rank([*same, *same])] == [same[1].content]


def test_what_has_no_text_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    full = Document(content="Thirty days of leave.")
    assert rank([]) == []
    assert [each.content for each in rank([Document(content=" "), Document(), full])] == [full.content]
    assert caplog.text == ""
    picture = Document(
        id="picture", blob=ByteStream(b"\x89PNG\r\n\x1a\n", mime_type="image/png"), meta={"file_path": "a.png"}
    )
    assert [each.content for each in rank([picture, full])] == [full.content]
    assert caplog.text.count("chunk 'picture' (a.png) has no text, only a picture, which the model does not read") == 1
    assert rank([Document(id="page", blob=ByteStream(b"%PDF", mime_type="application/pdf"))]) == []
    assert caplog.text.count("chunk 'page' has no text, only a file, which the model does not read") == 1
    with pytest.raises(InputError, match="nothing to search for"):
        LateInteractionRanker().run("", [full])


def test_metadata_are_encoded_in_front(encoded: list[str]) -> None:
    document = Document(content="Thirty days.", meta={"title": "Leave", "year": 2020, "none": None})
    rank([document], meta_fields_to_embed=["title", "none", "missing", "year"], meta_data_separator=" | ")
    assert encoded == ["Leave | 2020 | Thirty days."]


def test_embeddings_are_kept_for_all_rankers_of_a_configuration(encoded: list[str]) -> None:
    texts = [Document(content=f"Regulation {number} of the cache.") for number in range(5)]
    first = rank(texts, top_k=2)
    assert sorted(encoded) == [document.content for document in texts]
    assert rank(texts, top_k=2) == first
    assert len(encoded) == 5


def test_what_the_store_holds_is_not_encoded(handbook: str, documents: list[Document], encoded: list[str]) -> None:
    store = LateInteractionDocumentStore(handbook, mode="read")
    LateInteractionRetriever(store).warm_up()  # what opening encodes is behind us
    fresh = Document(content="Unused leave is paid out, of which the store has nothing.")
    changed = Document(id="leave", content="Forty days of paid leave a year.")
    encoded.clear()
    found = rank([*documents, fresh, changed], document_store=store, top_k=None)
    assert sorted(encoded) == sorted([fresh.content, changed.content])
    assert len(found) == len(documents) + 1


def test_metadata_that_the_store_embedded_need_not_be_said_again(encoded: list[str]) -> None:
    store = LateInteractionDocumentStore(meta_fields_to_embed=["title"])
    written = [Document(content=f"{days} days.", meta={"title": "Leave"}) for days in range(20, 25)]
    store.write_documents(written)
    encoded.clear()
    for options in ({}, {"meta_fields_to_embed": ["title"]}):
        found = rank(written, document_store=store, top_k=None, **options)
        expected = {each.id: each.score for each in store.search(LEAVE)}
        assert {each.id: each.score for each in found} == pytest.approx(expected, abs=0.01)
    assert encoded == []


def test_what_cannot_be(tmp_path: Any) -> None:
    with pytest.raises(TypeError, match="not a InMemoryDocumentStore"):
        LateInteractionRanker(document_store=InMemoryDocumentStore())  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="no such model"):
        LateInteractionRanker("no such model").warm_up()
    missing = LateInteractionDocumentStore(str(tmp_path / "not-there.rag"), mode="read")
    with pytest.raises(CollectionNotFoundError):
        LateInteractionRanker(document_store=missing).run(LEAVE, [Document(content="Leave.")])


async def test_warm_up_loads_the_model_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    encode = OnnxEncoder.encode_queries

    def watched(self: OnnxEncoder, queries: Any) -> Any:
        asked.append(queries)
        return encode(self, queries)

    monkeypatch.setattr(OnnxEncoder, "encode_queries", watched)
    ranker = LateInteractionRanker()
    assert asked == []
    await ranker.warm_up_async()
    ranker.warm_up()
    assert len(asked) == 1
    ranker.close()
    assert ranker.run(LEAVE, [Document(content="Leave.")])["documents"]


def test_copies_and_dictionaries(handbook: str, documents: list[Document]) -> None:
    for store in (None, LateInteractionDocumentStore(handbook, mode="read")):
        ranker = LateInteractionRanker(
            top_k=2, document_store=store, score_threshold=0.1, meta_fields_to_embed=("topic",)
        )
        expected, data = ranker.run(LEAVE, documents), ranker.to_dict()
        again = LateInteractionRanker.from_dict(copy.deepcopy(data))
        for same in (again, copy.deepcopy(ranker), pickle.loads(pickle.dumps(ranker))):
            assert same.to_dict() == data
            assert same.run(LEAVE, documents) == expected


def test_the_order_of_a_diverse_search_survives_a_pipeline(handbook: str) -> None:
    store = LateInteractionDocumentStore(handbook, mode="read")
    retriever = LateInteractionRetriever(store, top_k=6, lambda_mult=0.1)
    found = retriever.run(LEAVE)["documents"]
    scores = [each.score or 0.0 for each in found]
    assert scores != sorted(scores, reverse=True)
    plain = [Document.from_dict(each.to_dict()) for each in found]
    assert plain == found
    for keep_order, expected in ((True, scores), (False, sorted(scores, reverse=True))):
        pipeline = Pipeline()
        pipeline.add_component("retriever", LateInteractionRetriever.from_dict(retriever.to_dict()))
        ranker = LateInteractionRanker(document_store=store, top_k=None, keep_order=keep_order)
        pipeline.add_component("ranker", LateInteractionRanker.from_dict(ranker.to_dict()))
        pipeline.connect("retriever.documents", "ranker.documents")
        result = pipeline.run({name: {"query": LEAVE} for name in ("retriever", "ranker")})
        assert [each.score for each in result["ranker"]["documents"]] == pytest.approx(expected, abs=1e-5)
    unknown = [each.score or 0.0 for each in rank(plain, document_store=store, top_k=None)]
    assert unknown == sorted(unknown, reverse=True)
