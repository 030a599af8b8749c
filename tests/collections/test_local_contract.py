"""The local collection keeps the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from late_rag.collections import open_collection
from late_rag.collections.local import LocalCollection
from late_rag.protocols import Collection, CollectionSettings
from late_rag.testing import CollectionContract


class TestLocalCollection(CollectionContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.count = 0

    def create(self, settings: CollectionSettings) -> Collection:
        self.count += 1
        return LocalCollection.create(self.folder / f"collection-{self.count}.rag", settings)

    def reopen(self, collection: Collection) -> Collection:
        return open_collection(collection.location)
