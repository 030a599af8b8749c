"""Many tenants in one collection: a filter per request, and never a row of another tenant."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from langchain_core.documents import Document

from langchain_late_rag import LateInteractionRetriever, late_interaction_tool

TENANTS = [f"tenant-{number}" for number in range(8)]
TOPICS = ("travel", "leave", "parking", "lunch", "laptops", "passwords")
THREADS, REQUESTS = 8, 1000


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The location of a collection where every tenant has a page on every topic."""
    pages = [
        Document(
            id=f"{tenant}/{topic}", page_content=f"The rules for {topic} are on page {page}.", metadata={"of": tenant}
        )
        for tenant in TENANTS
        for page, topic in enumerate(TOPICS)
    ]
    location = str(tmp_path_factory.mktemp("tenants") / "shared.rag")
    LateInteractionRetriever.from_documents(pages, location)
    return location


def asked(number: int) -> tuple[str, str]:
    """Who asks in a request, and what."""
    choice = random.Random(number)
    return choice.choice(TENANTS), f"what are the rules for {choice.choice(TOPICS)}?"


def check(tenant: str, found: list[Document]) -> None:
    assert {document.metadata["of"] for document in found} == {tenant}
    assert len(found) == len(TOPICS)


def test_a_thousand_requests_of_eight_threads(shared: str) -> None:
    retriever = LateInteractionRetriever(collection=shared, k=len(TOPICS) + 4)

    def request(number: int) -> None:
        tenant, question = asked(number)
        found = retriever.invoke(question, filter={"of": tenant})
        check(tenant, found)
        assert found[0].id == f"{tenant}/{question.removeprefix('what are the rules for ').rstrip('?')}"

    with ThreadPoolExecutor(THREADS) as pool:
        assert len(list(pool.map(request, range(REQUESTS)))) == REQUESTS


async def test_the_same_on_one_event_loop(shared: str) -> None:
    retriever = LateInteractionRetriever(collection=shared, k=20)

    async def request(number: int) -> None:
        tenant, question = asked(number)
        check(tenant, await retriever.ainvoke(question, filter={"of": tenant}))

    await asyncio.gather(*(request(number) for number in range(200)))


def test_an_agent_cannot_reach_another_tenant(shared: str) -> None:
    retriever = LateInteractionRetriever(collection=shared, k=20, filter={"of": "tenant-1"})
    tool = late_interaction_tool(retriever, "rules", "The rules", most=20)
    for tried in ('of == "tenant-2"', "of exists", 'of == "tenant-1" or of != "tenant-1"', "not of exists"):
        message = tool.invoke(
            {"type": "tool_call", "id": "1", "name": "rules", "args": {"query": "rules", "k": 20, "filter": tried}}
        )
        assert {document.metadata["of"] for document in message.artifact} <= {"tenant-1"}, tried


def test_a_tenants_name_is_a_value_and_nothing_else(tmp_path: Path) -> None:
    names = ["a", 'a" or of != "', "a' or '1'='1", "a\\", "%", "*", 'b" or of exists or of == "']
    pages = [Document(id=str(n), page_content="The rules.", metadata={"of": name}) for n, name in enumerate(names)]
    retriever = LateInteractionRetriever.from_documents(pages, tmp_path / "names.rag", k=20)
    for number, name in enumerate(names):
        assert [document.id for document in retriever.invoke("rules", filter={"of": name})] == [str(number)]
