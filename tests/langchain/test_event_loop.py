"""Nothing is encoded, searched, opened or written on the thread of an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.tools import create_retriever_tool

from langchain_late_rag import (
    LateInteractionReranker,
    LateInteractionRetriever,
    LateInteractionTextSplitter,
    LateInteractionVectorStore,
    late_interaction_tool,
)
from tests.frameworks import done_here, watch_work


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[int]]:
    """By the name of each piece of work, the threads that did it."""
    return watch_work(monkeypatch)


async def invoke(location: str, documents: list[Document]) -> None:
    await LateInteractionRetriever(collection=location, expand=1).ainvoke("travel")


async def hybrid(location: str, documents: list[Document]) -> None:
    await LateInteractionRetriever(collection=location, mode="hybrid").ainvoke("travel")


async def diverse(location: str, documents: list[Document]) -> None:
    await LateInteractionRetriever(collection=location, lambda_mult=0.5).ainvoke("travel")


async def token_matches(location: str, documents: list[Document]) -> None:
    await LateInteractionRetriever(collection=location, token_matches=True).ainvoke("travel")


async def batch(location: str, documents: list[Document]) -> None:
    await LateInteractionRetriever(collection=location).abatch(["travel", "leave"])


async def rerank(location: str, documents: list[Document]) -> None:
    fresh = [Document(page_content=f"{document.page_content} Again.") for document in documents]
    await LateInteractionReranker(collection=location).acompress_documents([*documents, *fresh], "travel")


async def tool(location: str, documents: list[Document]) -> None:
    await late_interaction_tool(LateInteractionRetriever(collection=location), "a", "b").ainvoke({"query": "travel"})


async def langchains_tool(location: str, documents: list[Document]) -> None:
    await create_retriever_tool(LateInteractionRetriever(collection=location), "a", "b").ainvoke({"query": "travel"})


async def fill(location: str, documents: list[Document]) -> None:
    await LateInteractionRetriever.afrom_documents(documents, Path(location).with_name("filled.rag"))


async def split(location: str, documents: list[Document]) -> None:
    await LateInteractionTextSplitter().atransform_documents(documents)


@pytest.mark.parametrize(
    ("use", "work"),
    [
        (invoke, {"encode_queries", "search", "get_documents"}),
        (hybrid, {"encode_queries", "search", "text_search"}),
        (diverse, {"encode_queries", "search", "embeddings"}),
        (token_matches, {"encode_queries", "search", "encode_documents"}),
        (batch, {"encode_queries", "search"}),
        (rerank, {"encode_queries", "encode_documents", "get", "embeddings"}),
        (tool, {"encode_queries", "search"}),
        (langchains_tool, {"encode_queries", "search"}),
        (fill, {"encode_documents", "add", "connect"}),
        (split, {"__call__"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_work_is_done_in_other_threads(
    use: Callable[[str, list[Document]], Any],
    work: set[str],
    tmp_path: Path,
    documents: list[Document],
    threads: dict[str, set[int]],
) -> None:
    location = str(tmp_path / "fresh.rag")
    await asyncio.to_thread(LateInteractionRetriever.from_documents, documents, location)
    threads.clear()
    await use(location, documents)
    assert work <= threads.keys()
    assert done_here(threads) == []


def test_the_watch_sees_what_is_done_here(handbook: str, threads: dict[str, set[int]]) -> None:
    LateInteractionRetriever(collection=handbook).invoke("travel")
    assert threads["encode_queries"] == threads["search"] == {threading.get_ident()}


async def test_a_writer_is_not_behind_the_readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, gate = LateInteractionVectorStore(tmp_path / "notes.rag"), threading.Event()
    await store.aadd_texts(["Lunch is at noon."])
    search = LateInteractionVectorStore._hits

    def held(self: LateInteractionVectorStore, *arguments: Any) -> Any:
        assert gate.wait(30)
        return search(self, *arguments)

    monkeypatch.setattr(LateInteractionVectorStore, "_hits", held)
    readers = [asyncio.create_task(store.asimilarity_search("lunch")) for _ in range(50)]
    try:
        for number in range(3):
            await asyncio.wait_for(store.aadd_texts([f"Note {number}."]), 20)
    finally:
        gate.set()
    assert all(len(found) == 4 for found in await asyncio.gather(*readers))
