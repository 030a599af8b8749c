"""One collection that the command line and every framework wrote to, and what each of them reads of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from late_rag import Hit, IndexSpec, Retriever, backends

TOP_K = 40
QUESTIONS = ("who approves travel?", "how long is leave?", "where are bicycles left?")
METADATA = {"year": 2023, "tags": ["house", "way"], "checked": True, "weight": 1.5, "of": {"floor": 2}, "note": None}

Found = tuple[str, str, str, float, dict[str, Any]]
"""Of a passage: its id, its document's id, its text, its similarity to 9 places, its metadata."""


def command_line(*arguments: str) -> str:
    command = [sys.executable, "-m", "late_rag", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def written_by_langchain(location: str) -> None:
    from langchain_core.documents import Document

    from langchain_late_rag import LateInteractionVectorStore

    text = "Bicycles are left in the stand behind the house."
    LateInteractionVectorStore(location).add_documents([Document(text, id="langchain", metadata=METADATA)])


def written_by_llama_index(location: str) -> None:
    from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode

    from llama_index.vector_stores.late_rag import LateInteractionVectorStore

    node = TextNode(
        id_="llama-index",
        text="Travel by bicycle is approved by nobody: one just goes.",
        metadata=METADATA,
        excluded_embed_metadata_keys=list(METADATA),
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id="of-llama-index")},
    )
    LateInteractionVectorStore(location).add([node])


def written_by_haystack(location: str) -> None:
    from haystack import Document

    from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore

    text = "A bicycle that was approved for travel is left at the station."
    LateInteractionDocumentStore(location).write_documents([Document(id="haystack", content=text, meta=METADATA)])


WRITERS: dict[str, Callable[[str], None]] = {
    "langchain": written_by_langchain,
    "llama-index": written_by_llama_index,
    "haystack": written_by_haystack,
}


def read_by_the_command_line(location: str, question: str) -> list[Found]:
    answer = json.loads(command_line("search", question, "-c", location, "-k", str(TOP_K), "--json"))
    return [
        found(hit["id"], hit["document_id"], hit["text"], hit["similarity"], hit["metadata"], hit["source"])
        for hit in answer["hits"]
    ]


def read_by_langchain(location: str, question: str) -> list[Found]:
    from langchain_late_rag import HitFields, LateInteractionRetriever

    passages = []
    scored = HitFields(similarity="similarity")
    for document in LateInteractionRetriever(collection=location, k=TOP_K, fields=scored).invoke(question):
        metadata = dict(document.metadata)
        assert metadata.pop("chunk_id") == document.id
        parent, similarity, source = (metadata.pop(key, None) for key in ("document_id", "similarity", "source"))
        passages.append(found(document.id, parent, document.page_content, similarity, metadata, source))
    return passages


def read_by_llama_index(location: str, question: str) -> list[Found]:
    from llama_index.retrievers.late_rag import LateInteractionRetriever

    passages = []
    for item in LateInteractionRetriever(location, similarity_top_k=TOP_K).retrieve(question):
        metadata = dict(item.metadata)
        source = metadata.pop("source", None)
        passages.append(found(item.node_id, item.node.ref_doc_id, item.text, item.score, metadata, source))
    return passages


def read_by_haystack(location: str, question: str) -> list[Found]:
    from haystack_integrations.components.retrievers.late_rag import LateInteractionRetriever
    from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore

    store = LateInteractionDocumentStore(location, mode="read", fields={"document_id": "document_id"})
    passages = []
    for document in LateInteractionRetriever(store, top_k=TOP_K).run(question)["documents"]:
        metadata = dict(document.meta)
        parent, source = metadata.pop("document_id"), metadata.pop("source", None)
        passages.append(found(document.id, parent, document.content or "", document.score, metadata, source))
    return passages


READERS: dict[str, Callable[[str, str], list[Found]]] = {
    "the command line": read_by_the_command_line,
    "langchain": read_by_langchain,
    "llama-index": read_by_llama_index,
    "haystack": read_by_haystack,
}


def found(
    identity: str | None, parent: str | None, text: str, similarity: float | None, metadata: Any, source: str | None
) -> Found:
    assert identity is not None
    assert parent is not None
    assert similarity is not None
    return identity, parent, text, round(similarity, 9), {**metadata, "source": source}


def expected(hit: Hit) -> Found:
    chunk = hit.chunk
    return found(chunk.id, chunk.document_id, chunk.text, hit.similarity, chunk.metadata, hit.source)


@pytest.fixture(scope="module")
def location(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A collection that the command line made, with a passage of each framework."""
    made = str(tmp_path_factory.mktemp("across") / "handbook.rag")
    handbook = Path(__file__).parent / "docs" / "handbook"
    command_line("index", str(handbook), "-c", made)
    for write in WRITERS.values():
        write(made)
    return made


def test_everything_is_there_once_and_whole(location: str) -> None:
    with Retriever.open(location, mode="read") as retriever:
        chunks = [chunk for batch in retriever.collection.iterate() for chunk, _ in batch]
        assert retriever.collection.verify().ok
    own = {chunk.id: chunk for chunk in chunks if chunk.id in WRITERS}
    assert own.keys() == WRITERS.keys()
    assert all(dict(chunk.metadata) == METADATA for chunk in own.values())
    assert len({chunk.id for chunk in chunks}) == len(chunks) > len(WRITERS) + 5


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_whoever_reads_finds_the_same(location: str, reader: str, question: str) -> None:
    with Retriever.open(location, mode="read") as retriever:
        hits = retriever.search(question, TOP_K)
    assert len(hits) < TOP_K
    assert READERS[reader](location, question) == [expected(hit) for hit in hits]
    assert WRITERS.keys() <= {hit.chunk.id for hit in hits}


@pytest.mark.parametrize("writer", WRITERS)
def test_files_that_join_a_collection_of_a_framework_are_split(writer: str, tmp_path: Path) -> None:
    made, page = str(tmp_path / "made.rag"), tmp_path / "pages" / "long.md"
    page.parent.mkdir()
    page.write_text("\n\n".join(f"# Rule {number}\n\n{'It is long. ' * 60}" for number in range(20)), encoding="utf-8")
    WRITERS[writer](made)
    command_line("index", str(page.parent), "-c", made)
    with Retriever.open(made, mode="read") as retriever:
        assert retriever.collection.count() > 20


def test_a_run_of_the_command_line_leaves_what_the_frameworks_wrote(location: str) -> None:
    with Retriever.open(location, mode="read") as retriever:
        before = [expected(hit) for hit in retriever.search(QUESTIONS[0], TOP_K)]
    command_line("index", str(Path(__file__).parent / "docs" / "handbook"), "-c", location)
    with Retriever.open(location, mode="read") as retriever:
        assert [expected(hit) for hit in retriever.search(QUESTIONS[0], TOP_K)] == before


@pytest.fixture(params=["memory", "lossy"])
def other_engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A collection of another engine, or with an index that is not exact, with a passage of each framework."""
    row = backends.Backend("late_rag.testing", "MemoryCollection")
    monkeypatch.setitem(backends.COLLECTIONS, "memory", row)
    row = backends.Backend("late_rag.testing.lossy", "LossyIndex", options="LossyOptions")
    monkeypatch.setitem(backends.INDEXES, "lossy", row)
    made, index = (
        ("memory://across", "auto")
        if request.param == "memory"
        else (str(tmp_path / "c.rag"), IndexSpec("lossy", loss=0.0))
    )
    with Retriever.create(made, index=index) as retriever:
        retriever.sync(Path(__file__).parent / "docs" / "handbook")
    for write in WRITERS.values():
        write(made)
    with Retriever.open(made) as retriever:
        retriever.collection.optimize()
    return made


def test_whatever_the_engine(other_engine: str) -> None:
    with Retriever.open(other_engine) as retriever:
        hits = retriever.search(QUESTIONS[0], TOP_K)
    assert WRITERS.keys() <= {hit.chunk.id for hit in hits}
    for reader in READERS.keys() - {"the command line"}:
        assert READERS[reader](other_engine, QUESTIONS[0]) == [expected(hit) for hit in hits]
