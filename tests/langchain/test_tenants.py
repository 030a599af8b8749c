"""Many tenants in one collection: a filter per request, and never a row of another tenant."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from langchain_core.documents import Document

from langchain_late_rag import LateInteractionRetriever, late_interaction_tool
from tests.frameworks import ODD_NAMES, TOPICS, request, tenants_pages

THREADS, REQUESTS = 8, 1000


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The location of a collection where every tenant has a page on every topic."""
    pages = [Document(id=page, page_content=text, metadata={"of": tenant}) for page, text, tenant in tenants_pages()]
    location = str(tmp_path_factory.mktemp("tenants") / "shared.rag")
    LateInteractionRetriever.from_documents(pages, location)
    return location


def check(tenant: str, found: list[Document]) -> None:
    assert {document.metadata["of"] for document in found} == {tenant}
    assert len(found) == len(TOPICS)


def test_a_thousand_requests_of_eight_threads(shared: str) -> None:
    retriever = LateInteractionRetriever(collection=shared, k=len(TOPICS) + 4)

    def ask(number: int) -> None:
        tenant, question, page = request(number)
        found = retriever.invoke(question, filter={"of": tenant})
        check(tenant, found)
        assert found[0].id == page

    with ThreadPoolExecutor(THREADS) as pool:
        assert len(list(pool.map(ask, range(REQUESTS)))) == REQUESTS


async def test_the_same_on_one_event_loop(shared: str) -> None:
    retriever = LateInteractionRetriever(collection=shared, k=20)

    async def ask(number: int) -> None:
        tenant, question, _ = request(number)
        check(tenant, await retriever.ainvoke(question, filter={"of": tenant}))

    await asyncio.gather(*(ask(number) for number in range(200)))


def test_an_agent_cannot_reach_another_tenant(shared: str) -> None:
    retriever = LateInteractionRetriever(collection=shared, k=20, filter={"of": "tenant-1"})
    tool = late_interaction_tool(retriever, "rules", "The rules", most=20)
    for tried in ('of == "tenant-2"', "of exists", 'of == "tenant-1" or of != "tenant-1"', "not of exists"):
        message = tool.invoke(
            {"type": "tool_call", "id": "1", "name": "rules", "args": {"query": "rules", "k": 20, "filter": tried}}
        )
        assert {document.metadata["of"] for document in message.artifact} <= {"tenant-1"}, tried


def test_a_tenants_name_is_a_value_and_nothing_else(tmp_path: Path) -> None:
    pages = [Document(id=str(n), page_content="The rules.", metadata={"of": name}) for n, name in enumerate(ODD_NAMES)]
    retriever = LateInteractionRetriever.from_documents(pages, tmp_path / "names.rag", k=20)
    for number, name in enumerate(ODD_NAMES):
        assert [document.id for document in retriever.invoke("rules", filter={"of": name})] == [str(number)]
