"""The reranker: order, limits, copies, the cache, what a collection spares, and who is told."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.event_handlers.base import BaseEventHandler  # type: ignore[attr-defined]
from llama_index.core.schema import ImageNode, MetadataMode, NodeWithScore, QueryBundle, TextNode

from late_rag import Reranker, Retriever
from late_rag.errors import CollectionError, InputError
from llama_index.postprocessor.late_rag import LateInteractionRerank
from llama_index.retrievers.late_rag import LateInteractionRetriever
from tests.frameworks import check_cancelling, watch_encoding

LEAVE = "how many days of paid leave are there?"


@pytest.fixture
def found(nodes: list[TextNode]) -> list[NodeWithScore]:
    """The handbook as another retriever found it."""
    return [NodeWithScore(node=node, score=number / 10) for number, node in enumerate(nodes)]


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of documents that were encoded since."""
    return watch_encoding(monkeypatch)


def rerank(given: list[NodeWithScore], **options: Any) -> list[NodeWithScore]:
    return LateInteractionRerank(**options).postprocess_nodes(given, query_str=LEAVE)


async def test_order_and_scores_are_those_of_the_core(found: list[NodeWithScore]) -> None:
    ranked = Reranker().rerank(LEAVE, [item.get_content(MetadataMode.EMBED) for item in found])
    again = rerank(found, top_n=None)
    assert [(item.node, item.score) for item in again] == [(found[hit.index].node, hit.similarity) for hit in ranked]
    assert again[0].node_id == "leave"
    assert await LateInteractionRerank(top_n=None).apostprocess_nodes(found, QueryBundle(LEAVE)) == again


def test_top_n_and_threshold(found: list[NodeWithScore]) -> None:
    assert len(rerank(found)) == 3
    scores = [item.get_score() for item in rerank(found, top_n=None)]
    assert len(scores) == len(found)
    assert len(rerank(found, threshold=(scores[1] + scores[2]) / 2)) == 2
    for wrong in ({"top_n": 0}, {"collection": 3}, {"top_k": 3}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            LateInteractionRerank(**wrong)  # type: ignore[arg-type]


def test_the_callers_nodes_stay_as_they_are(found: list[NodeWithScore]) -> None:
    found[2].node = found[2].node.model_copy(update={"metadata": {"retrieval_score": "mine"}})
    before = copy.deepcopy(found)
    ranked = rerank(found, keep_retrieval_score=True, top_n=None)
    assert found == before
    kept = {item.node_id: item.metadata for item in ranked}
    assert kept["travel"]["retrieval_score"] == 0.0
    assert kept["leave"] == {"retrieval_score": "mine", "late_rag_retrieval_score": 0.2}
    for item in ranked:
        (node,) = [given.node for given in found if given.node_id == item.node_id]
        for mode in (MetadataMode.EMBED, MetadataMode.LLM):
            assert item.get_content(mode) == node.get_content(mode)


def test_what_has_no_text_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    empty, full = (NodeWithScore(node=TextNode(text=text)) for text in (" ", "Thirty days of leave."))
    assert rerank([]) == []
    assert [item.node for item in rerank([empty, full])] == [full.node]
    picture = NodeWithScore(node=ImageNode(id_="plan", image="iVBORw0KGgo=", image_mimetype="image/png"))
    assert [item.node for item in rerank([picture, full])] == [full.node]
    assert "chunk 'plan' has no text, only a picture, which the model does not read: left out" in caplog.messages
    with pytest.raises(InputError, match="nothing to search for"):
        LateInteractionRerank().postprocess_nodes([full], query_str="")
    with pytest.raises(InputError, match="query_str="):
        LateInteractionRerank().postprocess_nodes([full])


def test_embeddings_are_kept_for_all_rerankers_of_a_configuration(encoded: list[str]) -> None:
    given = [NodeWithScore(node=TextNode(text=f"Rule {number} of the cache.")) for number in range(5)]
    first = rerank(given, top_n=2)
    assert len(encoded) == 5
    assert rerank(given, top_n=2) == first
    assert len(encoded) == 5


def test_what_the_collection_holds_is_not_encoded(
    handbook: str, found: list[NodeWithScore], encoded: list[str]
) -> None:
    rerank(found, collection=handbook)  # what opening encodes is behind us
    for collection in (handbook, Retriever.open(handbook, mode="read").collection):
        kind = type(collection).__name__
        fresh = TextNode(text=f"Unused leave is paid out, of which a {kind} has nothing.")
        changed = found[2].node.model_copy(update={"text": f"Forty days of paid leave, says a {kind}."})
        more = [NodeWithScore(node=fresh), NodeWithScore(node=changed)]
        rerank(found, collection=collection)
        encoded.clear()
        assert len(rerank([*found, *more], collection=collection, top_n=None)) == len(found) + 2
        assert sorted(encoded) == sorted(item.get_content(MetadataMode.EMBED) for item in more)


def test_passages_of_files_are_known_with_their_headings(tmp_path: Path, encoded: list[str]) -> None:
    (tmp_path / "rules").mkdir()
    sentences = (f"In year {year} there are {year % 9 + 20} days of paid leave." for year in range(1990, 2040))
    (tmp_path / "rules" / "leave.md").write_text(f"# Leave\n\n{' '.join(sentences)}\n")
    location = str(tmp_path / "rules.rag")
    with Retriever.open(location, create=True) as filled:
        filled.sync(tmp_path / "rules")
        assert any(hit.chunk.embed_text for hit in filled.search(LEAVE))
    given = LateInteractionRetriever(location, similarity_top_k=10).retrieve(LEAVE)
    rerank([NodeWithScore(node=TextNode(text="What opening encodes is behind us."))], collection=location)
    encoded.clear()
    again = rerank(given, collection=location, top_n=None)
    assert encoded == []
    scores = {item.node_id: item.score for item in given}
    assert len(scores) > 2
    assert {item.node_id: item.score for item in again} == pytest.approx(scores, abs=0.01)


def test_callbacks_and_events_are_told(found: list[NodeWithScore]) -> None:
    told: list[Any] = []

    class Handler(BaseEventHandler):
        def handle(self, event: Any, **more: Any) -> None:
            told.append(event)

    dispatcher = get_dispatcher()
    handler, debug = Handler(), LlamaDebugHandler(print_trace_on_end=False)
    dispatcher.add_event_handler(handler)
    try:
        ranked = rerank(found, callback_manager=CallbackManager([debug]))
    finally:
        dispatcher.event_handlers.remove(handler)
    start, end = told
    assert (start.class_name(), end.class_name()) == ("ReRankStartEvent", "ReRankEndEvent")
    assert (start.query, start.nodes, start.top_n, start.model_name) == (QueryBundle(LEAVE), found, 3, "minilm")
    assert end.nodes == ranked
    ((first, last),) = debug.get_event_pairs(CBEventType.RERANKING)
    assert first.payload is not None
    assert first.payload[EventPayload.TOP_K] == 3
    assert last.payload == {EventPayload.NODES: ranked}


def test_copies(handbook: str, found: list[NodeWithScore]) -> None:
    for collection in (None, handbook, Retriever.open(handbook, mode="read").collection):
        reranker = LateInteractionRerank(collection=collection, top_n=2)
        expected = reranker.postprocess_nodes(found, query_str=LEAVE)
        for same in (
            pickle.loads(pickle.dumps(reranker)),
            copy.deepcopy(reranker),
            reranker.model_copy(),
            LateInteractionRerank.from_dict(reranker.to_dict()),
            LateInteractionRerank.from_json(reranker.to_json()),
        ):
            assert same.postprocess_nodes(found, query_str=LEAVE) == expected


def test_a_private_collection_stays_in_its_process(nodes: list[TextNode]) -> None:
    private = LateInteractionRetriever.from_nodes(nodes).collection
    reranker = LateInteractionRerank(collection=private)
    for duplicate in (pickle.dumps, copy.deepcopy):
        with pytest.raises(CollectionError, match="temporary"):
            duplicate(reranker)
    with pytest.raises(ValueError, match=r"CollectionError: .* is a temporary"):  # pydantic's own, around ours
        reranker.to_dict()


async def test_reranking_that_is_cancelled_stops() -> None:
    reranker = LateInteractionRerank()

    async def rerank(texts: list[str]) -> object:
        return await reranker.apostprocess_nodes(
            [NodeWithScore(node=TextNode(text=text)) for text in texts], query_str=LEAVE
        )

    await check_cancelling(rerank)


def test_the_order_of_a_diverse_search_survives(handbook: str) -> None:
    given = LateInteractionRetriever(handbook, similarity_top_k=6, lambda_mult=0.1).retrieve(LEAVE)
    scores = [item.get_score() for item in given]
    assert scores != sorted(scores, reverse=True)
    assert rerank(given, collection=handbook, top_n=None) == given
    anew = [item.get_score() for item in rerank(given, collection=handbook, top_n=None, keep_order=False)]
    assert anew == sorted(anew, reverse=True)
    for item in given:  # what is known of the search is no part of the node
        plain = TextNode.from_dict(item.node.to_dict())
        assert (plain, plain.to_json(), repr(plain)) == (item.node, item.node.to_json(), repr(item.node))
        item.node = item.node.model_copy()
        item.node.set_content("Thirty days of leave.")
    changed = [item.get_score() for item in rerank(given, collection=handbook, top_n=None)]
    assert changed == sorted(changed, reverse=True)
    assert changed != sorted(scores, reverse=True)
