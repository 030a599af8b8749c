"""Many tenants in one collection: a filter per request, and never a row of another tenant."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from haystack import Document
from haystack.document_stores.types import FilterPolicy

from haystack_integrations.components.retrievers.late_rag import LateInteractionRetriever
from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from tests.frameworks import ODD_NAMES, TOPICS, request, tenants_pages

THREADS, REQUESTS = 8, 1000


def of(tenant: str) -> dict[str, Any]:
    return {"field": "meta.of", "operator": "==", "value": tenant}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> LateInteractionDocumentStore:
    """A store where every tenant has a page on every topic."""
    store = LateInteractionDocumentStore(str(tmp_path_factory.mktemp("tenants") / "shared.rag"))
    store.write_documents([Document(id=page, content=text, meta={"of": name}) for page, text, name in tenants_pages()])
    return store


def check(tenant: str, found: dict[str, list[Document]]) -> None:
    assert {document.meta["of"] for document in found["documents"]} == {tenant}
    assert len(found["documents"]) == len(TOPICS)


def test_a_thousand_requests_of_eight_threads(shared: LateInteractionDocumentStore) -> None:
    retriever = LateInteractionRetriever(shared, top_k=len(TOPICS) + 4)

    def ask(number: int) -> None:
        tenant, question, page = request(number)
        found = retriever.run(question, of(tenant))
        check(tenant, found)
        assert found["documents"][0].id == page

    with ThreadPoolExecutor(THREADS) as pool:
        assert len(list(pool.map(ask, range(REQUESTS)))) == REQUESTS


async def test_the_same_on_one_event_loop(shared: LateInteractionDocumentStore) -> None:
    retriever = LateInteractionRetriever(shared, top_k=20)

    async def ask(number: int) -> None:
        tenant, question, _ = request(number)
        check(tenant, await retriever.run_async(question, of(tenant)))

    await asyncio.gather(*(ask(number) for number in range(200)))


@pytest.mark.parametrize("policy", FilterPolicy)
def test_a_required_tenant_stays(shared: LateInteractionDocumentStore, policy: FilterPolicy) -> None:
    retriever = LateInteractionRetriever(
        shared, top_k=20, required_filters=of("tenant-1"), filters=of("tenant-1"), filter_policy=policy
    )
    check("tenant-1", retriever.run("rules"))
    everyone = {"operator": "OR", "conditions": [of("tenant-1"), {"operator": "NOT", "conditions": [of("tenant-1")]}]}
    check("tenant-1", retriever.run("rules", everyone))
    assert retriever.run("rules", of("tenant-2")) == {"documents": []}


def test_a_tenants_name_is_a_value_and_nothing_else(tmp_path: Path) -> None:
    store = LateInteractionDocumentStore(tmp_path / "names.rag")
    store.write_documents(
        [Document(id=str(n), content="The rules.", meta={"of": name}) for n, name in enumerate(ODD_NAMES)]
    )
    retriever = LateInteractionRetriever(store, top_k=20)
    for number, name in enumerate(ODD_NAMES):
        assert [document.id for document in retriever.run("rules", of(name))["documents"]] == [str(number)]
