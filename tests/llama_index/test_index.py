"""The index, beside a VectorStoreIndex over LlamaIndex's own in-memory store on the same documents."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import Document, MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.llms import MockLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.retrievers import VectorIndexAutoRetriever, VectorIndexRetriever
from llama_index.core.schema import IndexNode, MetadataMode, TextNode, TransformComponent
from llama_index.core.vector_stores import MetadataFilter, MetadataFilters, VectorStoreInfo

from late_rag import Retriever
from late_rag.errors import (
    CollectionExistsError,
    CollectionNotFoundError,
    CollectionReadOnlyError,
    ConflictError,
    InputError,
    UnsupportedError,
)
from llama_index.indices.late_rag import LateInteractionIndex
from llama_index.vector_stores.late_rag import LateInteractionVectorStore, PlaceholderEmbedding
from tests.frameworks import HANDBOOK, done_here, watch_work
from tests.llama_index.pages import LONG, pages


def named(number: int, document: Any) -> str:
    return f"{document.node_id}/{number}"


def splitter() -> list[TransformComponent]:
    """Gives nodes the same ids each time."""
    return [SentenceSplitter(chunk_size=64, chunk_overlap=8, id_func=named)]


@pytest.fixture
def index() -> Iterator[LateInteractionIndex]:
    with LateInteractionIndex.from_documents(pages(), transformations=splitter()) as made:
        yield made


@pytest.fixture
def theirs() -> VectorStoreIndex:
    return VectorStoreIndex.from_documents(pages(), transformations=splitter(), embed_model=MockEmbedding(embed_dim=1))


def test_nodes_come_back_as_theirs_do(index: LateInteractionIndex, theirs: VectorStoreIndex) -> None:
    ours = {found.node.node_id: found.node for found in index.as_retriever(similarity_top_k=99).retrieve("rule")}
    expected = {found.node.node_id: found.node for found in theirs.as_retriever(similarity_top_k=99).retrieve("rule")}
    assert len(expected) > len(pages()) + 3
    assert ours == expected
    for identity, node in expected.items():
        assert ours[identity].hash == node.hash
        for mode in MetadataMode:
            assert ours[identity].get_content(mode) == node.get_content(mode)


def test_ref_doc_info_is_theirs(index: LateInteractionIndex, theirs: VectorStoreIndex) -> None:
    assert index.ref_doc_info == theirs.ref_doc_info
    assert list(index.ref_doc_info) == list(theirs.ref_doc_info)


def test_documents_are_stored_with_the_places_of_their_nodes(index: LateInteractionIndex) -> None:
    collection = index.as_retriever().collection
    (document,) = collection.get_documents(["rules"])
    assert (document.text, document.metadata) == (LONG, {"topic": "rules", "length": len(LONG)})
    chunks = collection.get(index.ref_doc_info["rules"].node_ids)
    assert [LONG[chunk.start : chunk.end] for chunk in chunks] == [chunk.text for chunk in chunks]
    assert len(chunks) > 3
    (found,) = index.as_retriever(similarity_top_k=1, expand="document").retrieve("paragraph 20")
    assert found.node.metadata["context"] == LONG


Step = Callable[[Any], Any]
STEPS: dict[str, Step] = {
    "delete a document": lambda index: index.delete_ref_doc("rules", delete_from_docstore=True),
    "delete a missing document": lambda index: index.delete_ref_doc("missing", delete_from_docstore=True),
    "delete a node": lambda index: index.delete_nodes(["rules/0"], delete_from_docstore=True),
    "delete all nodes of a document": lambda index: index.delete_nodes(["travel/0"], delete_from_docstore=True),
    "insert another": lambda index: index.insert(Document(id_="new", text="Something new.", metadata={"a": 1})),
    "insert a node of another": lambda index: index.insert_nodes([TextNode(id_="loose", text="A loose leaf.")]),
    "update": lambda index: index.update_ref_doc(pages(rules="There are no rules.")[-1]),
    "update a missing one": lambda index: index.update_ref_doc(Document(id_="new", text="Something new.")),
    "refresh": lambda index: index.refresh_ref_docs(pages(leave="There is more leave.", parking="There is less.")),
    "refresh unchanged": lambda index: index.refresh_ref_docs(pages()),
    "refresh the same twice": lambda index: index.refresh_ref_docs([*pages(leave="More leave.")[2:3]] * 2),
    "refresh metadata": lambda index: index.refresh_ref_docs([Document(id_="leave", text=HANDBOOK["leave"][1])]),
}


@pytest.mark.parametrize("name", STEPS)
def test_after_a_step_the_report_and_what_is_left_are_theirs(
    index: LateInteractionIndex, theirs: VectorStoreIndex, name: str
) -> None:
    step = STEPS[name]
    assert step(index) == step(theirs)
    assert index.ref_doc_info == theirs.ref_doc_info
    again = pages()
    assert index.refresh_ref_docs(again) == theirs.refresh_ref_docs(again)
    assert index.ref_doc_info == theirs.ref_doc_info
    assert everything(index) == everything(theirs)


def everything(index: Any) -> dict[str, str]:
    found = index.as_retriever(similarity_top_k=999).retrieve("rule")
    return {item.node.node_id: item.node.get_content(MetadataMode.ALL) for item in found}


def test_a_document_is_never_there_twice() -> None:
    with LateInteractionIndex.from_documents(pages()) as index:  # node ids by chance
        before = len(everything(index))
        index.insert(pages()[0])
        index.insert(pages()[0])
        index.insert_nodes([TextNode(id_="x", text="x")])
        index.insert_nodes([TextNode(id_="x", text="y")])
        assert len(everything(index)) == before + 1
        assert [len(info.node_ids) for identity, info in index.ref_doc_info.items() if identity == "travel"] == [1]


def test_a_node_put_in_again_keeps_its_place(index: LateInteractionIndex) -> None:
    ids = index.ref_doc_info["rules"].node_ids
    (node,) = [item.node for item in index.as_retriever(node_ids=ids[1:2]).retrieve("rule")]
    index.insert_nodes([node.model_copy(update={"metadata": {**node.metadata, "checked": True}})])
    assert index.ref_doc_info["rules"].node_ids == ids


async def test_pages_under_one_id_are_refused_and_lose_nothing(index: LateInteractionIndex) -> None:
    scan = [Document(id_="scan.pdf", text=f"Page {number}.") for number in range(5)]
    told = r"documents\[0\] and documents\[1\] have the same id, 'scan\.pdf', and different content; give each an id"
    before = everything(index)
    with pytest.raises(InputError, match=told):
        LateInteractionIndex.from_documents(scan)
    with pytest.raises(InputError, match=told):
        index.refresh_ref_docs(scan)
    with pytest.raises(InputError, match=told):
        await index.arefresh_ref_docs(scan)
    assert everything(index) == before


def test_nodes_of_two_documents_under_one_id_are_refused(tmp_path: Path) -> None:
    def by_text(_: int, document: Any) -> str:
        return str(hash(document.text))

    twins = [Document(id_=name, text="The same notice.") for name in ("hall", "stairs")]
    parser = SentenceSplitter(id_func=by_text)
    told = "the id of passages of two documents, 'hall' and 'stairs', and one of them would be lost"
    with pytest.raises(ConflictError, match=told):
        LateInteractionIndex.from_documents(twins, transformations=[parser])
    with pytest.raises(ConflictError, match=told):
        LateInteractionVectorStore(tmp_path / "store.rag").add(parser(twins))


def test_other_transformations_make_other_nodes_of_the_same_document(tmp_path: Path) -> None:
    location = tmp_path / "c.rag"
    LateInteractionIndex.from_documents(pages(), collection=location, transformations=splitter())
    whole = LateInteractionIndex(collection=location, transformations=[SentenceSplitter(chunk_size=4000)])
    whole.insert(pages()[-1])
    assert len(whole.ref_doc_info["rules"].node_ids) == 1


async def test_async_twins_do_the_same_in_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = LateInteractionIndex(collection=tmp_path / "c.rag", transformations=splitter())
    seen = watch_work(monkeypatch)
    assert await index.arefresh_ref_docs(pages()) == [True] * 9
    assert await index.arefresh_ref_docs(pages(leave="More leave.")) == [d.node_id == "leave" for d in pages()]
    await index.ainsert(Document(id_="new", text="Something new."))
    await index.ainsert_nodes([TextNode(id_="loose", text="A loose leaf.")])
    await index.aupdate_ref_doc(Document(id_="new", text="Something newer."))
    await index.adelete_ref_doc("rules")
    await index.adelete_nodes(["travel/0", "missing"])
    found = await index.as_retriever(similarity_top_k=1).aretrieve("something newer")
    assert {"encode_documents", "encode_queries", "add", "delete", "search", "get_documents"} <= seen.keys()
    assert done_here(seen) == []
    assert found[0].node.get_content() == "Something newer."
    assert set(everything(index)) == {f"{t}/0" for t in HANDBOOK if t != "travel"} | {"new/0", "loose"}


async def test_from_documents_adds_unless_it_is_to_overwrite(tmp_path: Path) -> None:
    location = str(tmp_path / "index.rag")
    first, second, third = ([Document(id_=name, text=text)] for name, (_, text) in list(HANDBOOK.items())[:3])
    names = [document.id_ for (document,) in (first, second, third)]
    LateInteractionIndex.from_documents(first, collection=location)
    index = LateInteractionIndex.from_documents(second, collection=location)
    assert list(index.ref_doc_info) == names[:2]
    LateInteractionIndex.from_documents(third, collection=location, overwrite=True)
    assert list(index.ref_doc_info) == names[2:]
    again = await LateInteractionIndex.afrom_documents(first, collection=location, overwrite=True)
    assert list(index.ref_doc_info) == names[:1]
    assert [found.node.ref_doc_id for found in again.as_retriever().retrieve("travel")] == names[:1]
    LateInteractionIndex.from_documents([], collection=location, overwrite=True)
    assert index.ref_doc_info == {}


def test_what_cannot_be_put_in_overwrites_nothing(tmp_path: Path) -> None:
    location = str(tmp_path / "index.rag")
    index = LateInteractionIndex.from_documents(pages()[:1], collection=location)
    kept = index.ref_doc_info

    def overwrite(documents: list[Document], **options: Any) -> None:
        LateInteractionIndex.from_documents(documents, collection=location, overwrite=True, **options)

    twins = [Document(id_="a", text="one"), Document(id_="b", text="two")]
    same = [SentenceSplitter(id_func=lambda number, _: f"node-{number}")]
    with pytest.raises(ConflictError, match="'node-0' is the id of passages of two documents, 'a' and 'b'"):
        overwrite(twins, transformations=same)
    with pytest.raises(InputError, match="have the same id, 'a', and different content"):
        overwrite([twins[0], Document(id_="a", text="two")])
    with pytest.raises(InputError, match="overwrite=True empties the collection first: put nodes in afterwards"):
        overwrite(twins, nodes=[TextNode(text="a node")])
    with pytest.raises(CollectionReadOnlyError, match="give mode='write'"):
        overwrite(twins, mode="read")
    assert index.ref_doc_info == kept


def test_persisted_and_loaded_it_is_the_same(index: LateInteractionIndex, tmp_path: Path) -> None:
    location = tmp_path / "kept.rag"
    index.persist(location)
    loaded = LateInteractionIndex.load(location, transformations=splitter())
    assert loaded.ref_doc_info == index.ref_doc_info
    assert everything(loaded) == everything(index)
    assert loaded.refresh_ref_docs(pages(leave="More leave.")) == [d.node_id == "leave" for d in pages()]
    assert len(everything(loaded)) == len(everything(index))
    with pytest.raises(CollectionExistsError, match=r"at .*kept\.rag already.*from_documents\(.*overwrite=True\)"):
        index.persist(location)
    with pytest.raises(CollectionNotFoundError, match="missing"):
        LateInteractionIndex.load(tmp_path / "missing")


def test_another_process_sees_the_same_hashes(tmp_path: Path) -> None:
    location = tmp_path / "c.rag"
    LateInteractionIndex.from_documents(pages(), collection=location)
    program = (
        "import json, sys\n"
        "from llama_index.core import Document\n"
        "from llama_index.indices.late_rag import LateInteractionIndex\n"
        "documents = [Document.from_json(line) for line in json.load(sys.stdin)]\n"
        f"print(json.dumps(LateInteractionIndex.load({str(location)!r}).refresh_ref_docs(documents)))\n"
    )
    given = json.dumps([page.to_json() for page in pages(leave="More leave.")])
    done = subprocess.run([sys.executable, "-c", program], input=given, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [page.node_id == "leave" for page in pages()]
    assert LateInteractionIndex.load(location).refresh_ref_docs(pages(leave="More leave.")) == [False] * 9


def test_documents_that_no_llama_index_wrote_are_replaced(tmp_path: Path) -> None:
    from late_rag import Document as CoreDocument

    location = tmp_path / "c.rag"
    with Retriever.open(location, create=True) as retriever:
        retriever.add([CoreDocument("travel", HANDBOOK["travel"][1]), CoreDocument("other", "Another one.")])
    index = LateInteractionIndex.load(location, transformations=splitter())
    assert set(index.ref_doc_info) == {"travel", "other"}
    assert index.refresh_ref_docs(pages()[:1]) == [True]
    assert index.ref_doc_info["travel"].node_ids == ["travel/0"]
    assert index.refresh_ref_docs(pages()[:1]) == [False]


def test_what_is_given_stays_as_it_is(index: LateInteractionIndex) -> None:
    document, node = pages()[0], TextNode(id_="n", text="a node")
    linked = IndexNode(id_="i", text="linked", index_id="linked", obj=MockLLM())
    before = [document.model_copy(deep=True), node.model_copy(deep=True)]
    index.insert(document)
    index.insert_nodes([node, linked])
    assert [document, node] == before
    assert isinstance(linked.obj, MockLLM)


def test_objects_are_followed_in_this_process(index: LateInteractionIndex) -> None:
    inner = LateInteractionIndex([TextNode(id_="deep", text="Deep inside of it.")]).as_retriever()
    linked = IndexNode(id_="i", text="All about submarines", index_id="submarines", obj=inner)
    index.insert_nodes([linked])
    assert index.as_retriever(similarity_top_k=1).retrieve("submarines")[0].node.node_id == "deep"
    given = LateInteractionIndex(objects=[linked])
    assert given.as_retriever(similarity_top_k=1).retrieve("submarines")[0].node.node_id == "deep"
    assert linked.obj is inner


async def test_engines(index: LateInteractionIndex) -> None:
    engine = index.as_query_engine(
        llm=MockLLM(), similarity_top_k=1, filters='topic == "leave"', response_mode="compact"
    )
    answer = engine.query("How many days?")
    assert HANDBOOK["leave"][1] in str(answer)
    assert [found.node.node_id for found in answer.source_nodes] == ["leave/0"]
    assert [found.node.node_id for found in (await engine.aquery("How many days?")).source_nodes] == ["leave/0"]
    memory = ChatMemoryBuffer.from_defaults(llm=MockLLM())
    chat = index.as_chat_engine("context", llm=MockLLM(), similarity_top_k=1, system_prompt="Be brief.", memory=memory)
    assert HANDBOOK["leave"][1] in str(chat.chat("How many days of paid leave has an employee?"))


def test_a_misspelt_restriction_is_an_error(index: LateInteractionIndex) -> None:
    for make in (index.as_retriever, lambda **options: index.as_query_engine(MockLLM(), **options)):
        with pytest.raises(TypeError, match=r"LateInteractionRetriever has no argument 'filter'; use filters"):
            make(filter='topic == "leave"')


def test_a_passage_is_not_torn_out_of_its_document(index: LateInteractionIndex) -> None:
    before = everything(index)
    with pytest.raises(ConflictError, match="'travel/0' is a passage of the document 'travel'"):
        index.insert_nodes([TextNode(id_="travel/0", text="mine")])
    assert everything(index) == before


def test_bad_input_loses_nothing(index: LateInteractionIndex) -> None:
    before = everything(index)
    with pytest.raises(InputError, match="a set"):
        index.update_ref_doc(Document(id_="travel", text="other", metadata={"a": {1}}))
    assert everything(index) == before


def test_as_a_vector_store_it_has_the_same_nodes(index: LateInteractionIndex) -> None:
    wrapped = VectorStoreIndex.from_vector_store(index.vector_store, embed_model=PlaceholderEmbedding())
    filters = MetadataFilters(filters=[MetadataFilter(key="topic", value="leave")])
    (found,) = wrapped.as_retriever(filters=filters).retrieve("paid leave")
    assert found.node.ref_doc_id == "leave"


def test_its_vector_store_has_the_same_collection_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    index = LateInteractionIndex.from_documents(pages(), collection="c.rag")
    monkeypatch.chdir(tmp_path / "other")
    wrapped = VectorStoreIndex.from_vector_store(index.vector_store, embed_model=PlaceholderEmbedding())
    assert wrapped.as_retriever(similarity_top_k=1).retrieve("paid leave")[0].node.ref_doc_id == "leave"


async def test_retrievers_of_a_vector_store_index_say_what_they_need(index: LateInteractionIndex) -> None:
    needed = r"VectorStoreIndex\.from_vector_store\(index\.vector_store, embed_model=PlaceholderEmbedding\(\)\)"
    with pytest.raises(UnsupportedError, match=needed):
        VectorIndexRetriever(index)  # type: ignore[arg-type]
    info = VectorStoreInfo(content_info="a handbook", metadata_info=[])
    retriever = VectorIndexAutoRetriever(index, info, llm=MockLLM())  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match=needed):
        retriever.retrieve("travel")
    with pytest.raises(UnsupportedError, match=needed):
        await retriever.aretrieve("travel")


def test_tuples_become_lists(index: LateInteractionIndex) -> None:
    metadata = {"box": (1, [2, (3,)])}
    index.insert(Document(id_="scan", text="A scan of the plan.", metadata=metadata))
    (found,) = index.as_retriever(doc_ids=["scan"]).retrieve("plan")
    assert found.node.metadata == {"box": [1, [2, [3]]]}
    assert metadata == {"box": (1, [2, (3,)])}


def test_an_unknown_argument_names_the_class() -> None:
    with pytest.raises(TypeError, match="LateInteractionIndex has no argument 'location'; use collection"):
        LateInteractionIndex.from_documents([], location="x.rag")


def test_there_is_no_other_store(index: LateInteractionIndex, tmp_path: Path) -> None:
    reaches: list[Callable[[], Any]] = [
        lambda: index.storage_context.persist(str(tmp_path)),
        lambda: index.set_index_id("mine"),
    ]
    for reach in reaches:
        with pytest.raises(UnsupportedError, match=r"persist\(folder\).*load_index_from_storage cannot"):
            reach()
    with pytest.raises(TypeError, match="storage_context"):
        LateInteractionIndex.from_documents(pages(), storage_context=StorageContext.from_defaults())
