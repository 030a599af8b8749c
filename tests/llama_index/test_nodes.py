"""Nodes to chunks and back: every kind, every field, and what others wrote."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from llama_index.core.node_parser import HierarchicalNodeParser, SentenceWindowNodeParser
from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageDocument,
    ImageNode,
    IndexNode,
    MediaResource,
    MetadataMode,
    Node,
    NodeRelationship,
    RelatedNodeInfo,
    TextNode,
)

from late_rag import Chunk, Retriever
from late_rag.adapters import HitFields
from late_rag.errors import InputError
from late_rag.types import Hit, Media
from llama_index.retrievers.late_rag.nodes import from_chunk, from_hit, to_chunk

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PICTURE = base64.b64encode(PIXEL).decode()
GUIDE = Document(
    id_="guide",
    text="Leave is thirty days. Parking is free. Lunch is at noon.",
    metadata={"year": 2020, "author": "Ann", "since": datetime(2020, 1, 1, tzinfo=UTC)},
    excluded_embed_metadata_keys=["author"],
    excluded_llm_metadata_keys=["year"],
    metadata_template="{key}={value}",
    metadata_separator="; ",
    text_template="{metadata_str} | {content}",
)
RELATED = GUIDE.as_related_node_info()


def kinds() -> list[BaseNode]:
    """One node of each kind, with what only that kind has."""
    text = TextNode(
        id_="text",
        text="Parking is free.",
        metadata={"z": 1, "a": [1, {"x": None}]},
        start_char_idx=22,
        end_char_idx=38,
        mimetype="text/markdown",
        relationships={NodeRelationship.SOURCE: RELATED, NodeRelationship.CHILD: [RELATED, RELATED]},
    )
    return [
        GUIDE,
        text,
        IndexNode(id_="index", text="Parking", index_id="parking", obj=TextNode(id_="inner", text="It is free.")),
        ImageNode(id_="data", text="A car park", image=PICTURE, image_mimetype="image/png"),
        ImageNode(id_="path", text="A car park", image_path="plans/car-park.png"),
        ImageNode(id_="url", text="A car park", image_url="https://example.org/a.png", image="no base64"),
        ImageDocument(id_="caption", text="A car park", image=PIXEL),
        Node(
            id_="media",
            text_resource=MediaResource(text="A tour", mimetype="text/plain"),
            image_resource=MediaResource(data=PIXEL),
            audio_resource=MediaResource(path="tour.mp3"),  # type: ignore[arg-type]
            video_resource=MediaResource(url="https://example.org/tour.mp4"),  # type: ignore[arg-type]
        ),
        TextNode(id_="empty"),
    ]


def own(node: BaseNode, info: RelatedNodeInfo) -> RelatedNodeInfo:
    """What comes back of another passage: no metadata but those that the node has as well."""
    shared = {key: value for key, value in info.metadata.items() if node.metadata.get(key, ...) == value}
    return info.model_copy(update={"metadata": shared})


def as_it_comes_back(node: BaseNode) -> BaseNode:
    related = {
        kind: info
        if kind == NodeRelationship.SOURCE
        else [own(node, each) for each in info]
        if isinstance(info, list)
        else own(node, info)
        for kind, info in node.relationships.items()
    }
    return node.model_copy(update={"relationships": related})


def check_same(node: BaseNode, back: BaseNode) -> None:
    assert type(back) is type(node)
    assert back == as_it_comes_back(node)
    assert back.hash == node.hash
    assert [back.get_content(mode) for mode in MetadataMode] == [node.get_content(mode) for mode in MetadataMode]


@pytest.mark.parametrize("node", kinds(), ids=lambda node: node.node_id)
def test_a_node_comes_back_as_it_was(node: BaseNode) -> None:
    before = node.model_copy(deep=True)
    check_same(before, from_chunk(to_chunk(node)))
    assert node == before


def test_so_it_does_from_a_collection() -> None:
    with Retriever.create(None, "minilm") as retriever:
        retriever.add([to_chunk(node) for node in kinds()])
        for node in kinds():
            (chunk,) = retriever.collection.get([node.node_id])
            check_same(node, from_chunk(chunk))


def test_what_the_parsers_of_llama_index_make_comes_back() -> None:
    for parser in (HierarchicalNodeParser.from_defaults([64, 32], chunk_overlap=0), SentenceWindowNodeParser()):
        nodes = parser.get_nodes_from_documents([GUIDE])
        assert len(nodes) > 1
        for node in nodes:
            check_same(node, from_chunk(to_chunk(node)))
            assert to_chunk(node).document_id == node.ref_doc_id


def test_the_embedding_is_not_stored_and_what_is_encoded_is_the_nodes_content_for_that() -> None:
    node = GUIDE.model_copy(update={"embedding": [0.5] * 3})
    chunk = to_chunk(node)
    assert chunk.embed_text == node.get_content(MetadataMode.EMBED)
    assert "author" not in (chunk.embed_text or "author")
    assert chunk.text == node.text
    assert from_chunk(chunk).embedding is None
    assert to_chunk(TextNode(text="Bare.")).embed_text is None


def test_a_span_is_given_only_where_it_is_known_to_hold() -> None:
    node = kinds()[1]
    assert (to_chunk(node).start, to_chunk(node).end) == (None, None)
    chunk = to_chunk(node, GUIDE.text)
    assert (chunk.start, chunk.end) == (22, 38)
    check_same(node, from_chunk(chunk))
    assert to_chunk(node, f" {GUIDE.text}").start is None


def test_a_node_of_the_callers_class_comes_back_as_llama_indexs() -> None:
    class Rule(TextNode):
        number: int = 0

    rule = Rule.from_dict({"id_": "rule", "text": "Park here.", "metadata": {"n": 1}, "number": 3})
    back = from_chunk(to_chunk(rule))
    assert back == TextNode(id_="rule", text="Park here.", metadata={"n": 1})


def test_an_object_that_cannot_be_written_down_is_named() -> None:
    node = IndexNode(id_="tool", text="Search", index_id="tool", obj=object())
    with pytest.raises(InputError, match=r"object of an index node cannot be stored.*object_map"):
        to_chunk(node)


def test_metadata_that_were_changed_in_the_collection_are_those_of_the_node() -> None:
    with Retriever.create(None, "minilm") as retriever:
        retriever.add([to_chunk(GUIDE)])
        retriever.update_metadata(None, {"year": 2021, "new": True})
        (node,) = [from_hit(hit).node for hit in retriever.search("parking")]
    assert node.metadata == {**GUIDE.metadata, "year": 2021, "new": True}
    assert node.excluded_embed_metadata_keys == ["author"]


def test_what_others_wrote_is_a_text_node_of_its_document() -> None:
    chunk = Chunk("a#1", "a", "It is free.", "Parking\nIt is free.", 10, 21, {"heading": "Parking"}, extra={"other": 1})
    node = from_chunk(chunk)
    assert isinstance(node, TextNode)
    assert (node.node_id, node.ref_doc_id, node.text) == ("a#1", "a", "It is free.")
    assert (node.start_char_idx, node.end_char_idx, node.metadata) == (10, 21, {"heading": "Parking"})
    assert node.get_content(MetadataMode.EMBED) == "It is free."
    assert node.get_content(MetadataMode.LLM) == "heading: Parking\n\nIt is free."


@pytest.mark.parametrize("content", [PIXEL, "plans/car-park.png"], ids=["data", "path"])
def test_a_picture_that_others_wrote_is_an_image_node(content: bytes | str) -> None:
    node = from_chunk(Chunk("a", "a", "A car park", media=(Media(content, "image/png"),)))
    assert isinstance(node, ImageNode)
    assert (node.image, node.image_path) == ((PICTURE, None) if isinstance(content, bytes) else (None, content))
    assert node.image_mimetype == "image/png"


def test_what_is_known_of_a_hit_is_for_programs_and_the_nodes_own_value_stays() -> None:
    node = TextNode(id_="a", text="It is free.", metadata={"source": "the landlord"})
    hit = Hit(to_chunk(node), 4.0, 0.5, source="rules/parking.md", context="Around it.", fused=0.1)
    found = from_hit(hit)
    assert found.score == 0.5
    known = {"source": "the landlord", "late_rag_source": "rules/parking.md", "context": "Around it."}
    assert found.node.metadata == known
    for mode in MetadataMode:
        if mode != MetadataMode.ALL:
            assert found.get_content(mode) == node.get_content(mode)
    every = HitFields("sum", "near", "id", "document", None, None, "order")
    assert from_hit(hit, every).node.metadata == {
        "source": "the landlord",
        "sum": 4.0,
        "near": 0.5,
        "id": "a",
        "document": "a",
        "order": 0.1,
    }
    assert hit.chunk.metadata == {"source": "the landlord"}


def test_a_relation_tells_nothing_of_another_passage_that_the_node_does_not_say_itself() -> None:
    before, node = TextNode(id_="a", text="x", metadata={"seen": False, "year": 2020, "note": "zyzzyva"}), TextNode()
    node.metadata = {"year": 2020, "seen": True}
    node.relationships = {NodeRelationship.PREVIOUS: before.as_related_node_info(), NodeRelationship.SOURCE: RELATED}
    chunk = to_chunk(node)
    assert "zyzzyva" not in repr(chunk)
    back = from_chunk(chunk)
    assert back.prev_node is not None
    assert (back.prev_node.node_id, back.prev_node.hash, back.prev_node.metadata) == ("a", before.hash, {"year": 2020})
    assert back.source_node == RELATED
    assert from_chunk(replace(chunk, metadata={"seen": True})).prev_node.metadata == {}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "beside",
    [
        3,
        {"class_name": "Another"},
        {"class_name": "TextNode", "relationships": 3},
        {"class_name": "TextNode", "relationships": {"1": {"node_id": 5}}},
        {"class_name": "ImageNode", "media": ["image"]},
    ],
)
def test_what_stands_beside_a_chunk_of_somebody_elses_collection_ends_no_search(
    beside: object, caplog: pytest.LogCaptureFixture
) -> None:
    found = from_hit(Hit(Chunk("a", "d", "text", metadata={"k": 1}, extra={"llama_index": beside}), 1.0, 0.5))
    assert (type(found.node), found.node.text, found.node.ref_doc_id, found.score) == (TextNode, "text", "d", 0.5)
    assert found.node.metadata["k"] == 1
    assert "chunk 'a': llama_index in its extra is not as a node is stored" in caplog.text
