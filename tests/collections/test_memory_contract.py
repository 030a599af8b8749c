"""The collection in memory keeps the contract: an engine without SQL, full text and staging."""

from __future__ import annotations

import itertools

import pytest

from late_rag import backends
from late_rag.collections import create_collection, open_collection
from late_rag.protocols import Collection, CollectionSettings
from late_rag.testing import CollectionContract

_numbers = itertools.count()


class TestMemoryCollection(CollectionContract):
    @pytest.fixture(autouse=True)
    def _row(self, monkeypatch: pytest.MonkeyPatch) -> None:
        row = backends.Backend("late_rag.testing", "MemoryCollection")
        monkeypatch.setitem(backends.COLLECTIONS, "memory", row)

    def create(self, settings: CollectionSettings) -> Collection:
        return create_collection(f"memory://contract-{next(_numbers)}", settings)

    def reopen(self, collection: Collection) -> Collection:
        return open_collection(collection.location)
