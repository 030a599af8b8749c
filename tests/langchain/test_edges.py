"""What a careful user tries: misspelt arguments, a folder made anew, found passages written back, foreign blocks."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from pydantic import ValidationError

from langchain_late_rag import (
    HitFields,
    LateInteractionLoader,
    LateInteractionReranker,
    LateInteractionRetriever,
    LateInteractionTextSplitter,
    LateInteractionVectorStore,
    late_interaction_tool,
)
from late_rag import Chunk, Retriever
from late_rag.errors import CollectionNotFoundError, ConflictError, FilterError, InputError

PICTURE = {"type": "image", "base64": base64.b64encode(b"not drawn").decode(), "mime_type": "image/png"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: LateInteractionRetriever(collection="a.rag", filters="tenant == 'a'"),
        lambda: LateInteractionRetriever(collection="a.rag", top_k=3),
        lambda: LateInteractionReranker(top_k=1),
    ],
)
def test_a_misspelt_argument_is_refused(make):
    with pytest.raises(ValidationError, match="Extra inputs"):
        make()


def test_a_collection_made_anew_at_the_same_place_is_another(tmp_path: Path):
    location = tmp_path / "again.rag"
    finder = LateInteractionRetriever(collection=str(location), k=10)
    for number in range(3):
        shutil.rmtree(location, ignore_errors=True)
        store = LateInteractionVectorStore(location)
        store.add_texts([f"text {number}"], ids=[f"id{number}"])
        assert [document.id for document in store.similarity_search("text", k=10)] == [f"id{number}"]
        assert [document.id for document in finder.invoke("text")] == [f"id{number}"]
        assert location.is_dir()


def test_what_would_be_written_into_a_removed_folder_is_an_error(tmp_path: Path):
    with Retriever.create(tmp_path / "c.rag") as retriever:
        retriever.add(["kept"])
        shutil.rmtree(tmp_path / "c.rag")
        with pytest.raises(CollectionNotFoundError, match="removed or replaced"):
            retriever.add(["lost"])


def test_a_passage_of_a_file_is_not_torn_out_of_it(tmp_path: Path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "b.txt").write_text("hello world")
    with Retriever.create(tmp_path / "c.rag") as retriever:
        retriever.sync(tmp_path / "files")
    store = LateInteractionVectorStore(tmp_path / "c.rag")
    (found,) = store.similarity_search("hello world", k=1)
    found.page_content = "edited"
    with pytest.raises(ConflictError, match="passage of the document"):
        store.add_documents([found])
    assert store.similarity_search("hello world", k=1)[0].page_content == "hello world"


async def test_nor_by_the_async_twin(tmp_path: Path):
    with Retriever.create(tmp_path / "c.rag") as retriever:
        retriever.add(["hello world"])
    store = LateInteractionVectorStore(tmp_path / "c.rag")
    (found,) = await store.asimilarity_search("hello world", k=1)
    with pytest.raises(ConflictError):
        await store.aadd_documents([found])


def test_metadata_of_another_kind_are_a_change():
    store = LateInteractionVectorStore()
    for value in (1, True, 1.0, [1], [True]):
        store.add_documents([Document("cat", id="1", metadata={"ok": value})])
        (kept,) = store.get_by_ids(["1"])
        assert repr(kept.metadata["ok"]) == repr(value)
    store.close()


def test_content_blocks_come_back_and_survive_being_written_back():
    store = LateInteractionVectorStore()
    store.add_documents([Document("a picture of a cat", id="m", metadata={"content_blocks": [PICTURE]})])
    for _ in range(2):
        (kept,) = store.get_by_ids(["m"])
        (found,) = store.similarity_search("cat picture", k=1)
        for document in (kept, found):
            (block,) = document.metadata["content_blocks"]
            assert (block["base64"], block["mime_type"]) == (PICTURE["base64"], "image/png")
        store.add_documents([kept])
    store.close()


@pytest.mark.parametrize("block", [{"type": "image", "base64": "?"}, {"type": "audio", "base64": 1}])
def test_broken_blocks_beside_a_text_do_not_stop_a_reranking(block):
    foreign = [Document("dogs bark"), Document("cats sleep", metadata={"content_blocks": [block]})]
    assert LateInteractionReranker().compress_documents(foreign, "cats sleep")[0].page_content == "cats sleep"
    with pytest.raises(InputError, match="content block"):
        LateInteractionReranker().compress_documents([Document("", metadata={"content_blocks": [block]})], "cats")


def test_the_documents_own_keys_are_never_written_over():
    own = {"score": 1, "late_rag_score": "mine"}
    fields = HitFields(score="score", document_id=None, chunk_id=None)
    finder = LateInteractionRetriever.from_documents([Document("bike", id="x", metadata=own)], k=1, fields=fields)
    (found,) = finder.invoke("bike")
    assert {key: found.metadata[key] for key in own} == own
    assert found.metadata["late_rag_late_rag_score"] > 0


@pytest.mark.parametrize("given", [{"n": {"x": {"y": {"$eq": 1}}}}, {"year": {}}, {"$not": {"n": {"x": {"$gt": 1}}}}])
def test_a_filter_that_would_mean_something_else_is_refused(given):
    store = LateInteractionVectorStore()
    store.add_documents([Document("x", metadata={"n": {"x": {"y": 1}}})])
    with pytest.raises(FilterError, match="dotted name"):
        store.similarity_search("x", filter=given)
    assert len(store.similarity_search("x", filter={"n.x.y": 1})) == 1
    store.close()


@pytest.mark.parametrize("create", [{"bogus": 1}, {"storage": "int4"}])
def test_options_of_a_collection_are_checked_at_once(create, tmp_path: Path):
    with pytest.raises((TypeError, InputError)):
        LateInteractionVectorStore(tmp_path / "c.rag", create=create)


def test_metadata_that_cannot_be_stored_are_named():
    with pytest.raises(InputError):
        LateInteractionVectorStore().add_documents([Document("x", metadata={1: 2})])


WRONG: dict[str, Any] = {
    "documents takes a list of LangChain documents, not 'x'": lambda store: store.add_documents("x"),
    r"documents takes a list .* not Document\(": lambda store: store.add_documents(Document("x")),
    r"documents\[0\] is 'x'": lambda store: store.add_documents(["x"]),
    "documents takes a list .* not None": lambda store: store.add_documents(None),
    "texts takes a list of texts, not 'abc'": lambda store: store.add_texts("abc"),
    "texts takes a list of texts, not None": lambda store: store.add_texts(None),
    r"texts\[1\] is 3": lambda store: store.add_texts(["a", 3]),
    "texts takes a list of texts, not 'ab'": lambda _: LateInteractionRetriever.from_texts("ab"),
    r"documents\[1\] is 'y'": lambda _: LateInteractionRetriever.from_documents([Document("x"), "y"]),
    r"LangChain documents; documents\[0\] is 'z'": lambda _: LateInteractionReranker().compress_documents(["z"], "q"),
    "documents takes a list .* not 'u'": lambda _: LateInteractionTextSplitter().split_documents("u"),
    "retriever takes a LateInteractionRetriever": lambda store: late_interaction_tool(store, "a", "b"),
    "paths must be a file or folder": lambda _: LateInteractionLoader(None),  # type: ignore[arg-type]
    r"paths must be .* not b'a'": lambda _: LateInteractionLoader(b"a"),  # type: ignore[arg-type]
    r"paths must be .* not {'a': 1}": lambda _: LateInteractionLoader({"a": 1}),  # type: ignore[arg-type]
    r"paths\[1\] is 3; a path is a text or a Path": lambda _: LateInteractionLoader(["a", 3]),  # type: ignore[list-item]
    r"paths\[0\] is ''; name a file or folder": lambda _: LateInteractionLoader(""),
    "as_ names the root": lambda _: LateInteractionLoader("a", as_=3),  # type: ignore[arg-type]
    "as_ names the root .* not '/'": lambda _: LateInteractionLoader("a", as_="/"),
    'content must be "all" or "main"': lambda _: LateInteractionLoader("a", content="most"),  # type: ignore[arg-type]
    "include takes a list of .* not 3": lambda _: LateInteractionLoader("a", include=3),  # type: ignore[arg-type]
    "fields takes RecordFields": lambda _: LateInteractionLoader("a", fields="text"),  # type: ignore[arg-type]
    "there is no file or folder 'https://x.org/a'": lambda _: LateInteractionLoader("https://x.org/a").load(),
}


@pytest.mark.parametrize("told", WRONG)
def test_the_likeliest_mistakes_are_named_and_store_nothing(told: str) -> None:
    with LateInteractionVectorStore() as store:
        with pytest.raises(InputError, match=told):
            WRONG[told](store)
        assert store.similarity_search("x") == []


def test_what_is_read_once_is_not_lost() -> None:
    documents = [Document("Lunch is at noon."), Document("Leave is thirty days.")]
    found = LateInteractionReranker().compress_documents(iter(documents), "lunch")  # type: ignore[arg-type]
    assert [document.page_content for document in found] == ["Lunch is at noon.", "Leave is thirty days."]


def test_a_retriever_tears_no_passage_out_of_a_document_and_makes_nothing_in_vain(tmp_path: Path) -> None:
    with Retriever.create(tmp_path / "c.rag") as core:
        core.add([Chunk("big#0", "big", "one"), Chunk("big#1", "big", "two")])
    with pytest.raises(ConflictError, match="'big#0' is a passage of the document 'big'"):
        LateInteractionRetriever.from_documents([Document("mine", id="big#0")], tmp_path / "c.rag")
    with pytest.raises(InputError):
        LateInteractionRetriever.from_documents("text", tmp_path / "d.rag")  # type: ignore[arg-type]
    assert not (tmp_path / "d.rag").exists()
