"""The reranker: order, limits, copies, the cache, and what a collection spares."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_core.documents import Document
from langchain_core.load import dumps

from langchain_late_rag import HitFields, LateInteractionReranker, LateInteractionRetriever
from late_rag import Reranker, Retriever
from late_rag.errors import InputError
from tests.frameworks import check_cancelling, watch_encoding

LEAVE = "how many days of paid leave are there?"


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of documents that were encoded since."""
    return watch_encoding(monkeypatch)


def test_order_and_scores_are_those_of_the_core(documents: list[Document]) -> None:
    found = LateInteractionReranker(top_n=None).compress_documents(documents, LEAVE)
    ranked = Reranker().rerank(LEAVE, [document.page_content for document in documents])
    assert [document.id for document in found] == [documents[hit.index].id for hit in ranked]
    assert [document.metadata["relevance_score"] for document in found] == [hit.similarity for hit in ranked]
    assert found[0].id == "leave"


async def test_the_async_twin_gives_the_same(documents: list[Document]) -> None:
    reranker = LateInteractionReranker()
    assert await reranker.acompress_documents(documents, LEAVE) == reranker.compress_documents(documents, LEAVE)


def test_top_n_threshold_and_score_key(documents: list[Document]) -> None:
    assert len(LateInteractionReranker().compress_documents(documents, LEAVE)) == 3
    assert len(LateInteractionReranker(top_n=None).compress_documents(documents, LEAVE)) == len(documents)
    scores = [
        document.metadata["near"]
        for document in LateInteractionReranker(top_n=None, score_key="near").compress_documents(documents, LEAVE)
    ]
    assert scores == sorted(scores, reverse=True)
    between = (scores[1] + scores[2]) / 2
    assert len(LateInteractionReranker(threshold=between).compress_documents(documents, LEAVE)) == 2
    with pytest.raises(ValueError, match="top_n"):
        LateInteractionReranker(top_n=0)


def test_the_callers_documents_stay_as_they_are(documents: list[Document]) -> None:
    given = [document.model_copy(update={"metadata": {**document.metadata, "tags": ["x"]}}) for document in documents]
    before = copy.deepcopy(given)
    found = LateInteractionReranker().compress_documents(given, LEAVE)
    found[0].metadata["year"] = None
    assert given == before
    assert all(document is not same for document in found for same in given)


def test_what_has_no_text_is_left_out_and_a_picture_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    empty, full = Document(page_content=" "), Document(page_content="Thirty days of leave.")
    assert LateInteractionReranker().compress_documents([], LEAVE) == []
    assert [d.page_content for d in LateInteractionReranker().compress_documents([empty, full], LEAVE)] == [
        full.page_content
    ]
    blocks = [{"type": "image", "base64": "iVBORw0KGgo=", "mime_type": "image/png"}]
    picture = Document(id="plan", page_content="", metadata={"content_blocks": blocks, "source": "plan.png"})
    elsewhere = Document(page_content="", metadata={"content_blocks": [{"type": "image", "url": "https://x.org/a"}]})
    found = LateInteractionReranker().compress_documents([picture, elsewhere, full], LEAVE)
    assert [document.page_content for document in found] == [full.page_content]
    told = "chunk 'plan' (plan.png) has no text, only a picture, which the model does not read: left out"
    assert caplog.messages == [told]
    with pytest.raises(InputError, match="nothing to search for"):
        LateInteractionReranker().compress_documents([full], "")


def test_embeddings_are_kept_for_all_rerankers_of_a_configuration(encoded: list[str]) -> None:
    texts = [Document(page_content=f"Rule {number} of the cache.") for number in range(5)]
    first = LateInteractionReranker(top_n=2).compress_documents(texts, LEAVE)
    assert sorted(encoded) == [document.page_content for document in texts]
    assert LateInteractionReranker(top_n=2).compress_documents(texts, LEAVE) == first
    assert len(encoded) == 5


def test_what_the_collection_holds_is_not_encoded(handbook: str, documents: list[Document], encoded: list[str]) -> None:
    LateInteractionRetriever(collection=handbook).invoke(LEAVE)  # what opening encodes is behind us
    for collection in (handbook, Retriever.open(handbook, mode="read").collection):
        kind = type(collection).__name__
        fresh = Document(page_content=f"Unused leave is paid out, of which a {kind} has nothing.")
        changed = documents[2].model_copy(update={"page_content": f"Forty days of paid leave a year, says a {kind}."})
        reranker = LateInteractionReranker(collection=collection, top_n=None)
        reranker.compress_documents(documents, LEAVE)
        encoded.clear()
        found = reranker.compress_documents([*documents, fresh, changed], LEAVE)
        assert sorted(encoded) == sorted([fresh.page_content, changed.page_content])
        assert len(found) == len(documents) + 2


def test_passages_with_headings_in_front_are_known_by_their_text(tmp_path: Path, encoded: list[str]) -> None:
    (tmp_path / "rules").mkdir()
    sentences = (f"In year {year} there are {year % 9 + 20} days of paid leave." for year in range(1990, 2040))
    (tmp_path / "rules" / "leave.md").write_text(f"# Leave\n\n{' '.join(sentences)}\n")
    location = str(tmp_path / "rules.rag")
    with Retriever.open(location, create=True) as filled:
        filled.sync(tmp_path / "rules")
        assert any(hit.chunk.embed_text for hit in filled.search(LEAVE))
    fields = HitFields(similarity="similarity")
    found = LateInteractionRetriever(collection=location, k=10, fields=fields).invoke(LEAVE)
    reranker = LateInteractionReranker(collection=location, top_n=None)
    reranker.compress_documents([Document(page_content="What opening encodes is behind us.")], LEAVE)
    encoded.clear()
    again = reranker.compress_documents(found, LEAVE)
    assert encoded == []
    scores = {document.id: document.metadata["similarity"] for document in found}
    assert len(scores) > 2
    for document in again:
        assert document.metadata["relevance_score"] == pytest.approx(scores[document.id], abs=0.01)


def test_copies(handbook: str, documents: list[Document]) -> None:
    for collection in (None, handbook, Retriever.open(handbook, mode="read").collection):
        reranker = LateInteractionReranker(collection=collection)
        expected = reranker.compress_documents(documents, LEAVE)
        for same in (pickle.loads(pickle.dumps(reranker)), copy.deepcopy(reranker), reranker.model_copy()):
            assert same.compress_documents(documents, LEAVE) == expected


async def test_in_a_contextual_compression_retriever(handbook: str) -> None:
    retriever = ContextualCompressionRetriever(
        base_compressor=LateInteractionReranker(collection=handbook, top_n=2),
        base_retriever=LateInteractionRetriever(collection=handbook, k=6),
    )
    found = retriever.invoke(LEAVE)
    assert found[0].id == "leave"
    assert len(found) == 2
    assert all({"relevance_score", "chunk_id"} <= document.metadata.keys() for document in found)
    assert await retriever.ainvoke(LEAVE) == found


async def test_reranking_that_is_cancelled_stops() -> None:
    reranker = LateInteractionReranker()
    await check_cancelling(lambda texts: reranker.acompress_documents([Document(text) for text in texts], LEAVE))


def test_the_order_of_a_hybrid_or_diverse_search_survives(handbook: str, caplog: pytest.LogCaptureFixture) -> None:
    for options in ({"mode": "hybrid"}, {"lambda_mult": 0.1}):
        found = LateInteractionRetriever(collection=handbook, k=6, fields=HitFields(similarity="s"), **options).invoke(
            LEAVE
        )
        scores = [document.metadata["s"] for document in found]
        assert options == {"mode": "hybrid"} or scores != sorted(scores, reverse=True)
        ranked = LateInteractionReranker(collection=handbook, top_n=None).compress_documents(found, LEAVE)
        assert [(document.id, document.metadata["relevance_score"]) for document in ranked] == [
            (document.id, document.metadata["s"]) for document in found
        ]
        anew = LateInteractionReranker(collection=handbook, top_n=None, keep_order=False)
        scores = [document.metadata["relevance_score"] for document in anew.compress_documents(found, LEAVE)]
        assert scores == sorted(scores, reverse=True)
    assert caplog.text.count("reranking changes nothing") <= 1


def test_what_stands_beside_a_document_is_no_part_of_it(handbook: str) -> None:
    (found,) = LateInteractionRetriever(collection=handbook, k=1).invoke(LEAVE)
    plain = Document(id=found.id, page_content=found.page_content, metadata=found.metadata)
    assert found == plain
    assert (repr(found), found.model_dump(), dumps(found)) == (repr(plain), plain.model_dump(), dumps(plain))
    assert pickle.loads(pickle.dumps(found)) == plain
    changed = found.model_copy(update={"page_content": "Parking is free."})
    (ranked,) = LateInteractionReranker(collection=handbook).compress_documents([changed], LEAVE)
    (expected,) = LateInteractionReranker().compress_documents([Document("Parking is free.")], LEAVE)
    assert ranked.metadata["relevance_score"] == expected.metadata["relevance_score"]
