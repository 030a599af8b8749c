"""LangChain's ``index()`` keeps a store in step with its documents, whichever way it cleans up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, aindex, index

from langchain_late_rag import LateInteractionVectorStore

Cleanup = Literal["incremental", "full", "scoped_full"] | None

FIRST = [
    Document("The cat sleeps.", metadata={"source": "1"}),
    Document("The dog barks.", metadata={"source": "1"}),
    Document("The fish swims.", metadata={"source": "2"}),
]
SECOND = [
    Document("The cat sleeps.", metadata={"source": "1"}),
    Document("The dog howls.", metadata={"source": "1"}),
]
LEFT: dict[Cleanup, set[str]] = {
    None: {"The cat sleeps.", "The dog barks.", "The dog howls.", "The fish swims."},
    "incremental": {"The cat sleeps.", "The dog howls.", "The fish swims."},
    "scoped_full": {"The cat sleeps.", "The dog howls.", "The fish swims."},
    "full": {"The cat sleeps.", "The dog howls."},
}


@pytest.fixture
def store() -> Iterator[LateInteractionVectorStore]:
    with LateInteractionVectorStore() as made:
        yield made


@pytest.fixture
def records() -> InMemoryRecordManager:
    manager = InMemoryRecordManager("tests")
    manager.create_schema()
    return manager


def texts(store: LateInteractionVectorStore) -> set[str]:
    found = store.similarity_search("an animal", k=100)
    assert len(found) == len({document.page_content for document in found})
    return {document.page_content for document in found}


def counts(result: Any) -> tuple[int, int, int, int]:
    return result["num_added"], result["num_updated"], result["num_skipped"], result["num_deleted"]


@pytest.mark.parametrize("cleanup", list(LEFT))
def test_every_cleanup(store: LateInteractionVectorStore, records: InMemoryRecordManager, cleanup: Cleanup) -> None:
    def run(documents: list[Document], **more: Any) -> tuple[int, int, int, int]:
        return counts(
            index(documents, records, store, cleanup=cleanup, source_id_key="source", key_encoder="blake2b", **more)
        )

    assert run(FIRST) == (3, 0, 0, 0)
    assert texts(store) == {document.page_content for document in FIRST}
    assert run(FIRST) == (0, 0, 3, 0)
    assert run(SECOND) == (1, 0, 1, 4 - len(LEFT[cleanup]))
    assert texts(store) == LEFT[cleanup]
    assert run(SECOND, force_update=True) == (0, 2, 0, 0)
    assert texts(store) == LEFT[cleanup]


@pytest.mark.parametrize("cleanup", list(LEFT))
async def test_every_cleanup_async(
    store: LateInteractionVectorStore, records: InMemoryRecordManager, cleanup: Cleanup
) -> None:
    async def run(documents: list[Document]) -> tuple[int, int, int, int]:
        return counts(
            await aindex(documents, records, store, cleanup=cleanup, source_id_key="source", key_encoder="blake2b")
        )

    assert await run(FIRST) == (3, 0, 0, 0)
    assert await run(FIRST[:1] * 2 + FIRST[1:]) == (0, 0, 4, 0)
    await run(SECOND)
    assert texts(store) == LEFT[cleanup]


@pytest.mark.parametrize("emptied", [[], lambda: iter([])])
def test_full_cleanup_of_nothing_empties_the_store(
    store: LateInteractionVectorStore,
    records: InMemoryRecordManager,
    emptied: list[Document] | Callable[[], Iterator[Document]],
) -> None:
    index(FIRST, records, store, cleanup="full", key_encoder="blake2b")
    source = emptied() if callable(emptied) else emptied
    assert counts(index(source, records, store, cleanup="full", key_encoder="blake2b")) == (0, 0, 0, 3)
    assert texts(store) == set()
