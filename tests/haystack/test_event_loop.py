"""Nothing is encoded, searched, opened or written on the thread of an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from haystack import Document, Pipeline
from haystack.document_stores.types import DuplicatePolicy
from haystack.tools import ComponentTool

from haystack_integrations.components.converters.late_rag import LateInteractionConverter
from haystack_integrations.components.preprocessors.late_rag import LateInteractionDocumentSplitter
from haystack_integrations.components.rankers.late_rag import LateInteractionRanker
from haystack_integrations.components.retrievers.late_rag import LateInteractionRetriever
from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from late_rag.loaders.text import TextLoader
from late_rag.loading import LoadOptions
from tests.frameworks import done_here, watch_work

Store = LateInteractionDocumentStore


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[int]]:
    """By the name of each piece of work, the threads that did it."""
    return watch_work(monkeypatch)


async def run(store: Store, documents: list[Document]) -> None:
    await LateInteractionRetriever(store, expand=1).run_async("travel")


async def hybrid(store: Store, documents: list[Document]) -> None:
    await LateInteractionRetriever(store, mode="hybrid").run_async("travel")


async def diverse(store: Store, documents: list[Document]) -> None:
    await LateInteractionRetriever(store, lambda_mult=0.5).run_async("travel")


async def warm_up(store: Store, documents: list[Document]) -> None:
    await LateInteractionRetriever(store).warm_up_async()


async def rank(store: Store, documents: list[Document]) -> None:
    fresh = [Document(content=f"{document.content} Again.") for document in documents]
    await LateInteractionRanker(document_store=store).run_async("travel", [*documents, *fresh])


async def tool(store: Store, documents: list[Document]) -> None:
    await ComponentTool(LateInteractionRetriever(store), name="handbook").invoke_async(query="travel")


async def pipeline(store: Store, documents: list[Document]) -> None:
    made = Pipeline()
    made.add_component("retriever", LateInteractionRetriever(store))
    made.add_component("ranker", LateInteractionRanker(document_store=store, keep_order=False))
    made.connect("retriever", "ranker")
    await made.run_async({name: {"query": "travel"} for name in ("retriever", "ranker")})


async def write(store: Store, documents: list[Document]) -> None:
    fresh = [Document(content=f"{document.content} Written.") for document in documents]
    await store.write_documents_async(fresh, policy=DuplicatePolicy.OVERWRITE)


async def delete(store: Store, documents: list[Document]) -> None:
    await store.delete_documents_async([documents[0].id])
    await store.count_documents_async()


async def split(store: Store, documents: list[Document]) -> None:
    await LateInteractionDocumentSplitter().run_async(documents)


@pytest.mark.parametrize(
    ("use", "work"),
    [
        (run, {"encode_queries", "search", "get_documents"}),
        (hybrid, {"encode_queries", "search", "text_search"}),
        (diverse, {"encode_queries", "search", "embeddings"}),
        (warm_up, {"encode_queries", "search"}),
        (rank, {"encode_queries", "encode_documents", "get", "embeddings"}),
        (tool, {"encode_queries", "search"}),
        (pipeline, {"encode_queries", "search", "embeddings"}),
        (write, {"encode_documents", "add"}),
        (delete, {"delete", "count"}),
        (split, {"__call__"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_work_is_done_in_other_threads(
    use: Callable[[Store, list[Document]], Any],
    work: set[str],
    tmp_path: Path,
    documents: list[Document],
    threads: dict[str, set[int]],
) -> None:
    location = str(tmp_path / "fresh.rag")
    await LateInteractionDocumentStore(location).write_documents_async(documents)
    assert done_here(threads) == []
    threads.clear()
    await use(LateInteractionDocumentStore(location), documents)
    assert work <= threads.keys()
    assert done_here(threads) == []


async def test_files_are_parsed_in_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("First.")
    seen, parse = set(), TextLoader.__call__

    def watched(self: TextLoader, path: Path, options: LoadOptions) -> object:
        seen.add(threading.get_ident())
        return parse(self, path, options)

    monkeypatch.setattr(TextLoader, "__call__", watched)
    found = await LateInteractionConverter().run_async([tmp_path])
    assert [document.content for document in found["documents"]] == ["First."]
    assert seen
    assert threading.get_ident() not in seen


async def test_the_loop_goes_on_meanwhile(handbook: str) -> None:
    retriever = LateInteractionRetriever(LateInteractionDocumentStore(handbook, mode="read"))
    search, turns = asyncio.create_task(retriever.run_async("travel")), 0
    while not search.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 2


def test_the_watch_sees_what_is_done_here(handbook: str, threads: dict[str, set[int]]) -> None:
    LateInteractionRetriever(LateInteractionDocumentStore(handbook, mode="read")).run("travel")
    assert threads["encode_queries"] == threads["search"] == {threading.get_ident()}
