"""What a first user got wrong, and what came of it: clear errors, nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import Document, IndexNode, NodeRelationship, NodeWithScore, TextNode
from llama_index.core.vector_stores.types import VectorStoreQuery

from late_rag import Retriever
from late_rag.errors import InputError, LateRAGError
from late_rag.types import Progress
from llama_index.indices.late_rag import LateInteractionIndex
from llama_index.node_parser.late_rag import LateInteractionNodeParser
from llama_index.postprocessor.late_rag import LateInteractionRerank
from llama_index.readers.late_rag import LateInteractionReader
from llama_index.retrievers.late_rag import LateInteractionRetriever, late_interaction_tool
from llama_index.vector_stores.late_rag import LateInteractionVectorStore, PlaceholderEmbedding

NODES = [TextNode(id_=name, text=f"Passage {name}.") for name in "abc"]


@pytest.fixture
def index() -> LateInteractionIndex:
    return LateInteractionIndex(NODES)


def ids(index: LateInteractionIndex) -> set[str]:
    return {item.node_id for item in index.as_retriever(similarity_top_k=1000).retrieve("passage")}


@pytest.mark.parametrize("wrong", ["ab", None])
def test_ids_that_are_no_list_remove_nothing(index: LateInteractionIndex, wrong: Any) -> None:
    with pytest.raises(InputError):
        index.delete_nodes(wrong)
    assert ids(index) == {"a", "b", "c"}


async def test_one_node_that_cannot_be_stored_stops_them_all(index: LateInteractionIndex, tmp_path: Path) -> None:
    bad = TextNode(id_="bad", text="x", metadata={"file": Path("x")})
    many = [*(TextNode(id_=f"n{number}", text=f"Passage {number}.") for number in range(299)), bad]
    store = LateInteractionVectorStore(tmp_path / "s.rag")
    with pytest.raises(InputError, match=r"nodes\[299\] \(id 'bad'\): file: .*pass its text"):
        store.add(many)
    with pytest.raises(InputError, match=r"nodes\[299\] \(id 'bad'\): file: "):
        await store.async_add(many)
    with pytest.raises(InputError, match=r"nodes\[299\] \(id 'bad'\): file: "):
        LateInteractionRetriever.from_nodes(many, tmp_path / "r.rag")
    with pytest.raises(InputError, match=r"nodes\[299\] \(id 'bad'\): file: "):
        index.insert_nodes(many)
    assert list(tmp_path.iterdir()) == []  # not even a collection is made
    assert ids(index) == {"a", "b", "c"}
    documents = [Document(id_="invoice-17", text="x", metadata={"when": Path("x")})]
    with pytest.raises(InputError, match=r"documents\[0\] \(id 'invoice-17'\): when: "):
        index.refresh_ref_docs(documents)


def test_errors_name_the_place_document_and_file_of_a_node(index: LateInteractionIndex) -> None:
    whole = Document(id_="report", text="x", metadata={"file_path": "/in/report.md"})
    bad = TextNode(id_="5f83", text="x", metadata={**whole.metadata, "size": {1}})
    bad.relationships[NodeRelationship.SOURCE] = whole.as_related_node_info()
    with pytest.raises(InputError, match=r"^nodes\[3\] \(id '5f83', document 'report', file '/in/report.md'\): size: "):
        index.insert_nodes([*NODES, bad])
    broken = Document(id_="b", text="a\ud800", metadata={"file_name": "b.txt"})
    named = r"^documents\[1\] \(id 'b', file 'b.txt'\) has a lone surrogate"
    with pytest.raises(InputError, match=named):
        LateInteractionIndex.from_documents([whole, broken])
    with pytest.raises(InputError, match=r"^documents\[1\] \(id 'b', file 'b.txt'\): a text that cannot be tokenized"):
        LateInteractionNodeParser()([whole, broken])
    with pytest.raises(InputError, match=r"^nodes\[1\] \(id 'b', file 'b.txt'\) has a lone surrogate"):
        LateInteractionRerank().postprocess_nodes(
            [NodeWithScore(node=NODES[0]), NodeWithScore(node=broken)], query_str="passage"
        )
    held = IndexNode(id_="i", index_id="i", text="x", obj=object())
    with pytest.raises(InputError, match=r"^nodes\[1\] \(id 'i'\): the object of an index node cannot be stored"):
        LateInteractionVectorStore().add([NODES[0], held])


def test_two_nodes_with_one_id_are_refused_where_one_would_be_lost(index: LateInteractionIndex) -> None:
    twice = [TextNode(id_="d", text="One passage."), NODES[0], TextNode(id_="d", text="Another passage.")]
    refused = pytest.raises(
        InputError, match=r"^nodes\[0\] \(id 'd'\) and nodes\[2\] \(id 'd'\) have the same id and diff"
    )
    with refused:
        index.insert_nodes(twice)
    with refused:
        LateInteractionVectorStore().add(twice)
    with refused:
        LateInteractionRetriever.from_nodes(twice)
    assert ids(index) == {"a", "b", "c"}
    hashed = {"id_func": lambda _, __: "one id", "chunk_size": 8, "chunk_overlap": 0}
    index._transformations = [SentenceSplitter(**hashed)]
    with pytest.raises(InputError, match="have the same id and different content"):
        index.insert(Document(text="One passage of four words. Another passage of five words here."))


def test_two_equal_nodes_with_one_id_are_one() -> None:
    twice = [TextNode(id_="d", text="One passage.", metadata={"score": math.nan}) for _ in range(2)]
    twice[1].relationships[NodeRelationship.PREVIOUS] = twice[0].as_related_node_info()
    twice[1].start_char_idx = 12
    store = LateInteractionVectorStore()
    assert store.add(twice) == ["d", "d"]
    assert [node.node_id for node in store.get_nodes()] == ["d"]


def test_a_document_without_an_id_is_refused_before_anything_is_written(index: LateInteractionIndex) -> None:
    with pytest.raises(InputError, match=r"documents\[1\] needs an id"):
        index.refresh_ref_docs([Document(id_="y", text="y"), Document(id_="", text="x")])
    assert ids(index) == {"a", "b", "c"}


def test_a_store_refuses_the_arguments_of_other_stores() -> None:
    for name in ("uri", "persist_dir", "collection_name"):
        with pytest.raises(InputError, match=f"LateInteractionVectorStore has no argument '{name}'; use collection"):
            LateInteractionVectorStore(**{name: "mine.rag"})
    with pytest.raises(TypeError, match="has no argument 'wrong'; it has collection, model"):
        LateInteractionVectorStore(wrong=1)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda: LateInteractionRetriever("x.rag", k=3),
            "Retriever has no argument 'k'; use similarity_top_k",
        ),
        (lambda: LateInteractionRetriever("x.rag", similarity_top_k=0), "^similarity_top_k must be a whole number"),
        (lambda: LateInteractionRetriever("x.rag", fields="score"), r"fields takes HitFields\(…\), not 'score'"),
        (lambda: LateInteractionRetriever("x.rag", model=3), "model is the name of a model or its folder, not 3"),
        (lambda: LateInteractionRetriever("x.rag", trust_model="no"), "trust_model is 'no'"),
        (
            lambda: LateInteractionRetriever("x.rag", objects=[3]),
            r"list of index nodes; objects\[0\] is 3",
        ),
        (lambda: LateInteractionRetriever("x.rag", object_map=3), "object_map takes a dict"),
        (lambda: LateInteractionIndex(nodes=3), "nodes takes a list of LlamaIndex nodes, not 3"),
        (lambda: LateInteractionIndex(objects=3), "objects takes a list of index nodes, not 3"),
        (lambda: LateInteractionIndex(transformations=["x"]), r"transformations\[0\] is 'x'"),
        (lambda: LateInteractionIndex(model=" "), "model is the name of a model"),
        (lambda: LateInteractionIndex(embed_model=None), "no argument 'embed_model'; .*model= chooses one"),
        (lambda: LateInteractionIndex.load(None), "collection is a location or an open collection, not None"),
        (lambda: LateInteractionIndex().as_retriever(top_k=3), "has no argument 'top_k'; use similarity_top_k"),
        (
            lambda: LateInteractionIndex().as_retriever(collection="x"),
            "as_retriever searches the index's own",
        ),
        (lambda: LateInteractionRerank(top_k=3), "LateInteractionRerank has no argument 'top_k'; use top_n"),
        (
            lambda: LateInteractionNodeParser(chunk_size=3),
            "NodeParser has no argument 'chunk_size'; use max_tokens",
        ),
        (lambda: LateInteractionNodeParser(kind="x"), "unknown chunker 'x'; there are: auto"),
        (
            lambda: LateInteractionReader(input_dir="x"),
            "Reader has no argument 'input_dir'; give load_data",
        ),
        (lambda: LateInteractionReader(include=("x",)), "include takes a list of 'comments'"),
        (
            lambda: PlaceholderEmbedding(model="x"),
            "PlaceholderEmbedding has no argument 'model'; the collection",
        ),
    ],
)
def test_what_can_be_checked_is_checked_when_a_component_is_made(make: Callable[[], object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ({"most": 0}, "most must be a whole number"),
        ({"filter_fields": ["year"]}, "filter_fields takes a dict"),
        ({"node_postprocessors": LateInteractionRerank()}, "node_postprocessors takes a list of postprocessors"),
        ({"separator": None}, "separator must be a str"),
        ({"name": 3}, "name must be a str"),
    ],
)
def test_a_tool_checks_its_arguments_when_it_is_made(
    index: LateInteractionIndex, argument: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        late_interaction_tool(index.as_retriever(), **{"name": "n", "description": "d", **argument})


def test_errors_name_the_argument_as_it_is_called(index: LateInteractionIndex) -> None:
    store = index.vector_store
    for refused in (
        lambda: store.get_nodes("a"),
        lambda: store.delete_nodes("a"),
        lambda: index.delete_nodes("a"),
        lambda: store.query(VectorStoreQuery(query_str="x", node_ids="a")),
    ):
        with pytest.raises(InputError, match=r"^node_ids takes a list of ids, not 'a'"):
            refused()
    for delete in (index.delete_ref_doc, store.delete):
        with pytest.raises(InputError, match=r"^ref_doc_id must be a str, not list: \['a'\]"):
            delete(["a"])  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^query is '': there is nothing to search for"):
        index.as_retriever().retrieve("")
    with pytest.raises(InputError, match="query has no argument 'filter'; give the query its"):
        store.query(VectorStoreQuery(query_str="x"), filter="year > 1")
    assert ids(index) == {"a", "b", "c"}


async def test_what_is_shown_of_components(tmp_path: Path) -> None:
    place = str(tmp_path / "s.rag")
    store = LateInteractionVectorStore(place)
    index = LateInteractionIndex(NODES, collection=place)
    assert str(store) == repr(store) == f"LateInteractionVectorStore({place!r})"
    assert repr(index) == f"LateInteractionIndex({place!r})"
    assert repr(LateInteractionIndex()) == "LateInteractionIndex(temporary)"
    assert repr(index.as_retriever(threshold=0.5)) == (
        f"LateInteractionRetriever({place!r}, similarity_top_k=2, threshold=0.5)"
    )
    assert repr(LateInteractionRerank()) == "LateInteractionRerank(top_n=3)"
    secret = LateInteractionRerank(collection="postgres://me:secret@host/db")
    assert str(secret) == repr(secret) == "LateInteractionRerank('postgres://host/db', top_n=3)"
    assert store.count() == index.count() == await store.acount() == await index.acount() == 3
    assert store.count('$id == "a"') == index.count('$id == "a"') == 1


async def test_how_far_a_long_write_is(index: LateInteractionIndex, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[Progress] = []
    store = LateInteractionVectorStore()
    store.add(NODES, progress=seen.append)
    assert (seen[-1].done, seen[-1].total) == (3, 3)
    seen.clear()
    await store.async_add([TextNode(text="Another.")], progress=seen.append)
    assert seen[-1].done == 1
    LateInteractionIndex(NODES)
    assert "Encoding nodes" not in capsys.readouterr().err
    LateInteractionIndex(NODES, show_progress=True)
    assert "Encoding nodes: 100%" in capsys.readouterr().err


def test_a_retriever_of_the_core_stands_for_its_collection(tmp_path: Path) -> None:
    with Retriever.create(tmp_path / "s.rag", "minilm") as core:
        store = LateInteractionVectorStore(core)  # type: ignore[arg-type]
        store.add(NODES)
        copy = pickle.loads(pickle.dumps(store))
        assert copy.count() == LateInteractionIndex(collection=core).count() == 3  # type: ignore[arg-type]


async def test_a_cancelled_insert_stops(index: LateInteractionIndex) -> None:
    nodes = [TextNode(text=f"Passage {number}. " * 40) for number in range(600)]
    task = asyncio.create_task(index.ainsert_nodes(nodes))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await index.ainsert_nodes([TextNode(id_="d", text="Passage d.")])
    assert {"a", "b", "c", "d"} <= ids(index)
    assert len(ids(index)) < 400


WRONG = {
    r"nodes is 'notes.rag'; the location of a collection goes into collection=": lambda _: LateInteractionIndex(
        "notes.rag"
    ),
    r"nodes takes a list of LlamaIndex nodes, not TextNode\(": lambda index: index.insert_nodes(TextNode(text="x")),
    r"nodes takes a list of LlamaIndex nodes; nodes\[0\] is 'x'": lambda index: index.insert_nodes(["x"]),
    r"documents takes a list of LlamaIndex documents; documents\[0\] is 'text'": lambda index: index.insert("text"),
    r"documents\[0\] is 'text'": lambda _: LateInteractionIndex.from_documents(["text"]),
    r"documents takes a list": lambda index: index.refresh_ref_docs(Document(text="x")),
    r"not TextNode": lambda _: LateInteractionVectorStore().add(TextNode(text="x")),
    r"nodes takes a list of LlamaIndex nodes, not None": lambda _: LateInteractionVectorStore().add(None),
    r"query takes a VectorStoreQuery, not 'printer'": lambda _: LateInteractionVectorStore().query("printer"),
    r"such as index.as_retriever\(\)": lambda index: late_interaction_tool(index, name="x", description="y"),
    r"paths .*None": lambda _: LateInteractionReader().load_data(None),
    r"node_ids takes a list of ids, not 'abc'": lambda _: LateInteractionRetriever("c.rag", node_ids="abc"),
    r"doc_ids takes a list of ids; doc_ids\[0\] is 1": lambda _: LateInteractionRetriever("c.rag", doc_ids=[1]),
    r"between 0 and 1, not 70": lambda _: LateInteractionRetriever("c.rag", threshold=70),
    r"collection is a location": lambda _: LateInteractionRetriever(" "),
}


@pytest.mark.parametrize("told", WRONG)
def test_the_likeliest_mistakes_are_named(index: LateInteractionIndex, told: str) -> None:
    with pytest.raises(LateRAGError, match=told):
        WRONG[told](index)


def test_rerankers_refuse_a_threshold_that_nothing_reaches() -> None:
    with pytest.raises(ValueError, match="between 0 and 1, not 5"):
        LateInteractionRerank(threshold=5)


@pytest.mark.parametrize(("said", "meant"), [("2", 2), (2.0, 2), (None, 3), (1, 1)])
async def test_a_tool_takes_what_a_model_says(index: LateInteractionIndex, said: Any, meant: int) -> None:
    tool = late_interaction_tool(index.as_retriever(similarity_top_k=3), name="x", description="y")
    assert len(tool(query="passage", top_k=said).raw_output) == meant
    assert len((await tool.acall(query="passage", top_k=said)).raw_output) == meant


def test_a_query_of_the_wrong_kind_is_told_apart() -> None:
    store = LateInteractionVectorStore()
    store.add(NODES)
    assert store.query(VectorStoreQuery(query_str="passage a", similarity_top_k=1)).ids == ["a"]


async def test_what_is_read_once_is_not_lost(index: LateInteractionIndex) -> None:
    documents = [Document(id_=name, text=f"Document {name}.") for name in "xyz"]
    made = LateInteractionIndex.from_documents(document for document in documents)  # type: ignore[arg-type]
    assert set(made.ref_doc_info) == {"x", "y", "z"}
    assert made.refresh_ref_docs(document for document in documents) == [False] * 3  # type: ignore[arg-type]
    assert await LateInteractionIndex().arefresh_ref_docs(iter(documents)) == [True] * 3  # type: ignore[arg-type]
    found = index.as_retriever(similarity_top_k=3).retrieve("passage")
    assert len(LateInteractionRerank().postprocess_nodes(iter(found), query_str="passage")) == 3  # type: ignore[arg-type]


async def test_an_index_is_made_beside_the_loop() -> None:
    index = await LateInteractionIndex.afrom_documents([Document(id_="x", text="Document x.")])
    assert await index.aref_doc_info() == index.ref_doc_info
    assert set(index.ref_doc_info) == {"x"}
