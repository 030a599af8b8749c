"""Nothing is encoded, searched, opened or written on the thread of an event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.schema import Document, NodeWithScore, QueryBundle, TextNode
from llama_index.core.tools import RetrieverTool

from llama_index.node_parser.late_rag import LateInteractionNodeParser
from llama_index.postprocessor.late_rag import LateInteractionRerank
from llama_index.retrievers.late_rag import LateInteractionRetriever, late_interaction_tool
from tests.frameworks import done_here, watch_work


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[int]]:
    """By the name of each piece of work, the threads that did it."""
    return watch_work(monkeypatch)


async def retrieve(location: str, nodes: list[TextNode]) -> None:
    await LateInteractionRetriever(location, expand=1).aretrieve("travel")


async def hybrid(location: str, nodes: list[TextNode]) -> None:
    await LateInteractionRetriever(location, mode="hybrid").aretrieve("travel")


async def diverse(location: str, nodes: list[TextNode]) -> None:
    await LateInteractionRetriever(location, lambda_mult=0.5).aretrieve("travel")


async def rerank(location: str, nodes: list[TextNode]) -> None:
    fresh = [NodeWithScore(node=TextNode(text=f"{node.text} Again.")) for node in nodes]
    given = [*(NodeWithScore(node=node) for node in nodes), *fresh]
    await LateInteractionRerank(collection=location).apostprocess_nodes(given, QueryBundle("travel"))


async def tool(location: str, nodes: list[TextNode]) -> None:
    await late_interaction_tool(LateInteractionRetriever(location), "a", "b").acall(query="travel")


async def llama_indexs_tool(location: str, nodes: list[TextNode]) -> None:
    await RetrieverTool.from_defaults(LateInteractionRetriever(location)).acall("travel")


async def fill(location: str, nodes: list[TextNode]) -> None:
    await LateInteractionRetriever.afrom_nodes(nodes, Path(location).with_name("filled.rag"))


async def parse(location: str, nodes: list[TextNode]) -> None:
    await LateInteractionNodeParser().acall([Document(text=node.text) for node in nodes])


@pytest.mark.parametrize(
    ("use", "work"),
    [
        (retrieve, {"encode_queries", "search", "get_documents"}),
        (hybrid, {"encode_queries", "search", "text_search"}),
        (diverse, {"encode_queries", "search", "embeddings"}),
        (rerank, {"encode_queries", "encode_documents", "get", "embeddings"}),
        (tool, {"encode_queries", "search"}),
        (llama_indexs_tool, {"encode_queries", "search"}),
        (fill, {"encode_documents", "add", "connect"}),
        (parse, {"__call__"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_work_is_done_in_other_threads(
    use: Callable[[str, list[TextNode]], Any],
    work: set[str],
    tmp_path: Path,
    nodes: list[TextNode],
    threads: dict[str, set[int]],
) -> None:
    location = str(tmp_path / "fresh.rag")
    await asyncio.to_thread(LateInteractionRetriever.from_nodes, nodes, location)
    threads.clear()
    await use(location, nodes)
    assert work <= threads.keys()
    assert done_here(threads) == []


def test_the_watch_sees_what_is_done_here(handbook: str, threads: dict[str, set[int]]) -> None:
    LateInteractionRetriever(handbook).retrieve("travel")
    assert threads["encode_queries"] == threads["search"] == {threading.get_ident()}
