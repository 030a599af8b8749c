"""The document store beside what Haystack's own tests ask: writes, searches, metadata, configuration."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
from haystack import Pipeline
from haystack.components.preprocessors import DocumentSplitter
from haystack.components.writers import DocumentWriter
from haystack.dataclasses import ByteStream, Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy

from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from late_rag import Retriever
from late_rag.adapters import HitFields
from late_rag.errors import (
    CollectionError,
    CollectionNotFoundError,
    CollectionReadOnlyError,
    ConflictError,
    InputError,
    LateRAGError,
)
from late_rag.retriever import shared_retriever
from late_rag.types import Document as CoreDocument
from tests.frameworks import done_here, watch_work

LEAVE = "Every employee has thirty days of paid leave a year, which are agreed upon with the team in January."
TRAVEL = "Business travel is approved by the head of the department before any of it is booked or paid for."


@pytest.fixture
def passages(tmp_path: Path) -> str:
    """The location of a collection that was made of a file, with two passages."""
    file = tmp_path / "leave.md"
    file.write_text(f"# Leave\n\n{LEAVE}\n\n# Travel\n\n{TRAVEL}\n", encoding="utf-8")
    location = str(tmp_path / "files.rag")
    with Retriever.open(location, create=True, chunking={"kind": "markdown", "max_tokens": 32}) as retriever:
        retriever.sync(file)
        assert retriever.collection.count() == 2
    return location


def year(operator: str, value: int) -> dict[str, Any]:
    return {"field": "meta.year", "operator": operator, "value": value}


def test_the_best_documents_come_first(handbook: str) -> None:
    found = LateInteractionDocumentStore(handbook, mode="read").search("how many days of leave?", top_k=3)
    assert found[0].id == "leave"
    scores = [document.score for document in found]
    assert all(score is not None and 0 < score <= 1 for score in scores)
    assert scores == sorted(scores, reverse=True)  # type: ignore[type-var]
    assert found[0].meta == {"topic": "leave", "year": 2020}


def test_a_search_is_restricted_and_shaped(handbook: str) -> None:
    store = LateInteractionDocumentStore(handbook, mode="read", fields={"score": "maxsim"})
    found = store.search("how many days of leave?", filters=year(">", 2020), threshold=0.1, mode="hybrid")
    assert found
    assert all(document.meta["year"] > 2020 and document.meta["maxsim"] > 0 for document in found)
    (only,) = store.search("business travel", top_k=1, expand="document")
    assert only.meta["context"] == only.content


async def test_async_twins_answer_the_same_and_work_elsewhere(
    tmp_path: Path, documents: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watch_work(monkeypatch)
    store = LateInteractionDocumentStore(tmp_path / "store.rag", meta_fields_to_embed=["topic"])
    assert await store.write_documents_async(documents, DuplicatePolicy.OVERWRITE) == len(documents)
    found = await store.search_async("how many days of leave?", 3, year("<=", 2020))
    assert await store.update_by_filter_async(year("==", 2020), {"topic": "holidays"}) == 1
    assert await store.delete_by_filter_async(year("<", 2020)) == 2
    assert await store.count_documents_async() == len(await store.filter_documents_async()) == len(documents) - 2
    assert seen
    assert done_here(seen) == []
    assert found[0].id == "leave"


@pytest.mark.parametrize("policy", [DuplicatePolicy.NONE, DuplicatePolicy.FAIL])
def test_a_duplicate_fails_as_a_whole_and_is_named(
    store: LateInteractionDocumentStore, policy: DuplicatePolicy
) -> None:
    store.write_documents([Document(id="a", content="one")])
    for documents in (
        [Document(id="b", content="two"), Document(id="a", content="one")],
        [Document(id="b", content="two"), Document(id="b", content="two")],
    ):
        with pytest.raises(DuplicateDocumentError, match=f"'{documents[1].id}'.*nothing was written") as raised:
            store.write_documents(documents, policy)
        assert isinstance(raised.value, LateRAGError)
    assert [document.id for document in store.filter_documents()] == ["a"]


def test_of_an_id_that_comes_twice_one_is_kept(store: LateInteractionDocumentStore) -> None:
    one, two = Document(id="a", content="one"), Document(id="a", content="two")
    assert store.write_documents([one, two], DuplicatePolicy.SKIP) == 1
    assert store.filter_documents() == [one]
    assert store.write_documents([two, Document(id="b", content="b"), one, two], DuplicatePolicy.OVERWRITE) == 4
    assert store.filter_documents({"field": "id", "operator": "==", "value": "a"}) == [two]
    assert store.write_documents([one, Document(id="c", content="c")], DuplicatePolicy.SKIP) == 1
    assert store.filter_documents({"field": "id", "operator": "==", "value": "a"}) == [two]


def test_a_duplicate_that_only_the_core_sees(store: LateInteractionDocumentStore) -> None:
    """What the core refuses is a duplicate to Haystack, too: here an id that a document has, and no passage."""
    Retriever(store.retriever().collection, chunker="recursive").add([CoreDocument("a", "one")])
    with pytest.raises(DuplicateDocumentError, match="'a'"):
        store.write_documents([Document(id="a", content="one")], DuplicatePolicy.FAIL)
    assert store.write_documents([Document(id="a", content="one")], DuplicatePolicy.SKIP) == 0


def test_what_is_no_document_writes_nothing(store: LateInteractionDocumentStore) -> None:
    good = Document(id="a", content="one")
    for documents in ([good, "text"], [good, Document(id="b", content="two", meta={"x": {1}})], "text", None):
        with pytest.raises(InputError):
            store.write_documents(documents)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="DuplicatePolicy"):
        store.write_documents([good], "fail")  # type: ignore[arg-type]
    assert store.count_documents() == 0
    assert store.write_documents([]) == 0


def test_a_picture_alone_is_kept_though_the_model_does_not_read_it(
    store: LateInteractionDocumentStore, caplog: pytest.LogCaptureFixture
) -> None:
    blob = ByteStream(b"\x89PNG", meta={"file": "a.png"}, mime_type="image/png")
    picture, text = Document(id="picture", blob=blob, meta={"year": 2020}), Document(id="b", content="leave", blob=blob)
    assert store.write_documents([picture, text]) == 2
    assert caplog.text.count("'picture'") == 1
    assert store.filter_documents() == [picture, text]
    assert store.filter_documents(year("==", 2020)) == [picture]
    assert [document.id for document in store.search("leave")] == ["b"]
    assert store.update_by_filter(year("==", 2020), {"year": 2021}) == 1
    assert store.filter_documents(year("==", 2021))[0].blob == blob


@pytest.mark.parametrize(("kind", "content", "media"), [("image", "leave", 1), ("image", None, 0), ("text", "x", 0)])
def test_a_picture_is_media_unless_there_is_only_that_and_the_model_does_not_read_it(
    store: LateInteractionDocumentStore, kind: str, content: str | None, media: int
) -> None:
    written = Document(id="a", content=content, blob=ByteStream(b"\x89PNG", mime_type=f"{kind}/png"))
    store.write_documents([written])
    (chunk,) = store.retriever().collection.get(["a"])
    assert len(chunk.media) == media
    assert store.filter_documents() == [written]


def test_a_document_without_content_is_stored_and_not_found(store: LateInteractionDocumentStore) -> None:
    empty = Document(id="a", meta={"year": 2020}, embedding=[0.5])
    store.write_documents([empty, Document(id="b", content="thirty days of leave")])
    assert store.filter_documents(year("==", 2020)) == [empty]
    assert [document.id for document in store.search("leave")] == ["b"]


def test_passages_of_files_are_documents(passages: str) -> None:
    store = LateInteractionDocumentStore(passages)
    found = store.search("how many days off?", top_k=1)[0]
    assert str(found.meta["source"]).endswith("leave.md")
    assert found.id in {document.id for document in store.filter_documents()}
    assert store.write_documents([Document(id=found.id, content="mine")], DuplicatePolicy.SKIP) == 0
    with pytest.raises(DuplicateDocumentError, match=found.id):
        store.write_documents([Document(id=found.id, content="mine")])
    with pytest.raises(ConflictError, match="is a passage of the document"):
        store.write_documents([Document(id=found.id, content="mine")], DuplicatePolicy.OVERWRITE)
    assert store.update_by_filter({"field": "id", "operator": "==", "value": found.id}, {"seen": True}) == 1
    assert store.search("how many days off?", top_k=1)[0].meta["seen"] is True


def test_metadata_are_embedded_and_encoded_again_when_they_change(tmp_path: Path) -> None:
    location = str(tmp_path / "store.rag")
    store = LateInteractionDocumentStore(location, meta_fields_to_embed=["title"], embedding_separator=": ")
    store.write_documents(
        [
            Document(id="a", content="It is approved by the head.", meta={"title": "Travel", "year": 2020}),
            Document(id="b", content="It is approved by the head.", meta={"year": 2020}),
        ]
    )
    assert [document.id for document in store.search("travel", top_k=1)] == ["a"]
    other = LateInteractionDocumentStore(location)  # another store knows what was embedded
    assert other.update_by_filter(year("==", 2020), {"title": "Parking", "year": 2021}) == 2
    collection = store.retriever().collection
    assert [chunk.embed_text for chunk in collection.get(["a", "b"])] == ["Parking: It is approved by the head."] * 2
    assert [document.metadata for document in collection.get_documents(["a"])] == [{"title": "Parking", "year": 2021}]
    a, b = collection.embeddings(["a", "b"]).values()
    assert (a == b).all()


def test_a_change_of_other_metadata_encodes_nothing(
    tmp_path: Path, documents: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LateInteractionDocumentStore(tmp_path / "store.rag", meta_fields_to_embed=["topic"])
    store.write_documents(documents)
    seen = watch_work(monkeypatch)
    every = {"field": "id", "operator": "!=", "value": ""}
    for nothing in (None, {}):
        with pytest.raises(InputError, match="update_by_filter takes filters; without, it would change all"):
            store.update_by_filter(nothing, {"checked": True})
    assert store.update_by_filter(every, {"checked": True}) == len(documents)
    assert store.write_documents(store.filter_documents(), DuplicatePolicy.OVERWRITE) == len(documents)
    assert "encode_documents" not in seen
    assert store.count_documents_by_filter({"field": "checked", "operator": "==", "value": True}) == len(documents)


def test_everything_is_deleted_by_its_own_method_only(store: LateInteractionDocumentStore) -> None:
    store.write_documents([Document(content="one"), Document(content="two")])
    with pytest.raises(InputError, match="delete_all_documents"):
        store.delete_by_filter({})
    assert store.count_documents() == 2
    store.delete_all_documents(recreate_index=True)
    assert store.count_documents() == 0


def test_fields_of_the_metadata(store: LateInteractionDocumentStore) -> None:
    metas: list[dict[str, Any]] = [
        {"flag": True, "count": 1, "rating": 1, "tags": ["a", "b"], "who": {"name": "Ada"}, "none": None},
        {"flag": False, "count": 2, "rating": 0.5, "tags": ["b"], "mixed": 1, "$cost": 3},
        {"mixed": "one"},
    ]
    store.write_documents([Document(id=str(number), content="text", meta=meta) for number, meta in enumerate(metas)])
    assert store.get_metadata_fields_info() == {
        "$cost": {"type": "int"},
        "count": {"type": "int"},
        "flag": {"type": "boolean"},
        "mixed": {"type": "keyword"},
        "rating": {"type": "float"},
        "tags": {"type": "keyword"},
        "who.name": {"type": "keyword"},
    }
    assert store.get_metadata_field_unique_values("meta.tags") == (["a", "b"], 2)
    assert store.get_metadata_field_unique_values("who.name", search_term="ad") == (["Ada"], 1)
    assert store.get_metadata_field_min_max("$cost") == {"min": 3, "max": 3}
    assert store.count_unique_metadata_by_filter({}, ["meta.count", "tags", "none"]) == {
        "count": 2,
        "tags": 2,
        "none": 0,
    }


def test_the_configuration_comes_back(tmp_path: Path) -> None:
    store = LateInteractionDocumentStore(
        tmp_path / "store.rag",
        model="minilm",
        meta_fields_to_embed=["title"],
        create={"pool_factor": 2},
        encoder_options={"workers": 1},
        fields=HitFields(score="maxsim"),
    )
    data = store.to_dict()
    assert not (tmp_path / "store.rag").exists()
    again = LateInteractionDocumentStore.from_dict(data)
    assert again.to_dict() == data
    again.write_documents([Document(id="a", content="text", meta={"title": "Travel"})])
    assert store.search("travel")[0].meta["maxsim"] > 0
    pooling = store.retriever().collection.settings.pooling
    assert pooling is not None
    assert pooling["pool_factor"] == 2
    assert data["type"].endswith("late_rag.document_store.LateInteractionDocumentStore")


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda store: pickle.loads(pickle.dumps(store))])
def test_a_copy_has_the_same_documents_and_shares_what_is_open(tmp_path: Path, again: Any) -> None:
    store = LateInteractionDocumentStore(tmp_path / "store.rag", fields={"score": "maxsim"})
    copied = again(store)
    store.write_documents([Document(id="a", content="text")])
    assert [document.meta.keys() for document in copied.search("text")] == [{"maxsim"}]
    assert copied.retriever() is store.retriever()


def test_a_temporary_store_is_copied_with_its_documents_and_never_written_down(
    store: LateInteractionDocumentStore,
) -> None:
    data = store.to_dict()
    assert data["init_parameters"]["collection"] is None
    copied = copy.deepcopy(store)
    copied.write_documents([Document(id="a", content="text")])
    assert store.count_documents() == 1
    with pytest.raises(CollectionError, match=r"this store is temporary.*give collection="):
        store.to_dict()
    assert LateInteractionDocumentStore.from_dict(data).count_documents() == 0
    with pytest.raises(CollectionError, match="can be neither pickled nor copied"):
        pickle.dumps(store)
    store.close()
    assert store.to_dict() == data


def test_a_configuration_is_written_down_without_any_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = watch_work(monkeypatch)
    for collection in (None, tmp_path / "store.rag"):
        store = LateInteractionDocumentStore(collection)
        assert LateInteractionDocumentStore.from_dict(store.to_dict()).to_dict() == copy.deepcopy(store).to_dict()
    assert seen == {}
    assert list(tmp_path.iterdir()) == []


def test_an_open_collection_stays_open(handbook: str) -> None:
    collection = shared_retriever(handbook).collection
    store = LateInteractionDocumentStore(collection, mode="read")
    assert store.to_dict()["init_parameters"]["collection"] == collection.location
    store.close()
    assert store.count_documents() == 8


def test_a_reader_refuses_writes_and_makes_nothing(handbook: str, tmp_path: Path) -> None:
    store = LateInteractionDocumentStore(handbook, mode="read", meta_fields_to_embed=["topic"])
    for write in (
        lambda: store.write_documents([Document(id="new", content="text")]),
        lambda: store.write_documents([Document(id="leave", content="text")], DuplicatePolicy.OVERWRITE),
        lambda: store.update_by_filter(year("==", 2020), {"topic": "x"}),
        lambda: store.delete_documents(["leave"]),
        lambda: store.delete_by_filter(year("==", 2020)),
        store.delete_all_documents,
    ):
        with pytest.raises(CollectionReadOnlyError):
            write()
    assert store.count_documents() == 8
    with pytest.raises(CollectionNotFoundError):
        LateInteractionDocumentStore(tmp_path / "none.rag", mode="read").count_documents()
    assert not (tmp_path / "none.rag").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"mode": "read"}, "without a collection"),
        ({"mode": "append"}, "mode must be"),
        ({"collection": 7}, "collection is a location or an open collection, not 7"),
        ({"meta_fields_to_embed": "title"}, "takes a list of texts, not 'title'"),
        ({"create": {"storage": "int4"}}, "storage must be"),
    ],
)
def test_what_cannot_be_is_named_at_once(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=named):
        LateInteractionDocumentStore(**arguments)


def test_haystacks_own_splitter_and_writer(tmp_path: Path) -> None:
    """Documents are encoded by the store, wherever a pipeline copies them; overlaps have tuples in their metadata."""
    store = LateInteractionDocumentStore(tmp_path / "store.rag")
    pipeline = Pipeline()
    pipeline.add_component("splitter", DocumentSplitter(split_by="word", split_length=8, split_overlap=2))
    pipeline.add_component("writer", DocumentWriter(store, DuplicatePolicy.OVERWRITE))
    pipeline.connect("splitter", "writer")
    text = "Every employee has thirty days of paid leave a year. Parking is free for employees and all visitors."
    again = Pipeline.loads(pipeline.dumps())
    assert again.dumps() == pipeline.dumps()
    assert again.run({"documents": [Document(id="a", content=text)]}) == {"writer": {"documents_written": 3}}
    best = store.search("what does parking cost?", top_k=1)[0]
    assert "Parking" in str(best.content)
    assert best.meta["source_id"] == "a"
    assert all(isinstance(overlap["range"], list) for overlap in best.meta["_split_overlap"])
