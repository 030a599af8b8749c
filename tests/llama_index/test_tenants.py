"""Many tenants in one collection: a retriever per request, and never a node of another tenant."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters

from llama_index.retrievers.late_rag import LateInteractionRetriever, late_interaction_tool
from tests.frameworks import ODD_NAMES, TOPICS, request, tenants_pages

THREADS, REQUESTS = 8, 1000


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The location of a collection where every tenant has a page on every topic."""
    pages = [TextNode(id_=page, text=text, metadata={"of": tenant}) for page, text, tenant in tenants_pages()]
    location = str(tmp_path_factory.mktemp("tenants") / "shared.rag")
    LateInteractionRetriever.from_nodes(pages, location)
    return location


def only(tenant: str) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key="of", value=tenant)])


def check(tenant: str, found: list[NodeWithScore]) -> None:
    assert {item.metadata["of"] for item in found} == {tenant}
    assert len(found) == len(TOPICS)


def test_a_thousand_requests_of_eight_threads(shared: str) -> None:
    def ask(number: int) -> None:
        tenant, question, page = request(number)
        found = LateInteractionRetriever(shared, filters=only(tenant), similarity_top_k=20).retrieve(question)
        check(tenant, found)
        assert found[0].node_id == page

    with ThreadPoolExecutor(THREADS) as pool:
        assert len(list(pool.map(ask, range(REQUESTS)))) == REQUESTS


async def test_the_same_on_one_event_loop(shared: str) -> None:
    async def ask(number: int) -> None:
        tenant, question, _ = request(number)
        retriever = LateInteractionRetriever(shared, filters=only(tenant), similarity_top_k=20)
        check(tenant, await retriever.aretrieve(question))

    await asyncio.gather(*(ask(number) for number in range(200)))


def test_an_agent_cannot_reach_another_tenant(shared: str) -> None:
    retriever = LateInteractionRetriever(shared, similarity_top_k=20, filters=only("tenant-1"))
    tool = late_interaction_tool(retriever, "rules", "The rules", most=20)
    for tried in ('of == "tenant-2"', "of exists", 'of == "tenant-1" or of != "tenant-1"', "not of exists"):
        found = tool.call(query="rules", top_k=20, filter=tried).raw_output
        assert {item.metadata["of"] for item in found} <= {"tenant-1"}, tried


def test_a_tenants_name_is_a_value_and_nothing_else(tmp_path: Path) -> None:
    pages = [TextNode(id_=str(n), text="The rules.", metadata={"of": name}) for n, name in enumerate(ODD_NAMES)]
    location = tmp_path / "names.rag"
    LateInteractionRetriever.from_nodes(pages, location)
    for number, name in enumerate(ODD_NAMES):
        found = LateInteractionRetriever(location, filters=only(name), similarity_top_k=20).retrieve("rules")
        assert [item.node_id for item in found] == [str(number)]
