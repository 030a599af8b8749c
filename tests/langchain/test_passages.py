"""Passages of documents and files: split, stored and found again with what they are a part of."""

from __future__ import annotations

from pathlib import Path

import pytest
from langchain_classic.retrievers import ParentDocumentRetriever
from langchain_core.documents import Document
from langchain_core.stores import InMemoryStore
from langchain_text_splitters import TextSplitter

from langchain_late_rag import (
    HitFields,
    LateInteractionLoader,
    LateInteractionRetriever,
    LateInteractionTextSplitter,
    LateInteractionVectorStore,
)
from langchain_late_rag.documents import to_document
from late_rag import Retriever
from late_rag.errors import ConflictError, InputError

RULES = {
    "leave.md": "# Leave\n\nThere are thirty days of paid leave.\n\n# Illness\n\nA doctor's note is due on day 3.\n",
    "travel.md": "# Travel\n\nThe head of department approves it.\n\n# Hotels\n\nA night costs at most 90 euros.\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    for name, text in RULES.items():
        (tmp_path / "rules" / name).write_text(text)
    return tmp_path / "rules"


def passages(folder: Path) -> list[Document]:
    return LateInteractionTextSplitter(max_tokens=32).split_documents(LateInteractionLoader(folder).load())


def words(text: str) -> list[str]:
    return text.split()


@pytest.mark.parametrize("by", ["store", "retriever"])
def test_a_passage_is_found_with_its_file(folder: Path, tmp_path: Path, by: str) -> None:
    split, location = passages(folder), str(tmp_path / "c.rag")
    assert len(split) > 2
    if by == "store":
        LateInteractionVectorStore.from_documents(split, collection=location)
    else:
        LateInteractionRetriever.from_documents(split, location)
    store = LateInteractionVectorStore(location)
    (found,) = store.similarity_search("how long is paid leave?", k=1, expand="document")
    context = found.metadata.pop("context")
    assert found in split
    assert context == RULES["leave.md"].rstrip()
    retriever = LateInteractionRetriever(collection=location, k=10, group_by="document")
    best = retriever.invoke("how long is paid leave?")
    assert [Path(document.metadata["source"]).name for document in best] == ["leave.md", "travel.md"]
    assert not [key for document in best for key in document.metadata if key.startswith("late_rag_")]


def test_passages_of_documents_without_an_id_stay_together() -> None:
    split = LateInteractionTextSplitter(max_tokens=32).split_documents([Document(text) for text in RULES.values()])
    with LateInteractionVectorStore.from_documents(split) as store:
        found = store.similarity_search("hotels", k=10, group_by="document", expand="document")
    assert {document.metadata["context"] for document in found} == {text.rstrip() for text in RULES.values()}


SENTENCES = "Leave is thirty days a year.  Parking is free for all employees.\tLunch is at noon. " * 3
TABLE = "| a | b |\n|---|---|\n" + "".join(f"| row {n} | value {n} |\n" for n in range(12))
CODE = "import os\n\n\n" + "\n\n\n".join(f"def call_{n}(a):\n    b = a + {n}\n\n    return b" for n in range(6))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", f"# Guide\n\n\n{SENTENCES}  \n\n- one\n  - two\n\n\n```python\n{CODE}\n```\n\n{TABLE}\nEnd."),
        ("a.py", CODE),
        ("a.txt", f"{SENTENCES}\r\n\r\n   {SENTENCES}\n\u3000\n\x0c{SENTENCES.strip()}"),
    ],
)
def test_the_space_between_passages_is_the_files(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode())
    (document,) = LateInteractionLoader(tmp_path / name).load()
    split = LateInteractionTextSplitter(max_tokens=32).split_documents([document])
    assert len(split) > 2
    with LateInteractionVectorStore.from_documents(split) as store:
        found = store.similarity_search("lunch", k=1, expand="document") + store.get_by_ids([str(split[1].id)])
        assert found[0].metadata.pop("context") == document.page_content
        assert all(passage in split for passage in found)
        others = {"start_index": {"$ne": split[1].metadata["start_index"]}}
        seen = store.similarity_search("lunch", k=1, expand="document", filter=others)
        assert seen[0].metadata["context"].startswith(f"{split[0].page_content}\n…\n{split[2].page_content}")
    assert {key for passage in split for key in passage.metadata} > {"space_before"}
    assert "space_before" not in {key for passage in split for key in to_document(passage).metadata}


def test_a_passage_that_is_split_again_hands_its_space_on_to_none() -> None:
    whole = Document(f"{SENTENCES}\n\n{SENTENCES}", id="d")
    first = LateInteractionTextSplitter(max_tokens=64).split_documents([whole])
    again = LateInteractionTextSplitter(max_tokens=32).split_documents([first[1]])
    assert first[1].metadata["space_before"]
    assert len(again) > 1
    assert "space_before" not in again[0].metadata


def test_space_of_the_callers_own_is_metadata() -> None:
    own = Document("One.", id="1", metadata={"space_before": " "})
    with LateInteractionVectorStore.from_documents([own]) as store:
        assert store.similarity_search("one", filter={"space_before": " "}) == [own]


@pytest.mark.parametrize(
    "metadata",
    [
        {"document_id": "42"},
        {"document_id": "42", "start_index": 3, "end_index": 5},
        {"document_id": 42, "start_index": 0, "end_index": 7},
        {"document_id": "42", "start_index": False, "end_index": 7},
    ],
)
def test_a_document_that_only_has_such_a_key_is_one_of_its_own(metadata: dict[str, object]) -> None:
    with LateInteractionVectorStore.from_documents([Document("One two", id="x", metadata=metadata)]) as store:
        assert store.similarity_search("one") == [Document("One two", id="x", metadata=metadata)]
        assert store._holder.retriever().collection.get(["x"])[0].document_id == "x"


def test_no_passage_is_put_into_a_file_or_a_document_that_is_stored_whole(folder: Path, tmp_path: Path) -> None:
    with Retriever.open(tmp_path / "c.rag", create=True) as core:
        core.sync(folder)
    store = LateInteractionVectorStore(tmp_path / "c.rag")
    with pytest.raises(ConflictError, match="stored as a whole document or file"):
        store.add_documents(passages(folder))
    whole = Document("One two", id="w")
    store.add_documents([whole])
    with pytest.raises(ConflictError, match="'w#0' is a passage of 'w'"):
        store.add_documents(LateInteractionTextSplitter().split_documents([whole]))


def test_a_store_over_a_synced_folder_says_where_its_passages_are_from(folder: Path, tmp_path: Path) -> None:
    with Retriever.open(tmp_path / "c.rag", create=True) as core:
        core.sync(folder, as_="rules")
    store = LateInteractionVectorStore(tmp_path / "c.rag")
    (found,) = store.similarity_search("hotels", k=1)
    assert found.metadata["source"] == "rules/travel.md"
    assert found.metadata["chunk_id"] == found.id != found.metadata["document_id"]
    store.add_texts(["The hotel Astoria."], [{"n": 1}], ids=["own"])
    (own,) = store.similarity_search("Astoria", k=1)
    assert own.metadata == {"n": 1}
    assert store.get_by_ids(["own", "gone", str(found.id)]) == [own, found]
    fields = HitFields(score="score", similarity="similarity", source="file")
    named = LateInteractionVectorStore(tmp_path / "c.rag", fields=fields)
    (got,) = named.get_by_ids([str(found.id)])
    assert got.metadata["file"] == "rules/travel.md"
    assert named.similarity_search("hotels", k=1)[0].metadata.keys() - got.metadata.keys() == {"score", "similarity"}


def test_the_splitter_goes_where_a_text_splitter_is_asked_for() -> None:
    splitter = LateInteractionTextSplitter(max_tokens=32)
    assert isinstance(splitter, TextSplitter)
    with LateInteractionVectorStore() as store:
        retriever = ParentDocumentRetriever(vectorstore=store, docstore=InMemoryStore(), child_splitter=splitter)
        retriever.add_documents([Document(text) for text in RULES.values()])
        (found, *_) = retriever.invoke("what may a hotel cost?")
    assert found.page_content == RULES["travel.md"]


def test_splitter_and_loader_refuse_what_cannot_be_when_they_are_made(folder: Path) -> None:
    with pytest.raises(InputError, match="unknown chunker 'pages'"):
        LateInteractionTextSplitter(kind="pages")
    with pytest.raises(InputError, match='content must be "all" or "main"'):
        LateInteractionLoader(folder, content="some")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="include takes a list"):
        LateInteractionLoader(folder, include=["everything"])
    assert LateInteractionTextSplitter().split_text("") == []
