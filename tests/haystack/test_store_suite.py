"""Haystack's own tests of a document store, sync and async; each class of them that there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from haystack.dataclasses import Document
from haystack.document_stores.errors import DuplicateDocumentError
from haystack.document_stores.types import DuplicatePolicy
from haystack.testing import document_store as suite
from haystack.testing import document_store_async as async_suite

from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from late_rag import Retriever


class Suite(
    suite.DocumentStoreBaseExtendedTests,
    suite.CountDocumentsByFilterTest,
    suite.CountUniqueMetadataByFilterTest,
    suite.GetMetadataFieldsInfoTest,
    suite.GetMetadataFieldMinMaxTest,
    suite.GetMetadataFieldUniqueValuesTest,
    async_suite.CountDocumentsAsyncTest,
    async_suite.CountDocumentsByFilterAsyncTest,
    async_suite.CountUniqueMetadataByFilterAsyncTest,
    async_suite.DeleteAllAsyncTest,
    async_suite.DeleteByFilterAsyncTest,
    async_suite.DeleteDocumentsAsyncTest,
    async_suite.FilterDocumentsAsyncTest,
    async_suite.GetMetadataFieldsInfoAsyncTest,
    async_suite.GetMetadataFieldMinMaxAsyncTest,
    async_suite.GetMetadataFieldUniqueValuesAsyncTest,
    async_suite.UpdateByFilterAsyncTest,
    async_suite.WriteDocumentsAsyncTest,
):
    def test_write_documents(self, document_store: LateInteractionDocumentStore) -> None:  # type: ignore[override]
        """The suite leaves to the store what it does without a policy: it fails, and writes nothing."""
        document = Document(content="test doc")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([Document(content="another"), document])
        assert document_store.filter_documents() == [document]

    async def test_write_documents_async(self, document_store: LateInteractionDocumentStore) -> None:
        document = Document(content="test doc")
        assert await document_store.write_documents_async([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            await document_store.write_documents_async([Document(content="another"), document], DuplicatePolicy.NONE)
        assert await document_store.filter_documents_async() == [document]


class TestTemporary(Suite):
    @pytest.fixture
    def document_store(self) -> Iterator[LateInteractionDocumentStore]:
        store = LateInteractionDocumentStore()
        yield store
        store.close()


class TestAtALocation(Suite):
    @pytest.fixture
    def document_store(self, tmp_path: Path) -> LateInteractionDocumentStore:
        Retriever.create(tmp_path / "store.rag").close()
        return LateInteractionDocumentStore(tmp_path / "store.rag")


def test_no_class_of_the_suites_is_left_out() -> None:
    offered = {
        kind
        for module in (suite, async_suite)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and name.endswith(("Test", "Tests"))
    }
    assert offered <= set(Suite.__mro__)
