"""LangChain's own tests of a vector store, unmodified: sync and async."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import VectorStoreIntegrationTests

from langchain_late_rag import LateInteractionVectorStore


class TestTemporary(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> Iterator[VectorStore]:  # type: ignore[override]
        with LateInteractionVectorStore() as store:
            yield store


class TestAtALocation(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> VectorStore:  # type: ignore[override]
        return LateInteractionVectorStore.from_documents([], collection=tmp_path / "store.rag")
