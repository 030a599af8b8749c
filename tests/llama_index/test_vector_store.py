"""What the vector store gives and takes, beside LlamaIndex's own in-memory store."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from llama_index.core.schema import BaseNode, NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.simple import SimpleVectorStore
from llama_index.core.vector_stores.types import (
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

from late_rag import Retriever
from late_rag.collections import open_collection
from late_rag.errors import (
    CollectionError,
    CollectionNotFoundError,
    CollectionReadOnlyError,
    ConflictError,
    FilterError,
    InputError,
    UnsupportedError,
)
from llama_index.vector_stores.late_rag import HitFields, LateInteractionVectorStore

TEXTS = {
    "a": "The cat sleeps on the warm windowsill.",
    "b": "A cat naps at the sunny window.",
    "c": "Quarterly revenue rose by nine percent.",
    "d": "The rocket reached orbit after eight minutes.",
}
YEARS = {"a": 2018, "b": 2019, "c": 2020, "d": 2021}
RECENT = MetadataFilters(filters=[MetadataFilter(key="year", value=2020, operator=FilterOperator.GTE)])
NEITHER = MetadataFilters(filters=[])


def passage(identity: str) -> TextNode:
    """A node of one of two documents, the cats and the rest."""
    source = RelatedNodeInfo(node_id="cats" if identity in "ab" else "rest")
    return TextNode(
        id_=identity,
        text=TEXTS[identity],
        metadata={"year": YEARS[identity]},
        excluded_embed_metadata_keys=["year"],
        relationships={NodeRelationship.SOURCE: source},
        embedding=[1.0],
    )


@pytest.fixture
def store() -> Iterator[LateInteractionVectorStore]:
    with LateInteractionVectorStore() as made:
        assert made.add([passage(identity) for identity in TEXTS]) == ["a", "b", "c", "d"]
        yield made


@pytest.fixture
def theirs() -> SimpleVectorStore:
    made = SimpleVectorStore()
    made.add([passage(identity) for identity in TEXTS])
    return made


def asked(text: str | None = "a sleeping cat", top_k: int = 4, **options: object) -> VectorStoreQuery:
    return VectorStoreQuery(query_str=text, similarity_top_k=top_k, **options)  # type: ignore[arg-type]


def left(store: LateInteractionVectorStore) -> list[str]:
    return [node.node_id for node in store.get_nodes()]


async def test_nodes_come_back_as_they_were_with_the_cores_similarity(tmp_path: Path) -> None:
    store = LateInteractionVectorStore(tmp_path / "c.rag")
    await store.async_add([passage(identity) for identity in TEXTS])
    with Retriever.open(tmp_path / "c.rag", mode="read") as retriever:
        hits = retriever.search("a sleeping cat", 3)
    found = store.query(asked(top_k=3))
    assert found == await store.aquery(asked(top_k=3))
    assert found.ids == [hit.chunk.id for hit in hits] == ["b", "a", found.ids[2]]
    assert found.similarities == [hit.similarity for hit in hits]
    assert found.nodes is not None
    as_added = [passage(identity) for identity in found.ids]
    assert list(found.nodes) == [node.model_copy(update={"embedding": None}) for node in as_added]


def test_adding_again_replaces(store: LateInteractionVectorStore) -> None:
    again = passage("a")
    again.set_content("Penguins live in the south.")
    before = again.model_copy(deep=True)
    assert store.add([again, again]) == ["a", "a"]
    assert again == before
    assert len(left(store)) == 4
    assert store.query(asked("penguins", 1)).ids == ["a"]
    assert store.add([]) == []


async def test_modes(store: LateInteractionVectorStore) -> None:
    full = await store.aquery(asked("nine percent", 2, mode=VectorStoreQueryMode.TEXT_SEARCH))
    assert full.ids == ["c"]
    assert full == store.query(asked("nine percent", 9, mode=VectorStoreQueryMode.SPARSE, sparse_top_k=2))
    hybrid = store.query(asked("nine percent", 1, mode=VectorStoreQueryMode.HYBRID, hybrid_top_k=2))
    assert hybrid.ids is not None
    assert hybrid.ids[0] == "c"
    assert len(hybrid.ids) == 2
    even = store.query(asked(top_k=2, mode=VectorStoreQueryMode.MMR, mmr_threshold=0.0))
    assert even == store.query(asked(top_k=2, mode=VectorStoreQueryMode.MMR), mmr_threshold=0.0)
    assert even.ids is not None
    assert even.ids[0] == "b"
    assert even.ids[1] in ("c", "d")
    alone = store.query(asked(mode=VectorStoreQueryMode.MMR, mmr_threshold=1.0))
    assert alone == store.query(asked(mode="default"))


@pytest.mark.parametrize("mode", ["svm", "linear_regression", "logistic_regression", "semantic_hybrid"])
def test_other_modes_are_errors(store: LateInteractionVectorStore, mode: str) -> None:
    with pytest.raises(UnsupportedError, match=f"'{mode}'.*text_search"):
        store.query(asked(mode=VectorStoreQueryMode(mode)))


@pytest.mark.parametrize("text", [None, "", "  "])
@pytest.mark.parametrize("mode", ["default", "text_search"])
async def test_a_query_without_text_is_an_error(store: LateInteractionVectorStore, text: str | None, mode: str) -> None:
    with pytest.raises(InputError, match="give query_str"):
        await store.aquery(asked(text, query_embedding=[1.0], mode=VectorStoreQueryMode(mode)))


def test_what_a_mode_does_not_have_is_an_error(store: LateInteractionVectorStore) -> None:
    with pytest.raises(UnsupportedError, match=r"alpha is 0\.3"):
        store.query(asked(mode=VectorStoreQueryMode.HYBRID, alpha=0.3))
    with pytest.raises(InputError, match="mmr_threshold goes with the mode 'mmr', not with 'default'"):
        store.query(asked(mmr_threshold=0.3))
    with pytest.raises(InputError, match="full-text search takes no expand, threshold"):
        store.query(asked(mode=VectorStoreQueryMode.SPARSE), threshold=0.5, expand=1)
    with pytest.raises(TypeError, match=r"VectorStore\.query has no argument 'treshold'; it has threshold"):
        store.query(asked(), treshold=0.5)
    with pytest.raises(InputError, match="top_k"):
        store.query(asked(top_k=0))
    with pytest.raises(FilterError, match="takes a list"):
        store.query(asked(filters=MetadataFilters(filters=[MetadataFilter(key="a", value="x", operator="in")])))


def test_restrictions(store: LateInteractionVectorStore) -> None:
    assert set(store.query(asked(filters=RECENT)).ids or ()) == {"c", "d"}
    assert store.query(asked(filters=RECENT, mode=VectorStoreQueryMode.SPARSE)).ids == []
    assert store.query(asked(node_ids=["d", "missing"])).ids == ["d"]
    assert set(store.query(asked(doc_ids=["rest"])).ids or ()) == {"c", "d"}
    assert store.query(asked(doc_ids=["rest"], node_ids=["a"])).ids == []
    assert store.query(asked(doc_ids=[])).ids == []
    assert len(store.query(asked(node_ids=[])).ids or ()) == 4


def test_options_of_the_core(store: LateInteractionVectorStore) -> None:
    first, second = (store.query(asked(top_k=2)).similarities or ())[:2]
    assert store.query(asked(), threshold=(first + second) / 2).ids == ["b"]
    assert len(store.query(asked(), group_by="document").ids or ()) == 2
    (node,) = store.query(asked(top_k=1), expand=1).nodes or ()
    assert node.metadata["context"].startswith(TEXTS["a"])
    assert TEXTS["b"] not in node.get_content("llm").replace(node.text, "")  # type: ignore[arg-type, attr-defined]


def test_scores_where_they_are_asked_for(tmp_path: Path) -> None:
    fields = HitFields(score="score", similarity="year")
    with LateInteractionVectorStore(fields=fields) as store:
        store.add([passage("a")])
        (node,) = store.query(asked()).nodes or ()
        assert node.metadata["year"] == 2018
        assert node.metadata["score"] > 1 >= node.metadata["late_rag_year"]


async def test_get_nodes(store: LateInteractionVectorStore) -> None:
    def ids(nodes: list[BaseNode]) -> list[str]:
        return [node.node_id for node in nodes]

    assert ids(store.get_nodes(["d", "missing", "a", "d"])) == ["d", "a"]
    assert ids(store.get_nodes(["d", "a"], RECENT)) == ["d"]
    assert ids(await store.aget_nodes(filters=RECENT)) == ["c", "d"]
    assert store.get_nodes([]) == []
    assert store.get_nodes(["a"]) == [passage("a").model_copy(update={"embedding": None})]


@pytest.mark.parametrize(
    ("node_ids", "filters"),
    [
        (["a", "missing"], None),
        (["a", "c"], RECENT),
        (None, RECENT),
        ([], None),
        ([], RECENT),
        (["a"], NEITHER),
        (["missing"], None),
    ],
)
async def test_deleting_nodes_leaves_what_the_in_memory_store_does(
    store: LateInteractionVectorStore,
    theirs: SimpleVectorStore,
    node_ids: list[str] | None,
    filters: MetadataFilters | None,
) -> None:
    await store.adelete_nodes(node_ids, filters)
    theirs.delete_nodes(node_ids, filters)
    assert left(store) == list(theirs.data.embedding_dict)


def test_deleting_everything_by_mistake_is_an_error(store: LateInteractionVectorStore) -> None:
    for filters in (None, NEITHER):
        with pytest.raises(InputError, match=r"clear\(\) removes everything"):
            store.delete_nodes(filters=filters)
    assert len(left(store)) == 4


@pytest.mark.parametrize("identity", ["cats", "rest", "a", "missing"])
async def test_deleting_a_document_leaves_what_the_in_memory_store_does(
    store: LateInteractionVectorStore, theirs: SimpleVectorStore, identity: str
) -> None:
    await store.adelete(identity)
    theirs.delete(identity)
    assert left(store) == list(theirs.data.embedding_dict)


async def test_clear(store: LateInteractionVectorStore) -> None:
    await store.aclear()
    assert left(store) == []
    assert store.query(asked()).ids == []


def test_a_passage_is_not_torn_out_of_its_document(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("Penguins live in the south.")
    with Retriever.open(tmp_path / "c.rag", create=True) as retriever:
        retriever.sync(tmp_path / "page.txt")
        (hit,) = retriever.search("penguins")
    store = LateInteractionVectorStore(tmp_path / "c.rag")
    with pytest.raises(ConflictError, match="passage of the document"):
        store.add([TextNode(id_=hit.chunk.id, text="mine")])
    (node,) = store.get_nodes()
    assert (node.node_id, node.ref_doc_id) == (hit.chunk.id, hit.chunk.document_id)


def test_bad_input_stores_nothing(store: LateInteractionVectorStore) -> None:
    with pytest.raises(InputError, match="a set"):
        store.add([TextNode(id_="e", text="fine"), TextNode(id_="f", text="x", metadata={"a": {1}})])
    assert left(store) == ["a", "b", "c", "d"]


def test_a_store_is_its_configuration(tmp_path: Path) -> None:
    location = tmp_path / "c.rag"
    store = LateInteractionVectorStore(location, fields=HitFields(score="score"), create={"storage": "float16"})
    assert not location.exists()
    copies = [
        copy.copy(store),
        copy.deepcopy(store),
        pickle.loads(pickle.dumps(store)),
        LateInteractionVectorStore.from_dict(store.to_dict()),
        LateInteractionVectorStore.from_json(store.to_json()),
    ]
    store.add([passage("a")])
    for other in copies:
        assert (other.fields, other.create) == (store.fields, store.create)
        assert other.client is store.client
        assert left(other) == ["a"]
    assert store.client.settings.storage == "float16"
    store.persist(str(tmp_path / "elsewhere"))
    assert not (tmp_path / "elsewhere").exists()


def test_an_open_collection_is_used_and_left_open(tmp_path: Path) -> None:
    LateInteractionVectorStore(tmp_path / "c.rag").add([passage("a")])
    with open_collection(tmp_path / "c.rag") as opened, LateInteractionVectorStore(opened) as store:
        assert store.client is opened
        assert left(pickle.loads(pickle.dumps(store))) == ["a"]
        assert store.to_dict()["collection"] == opened.location
        store.close()
        assert not opened.closed


def test_a_temporary_collection_is_never_copied(store: LateInteractionVectorStore) -> None:
    for copied in (copy.deepcopy, pickle.dumps):
        with pytest.raises(CollectionError, match="location"):
            copied(store)  # type: ignore[operator]
    with pytest.raises(ValueError, match="give collection= a location"):
        store.to_dict()
    with pytest.raises(CollectionError, match="not kept"):
        store.persist("somewhere")


def test_reading(tmp_path: Path) -> None:
    with pytest.raises(CollectionNotFoundError):
        left(LateInteractionVectorStore(tmp_path / "c.rag", mode="read"))
    assert not (tmp_path / "c.rag").exists()
    LateInteractionVectorStore(tmp_path / "c.rag").add([passage("a")])
    store = LateInteractionVectorStore(tmp_path / "c.rag", mode="read")
    assert store.query(asked()).ids == ["a"]
    for write in (lambda: store.add([passage("b")]), lambda: store.delete("a"), store.clear):
        with pytest.raises(CollectionReadOnlyError):
            write()


def test_impossible_stores() -> None:
    with pytest.raises(InputError, match="starts empty"):
        LateInteractionVectorStore(mode="read")
    with pytest.raises(InputError, match="collection is a location"):
        LateInteractionVectorStore(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unknown collection option"):
        LateInteractionVectorStore(create={"storge": "int8"})
