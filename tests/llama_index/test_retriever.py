"""The retriever: the core's results, what shapes them, query transformations, recursion, tracing, copies."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler
from llama_index.core.ingestion import run_transformations
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]
from llama_index.core.instrumentation.event_handlers.base import BaseEventHandler  # type: ignore[attr-defined]
from llama_index.core.llms.mock import MockLLM
from llama_index.core.node_parser import MarkdownNodeParser, SentenceSplitter
from llama_index.core.postprocessor import MetadataReplacementPostProcessor
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import Document, IndexNode, MetadataMode, NodeWithScore, QueryBundle, TextNode
from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter, MetadataFilters

from late_rag import F, Retriever
from late_rag.errors import CollectionError, CollectionNotFoundError, ConflictError, InputError, UnsupportedError
from late_rag.filters import parse
from llama_index.indices.late_rag import LateInteractionIndex
from llama_index.retrievers.late_rag import HitFields, LateInteractionRetriever
from llama_index.retrievers.late_rag.filters import to_filter
from llama_index.retrievers.late_rag.loose import to_chunks
from llama_index.vector_stores.late_rag import LateInteractionVectorStore

TRAVEL = "who approves travel?"


def ids(found: list[NodeWithScore]) -> list[str]:
    return [item.node_id for item in found]


async def test_results_are_those_of_the_core(handbook: str, nodes: list[TextNode]) -> None:
    hits = Retriever.open(handbook, mode="read").search(TRAVEL, top_k=4)
    retriever = LateInteractionRetriever(handbook, similarity_top_k=4)
    found = retriever.retrieve(TRAVEL)
    stored = {node.node_id: node for node in nodes}
    assert [(item.node, item.score) for item in found] == [(stored[hit.chunk.id], hit.similarity) for hit in hits]
    assert await retriever.aretrieve(TRAVEL) == found
    assert retriever.retrieve(QueryBundle(TRAVEL)) == found
    assert len(LateInteractionRetriever(handbook).retrieve(TRAVEL)) == 2


def test_what_shapes_the_result(handbook: str) -> None:
    def found(query: str = TRAVEL, **options: Any) -> list[str]:
        return ids(LateInteractionRetriever(handbook, **({"similarity_top_k": 8} | options)).retrieve(query))

    assert found(threshold=0.6) == ["travel"]
    assert set(found(node_ids=["leave", "laptop", "gone"])) == {"leave", "laptop"}
    assert found(doc_ids=["parking"]) == ["parking"]
    assert found(node_ids=[]) == found(doc_ids=[]) == []
    assert found("vault", mode="hybrid", similarity_top_k=1) == ["password"]
    assert found(lambda_mult=0.0, fetch_k=8, similarity_top_k=2)[1] != found(similarity_top_k=2)[1]
    assert found(group_by="document") == found()


@pytest.mark.parametrize(
    "given",
    [
        MetadataFilters(filters=[MetadataFilter(key="topic", value="leave")]),
        MetadataFilters(filters=[MetadataFilter(key="topic", operator=FilterOperator.IN, value=["leave", "x"])]),
        'topic == "leave"',
        F("topic") == "leave",
    ],
    ids=["llama_index", "operator", "text", "built"],
)
def test_every_form_of_a_filter(handbook: str, given: Any) -> None:
    assert ids(LateInteractionRetriever(handbook, filters=given).retrieve(TRAVEL)) == ["leave"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"similarity_top_k": 0},
        {"filters": "year >"},
        {"mode": "bm25"},
        {"threshold": "high"},
        {"node_ids": "travel"},
        {"collection": 3},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_constructor_refuses_what_cannot_be(handbook: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        LateInteractionRetriever(**{"collection": handbook} | wrong)


async def test_a_query_that_cannot_be_answered(handbook: str) -> None:
    retriever = LateInteractionRetriever(handbook)
    for query in ("", " ", QueryBundle("", embedding=[0.1])):
        with pytest.raises(InputError, match="nothing to search for"):
            retriever.retrieve(query)
        with pytest.raises(InputError, match="nothing to search for"):
            await retriever.aretrieve(query)
    with pytest.raises(UnsupportedError, match=r"plan\.png"):
        retriever.retrieve(QueryBundle("", image_path="plan.png"))
    with pytest.raises(CollectionNotFoundError):
        LateInteractionRetriever(f"{handbook}-not").retrieve(TRAVEL)


@pytest.mark.parametrize("options", [{}, {"mode": "hybrid"}, {"lambda_mult": 0.5}, {"group_by": "document"}])
def test_a_transformed_query_is_searched_by_its_texts(handbook: str, options: dict[str, Any]) -> None:
    retriever = LateInteractionRetriever(handbook, similarity_top_k=3, **options)
    texts = ["paid leave in days", "lunch in the canteen"]
    both = retriever.retrieve(QueryBundle("what of it?", custom_embedding_strs=texts))
    assert set(ids(both)[:2]) == {"leave", "canteen"}
    assert len(set(ids(both))) == 3
    one = retriever.retrieve(QueryBundle("what of it?", custom_embedding_strs=texts[:1]))
    assert one == retriever.retrieve(texts[0])
    best = {item.node_id: item.score for text in texts for item in retriever.retrieve(text)}
    assert {item.score for item in both[:2]} <= set(best.values())


def test_context_replaces_a_nodes_text(tmp_path: Path) -> None:
    guide = Document(
        id_="guide", text="Leave is thirty days. Parking is free. Lunch is at noon."
    ).as_related_node_info()
    sentences = ["Leave is thirty days.", "Parking is free.", "Lunch is at noon."]
    parts = [TextNode(text=text, relationships={"1": guide}) for text in sentences]
    retriever = LateInteractionRetriever.from_nodes(parts, tmp_path / "g.rag", similarity_top_k=1, expand=1)
    (found,) = retriever.retrieve("parking")
    assert found.get_content(MetadataMode.LLM) == "Parking is free."
    (replaced,) = MetadataReplacementPostProcessor(target_metadata_key="context").postprocess_nodes([found])
    assert replaced.get_content(MetadataMode.LLM) == "\n".join(sentences)


RULES = " ".join(f"Rule {number} of the handbook is about paragraph {number}." for number in range(9))


def overlapping() -> list[TextNode]:
    """Parts of the rules of 90 characters, which share 45 with the next."""
    document = Document(id_="rules", text=RULES).as_related_node_info()
    return [
        TextNode(
            id_=str(start),
            text=RULES[start : start + 90],
            start_char_idx=start,
            end_char_idx=min(start + 90, len(RULES)),
            relationships={"1": document},
        )
        for start in range(0, len(RULES) - 45, 45)
    ]


def contexts(nodes: list[TextNode], **options: Any) -> Iterator[str]:
    """What stands around the best node, by each way to put nodes in."""
    asked: dict[str, Any] = {"similarity_top_k": 1, **options}
    with LateInteractionIndex(nodes) as index, LateInteractionVectorStore() as store:
        store.add(nodes)
        made = (LateInteractionRetriever.from_nodes(nodes, **asked), index.as_retriever(**asked))
        for retriever in (*made, LateInteractionRetriever(store.client, **asked)):
            (found,) = retriever.retrieve(RULES[180:225])
            yield found.metadata["context"]


def test_a_context_has_what_nodes_share_once() -> None:
    assert list(contexts(overlapping(), expand="document")) == [RULES] * 3
    assert all(120 < len(text) < 200 and text in RULES for text in contexts(overlapping(), expand=1))


def test_indexes_that_do_not_agree_are_not_believed() -> None:
    nodes = overlapping()
    for wrong in (
        [node.model_copy(update={"start_char_idx": 0, "end_char_idx": len(node.text)}) for node in nodes],
        [*nodes[:2], nodes[2].model_copy(update={"start_char_idx": None}), *nodes[3:]],
        [*nodes[:2], nodes[2].model_copy(update={"start_char_idx": 91, "end_char_idx": 181}), *nodes[3:]],
        [node.model_copy(update={"end_char_idx": 1000}) for node in nodes],
        nodes[::-1],
    ):
        assert [(chunk.start, chunk.end) for chunk in to_chunks(wrong)] == [(None, None)] * len(nodes)
    (whole, *_) = contexts(nodes[::-1], expand="document")
    assert whole == "\n".join(node.text for node in nodes[::-1])


def test_parts_of_parts_stay_in_their_order() -> None:
    """The splitter counts from the beginning of each section."""
    sections = {"One": RULES, "Two": RULES.replace("Rule", "Law"), "Three": "An end."}
    guide = Document(id_="guide", text="\n\n".join(f"# {title}\n\n{text}" for title, text in sections.items()))
    parsers = [MarkdownNodeParser(), SentenceSplitter(chunk_size=40, chunk_overlap=14)]
    nodes = run_transformations([guide], parsers)
    assert len({node.ref_doc_id for node in nodes}) == 1
    for context in contexts(nodes, expand="document"):  # type: ignore[arg-type]
        assert context == "\n".join(node.get_content() for node in nodes)


def test_fields_name_the_keys(handbook: str) -> None:
    fields = HitFields(score="sum", fused="order")
    retriever = LateInteractionRetriever(handbook, mode="hybrid", fields=fields, similarity_top_k=4)
    found = retriever.retrieve(TRAVEL)
    orders = [item.metadata["order"] for item in found]
    assert orders == sorted(orders, reverse=True)
    assert all(item.metadata["sum"] > (item.score or 0) for item in found)
    assert "sum" not in found[0].get_content(MetadataMode.LLM)


async def test_from_nodes_stores_them_as_they_are(tmp_path: Path, nodes: list[TextNode]) -> None:
    before = copy.deepcopy(nodes)
    private = LateInteractionRetriever.from_nodes(nodes)
    assert [item.node for item in private.retrieve(TRAVEL)] == [nodes[0], nodes[1]]
    location = tmp_path / "more.rag"
    first = await LateInteractionRetriever.afrom_nodes(nodes[:2], location, similarity_top_k=8)
    changed = nodes[1].model_copy(update={"text": "Trains are free."})
    opened = Retriever.open(location).collection
    LateInteractionRetriever.from_nodes([changed, nodes[2]], opened)
    assert {item.node_id: item.text for item in first.retrieve(TRAVEL)} == {
        "travel": nodes[0].text,
        "trains": "Trains are free.",
        "leave": nodes[2].text,
    }
    assert nodes == before


def test_a_node_does_not_tear_a_passage_out_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "leave.md").write_text("# Leave\n\nThirty days.\n\n# Parking\n\nIt is free.\n")
    location = tmp_path / "rules.rag"
    with Retriever.open(location, create=True) as filled:
        filled.sync(tmp_path / "rules", as_="rules")
    retriever = LateInteractionRetriever(location, similarity_top_k=1, expand="document")
    (found,) = retriever.retrieve("days of leave")
    assert found.metadata["source"] == "rules/leave.md"
    assert found.metadata["context"].endswith("It is free.\n")
    assert found.node.ref_doc_id not in (None, found.node_id)
    assert "source" not in found.get_content(MetadataMode.LLM)
    torn = TextNode(id_=found.node_id, text="Forty days.")
    with pytest.raises(ConflictError, match="is a passage of the document"):
        LateInteractionRetriever.from_nodes([torn, TextNode(id_="b", text="Other.")], location)
    with Retriever.open(location, mode="read") as opened:
        assert opened.collection.get(["b"]) == []


async def test_an_index_node_leads_to_its_object(handbook: str, nodes: list[TextNode]) -> None:
    rules = LateInteractionRetriever(handbook, similarity_top_k=3)
    summary = IndexNode(id_="summary", text="All about business trips and travel", index_id="rules")
    inner = IndexNode(text="Where the car is left", index_id="lot", obj=TextNode(id_="lot", text="Level 2."))
    for known in ({"object_map": {"rules": rules}}, {"objects": [summary.model_copy(update={"obj": rules})]}):
        top: BaseRetriever = LateInteractionRetriever.from_nodes([summary, inner], similarity_top_k=1, **known)
        assert top.retrieve(TRAVEL) == rules.retrieve(TRAVEL)
        assert await top.aretrieve(TRAVEL) == rules.retrieve(TRAVEL)
        assert ids(top.retrieve("where is the car?")) == ["lot"]


async def test_callbacks_and_events_are_told(handbook: str) -> None:
    told: list[str] = []

    class Handler(BaseEventHandler):
        def handle(self, event: Any, **more: Any) -> None:
            told.append(event.class_name())

    dispatcher = get_dispatcher()
    handler, debug = Handler(), LlamaDebugHandler(print_trace_on_end=False)
    dispatcher.add_event_handler(handler)
    try:
        retriever = LateInteractionRetriever(handbook, callback_manager=CallbackManager([debug]))
        found = retriever.retrieve(TRAVEL)
        await retriever.aretrieve(TRAVEL)
    finally:
        dispatcher.event_handlers.remove(handler)
    assert told == ["RetrievalStartEvent", "RetrievalEndEvent"] * 2
    pairs = debug.get_event_pairs(CBEventType.RETRIEVE)
    assert [end.payload[EventPayload.NODES] for _, end in pairs] == [found, found]  # type: ignore[index]


def test_copies(handbook: str) -> None:
    for collection in (handbook, Path(handbook), Retriever.open(handbook, mode="read").collection):
        retriever = LateInteractionRetriever(collection, filters="year >= 2021", similarity_top_k=3)
        for same in (pickle.loads(pickle.dumps(retriever)), copy.deepcopy(retriever), copy.copy(retriever)):
            assert same.retrieve(TRAVEL) == retriever.retrieve(TRAVEL)


def test_a_copy_has_the_times_of_the_filter(handbook: str) -> None:
    for wanted in (F("since") >= datetime(2024, 5, 1, 8, tzinfo=UTC), {"field": "since", "op": "<", "value": date.max}):
        retriever = LateInteractionRetriever(handbook, filters=wanted)
        for same in (pickle.loads(pickle.dumps(retriever)), copy.deepcopy(retriever)):
            assert to_filter(same.filters) == parse(wanted)


def test_a_private_collection_stays_in_its_process(nodes: list[TextNode]) -> None:
    retriever = LateInteractionRetriever.from_nodes(nodes)
    for duplicate in (pickle.dumps, copy.deepcopy):
        with pytest.raises(CollectionError, match="temporary"):
            duplicate(retriever)


async def test_in_a_fusion_retriever(handbook: str) -> None:
    one = LateInteractionRetriever(handbook, filters="year >= 2021")
    other = LateInteractionRetriever(handbook, filters="year < 2021")
    fusion = QueryFusionRetriever([one, other], num_queries=1, similarity_top_k=3, llm=MockLLM(), use_async=False)
    assert ids(fusion.retrieve(TRAVEL))[0] == "travel"
    assert ids(await fusion.aretrieve(TRAVEL)) == ids(fusion.retrieve(TRAVEL))
