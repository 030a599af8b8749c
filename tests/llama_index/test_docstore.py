"""The collection of an index as a docstore that only reads, and what of LlamaIndex's own looks nodes up there."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import StorageContext
from llama_index.core.node_parser import HierarchicalNodeParser, SentenceSplitter, get_leaf_nodes
from llama_index.core.postprocessor import PrevNextNodePostprocessor
from llama_index.core.retrievers import AutoMergingRetriever
from llama_index.core.schema import Document, TextNode

from late_rag import Retriever
from late_rag.errors import InputError, UnsupportedError
from llama_index.indices.late_rag import LateInteractionIndex

TEXT = " ".join(f"Sentence number {number} is about topic {number}." for number in range(12))
RULES = Document(id_="rules", text=TEXT, metadata={"year": 2020})


@pytest.fixture
def index() -> LateInteractionIndex:
    splitter = SentenceSplitter(chunk_size=60, chunk_overlap=0)
    return LateInteractionIndex.from_documents([RULES], transformations=[splitter])


def test_nodes_before_and_after_are_looked_up(index: LateInteractionIndex) -> None:
    order = list(index.docstore.docs)
    (middle,) = index.as_retriever(similarity_top_k=1, node_ids=order[1:2]).retrieve("topic")
    beside = PrevNextNodePostprocessor(docstore=index.docstore, num_nodes=1, mode="both").postprocess_nodes([middle])
    assert [item.node_id for item in beside] == order[:3]


def test_parents_take_the_place_of_their_nodes() -> None:
    parser = HierarchicalNodeParser.from_defaults(chunk_sizes=[400, 60])
    nodes = parser.get_nodes_from_documents([RULES])
    index, leaves = LateInteractionIndex(nodes), [node.node_id for node in get_leaf_nodes(nodes)]
    found = index.as_retriever(similarity_top_k=10, node_ids=leaves)
    merging = AutoMergingRetriever(found, StorageContext.from_defaults(docstore=index.docstore))
    (parent,) = merging.retrieve("topic")
    assert parent.text == TEXT


async def test_it_tells_what_is_there(index: LateInteractionIndex) -> None:
    store = index.docstore
    first, *_ = store.docs.values()
    assert store.get_node(first.node_id) == store.get_document(first.node_id) == first
    assert store.get_document("rules") == RULES
    assert await store.aget_document("rules") == RULES
    assert store.document_exists("rules")
    assert await store.adocument_exists(first.node_id)
    assert not store.document_exists("other")
    assert store.get_nodes(["rules", "other", first.node_id], raise_error=False) == [RULES, first]
    assert await store.aget_nodes([first.node_id]) == [first]
    assert store.get_document_hash("rules") == await store.aget_document_hash("rules") == RULES.hash
    assert store.get_document_hash("other") is None
    assert store.get_all_document_hashes() == await store.aget_all_document_hashes() == {RULES.hash: "rules"}
    assert store.get_all_ref_doc_info() == await store.aget_all_ref_doc_info() == index.ref_doc_info
    assert store.get_ref_doc_info("rules") == await store.aget_ref_doc_info("rules") == index.ref_doc_info["rules"]
    assert store.get_ref_doc_info("other") is None
    for read in (store.get_document, store.get_node):
        with pytest.raises(InputError, match="there is no node or document 'other' in"):
            read("other")


def test_it_sees_what_the_collection_has_now(index: LateInteractionIndex) -> None:
    store = index.docstore
    index.insert_nodes([TextNode(id_="new", text="One more.")])
    assert store.get_document("new").get_content() == "One more."  # type: ignore[union-attr]
    index.delete_nodes(["new"])
    assert store.get_document("new", raise_error=False) is None


def test_passages_of_files_are_nodes_too(tmp_path: Path) -> None:
    (tmp_path / "leave.md").write_text("# Leave\n\nThirty days.")
    with Retriever.open(tmp_path / "files.rag", create=True) as core:
        core.sync(tmp_path / "leave.md")
    store = LateInteractionIndex.load(tmp_path / "files.rag").docstore
    ((identity, node),) = store.docs.items()
    assert store.get_document(identity) == node
    whole = store.get_document(node.ref_doc_id)  # type: ignore[arg-type]
    assert whole is not None
    assert whole.get_content() == "# Leave\n\nThirty days."
    again = pickle.loads(pickle.dumps(store))
    assert list(again.docs) == [identity]


async def test_it_refuses_to_write(index: LateInteractionIndex, tmp_path: Path) -> None:
    store: Any = index.docstore
    before = store.docs
    refused = pytest.raises(UnsupportedError, match="only reads its collection: insert, insert_nodes")
    for call in (
        lambda: store.add_documents([RULES]),
        lambda: store.delete_document("rules"),
        lambda: store.delete_ref_doc("rules"),
        lambda: store.set_document_hash("rules", "x"),
        lambda: store.set_document_hashes({}),
        lambda: StorageContext.from_defaults(docstore=store).persist(tmp_path),
    ):
        with refused:
            call()
    for name in ("async_add_documents", "adelete_document", "adelete_ref_doc", "aset_document_hash"):
        with refused:
            await getattr(store, name)("rules")
    with refused:
        await store.aset_document_hashes({})
    assert store.docs == before
