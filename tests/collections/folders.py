"""Local collections for the contract suite, each in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from late_rag.collections import create_collection, open_collection
from late_rag.protocols import Collection, CollectionSettings


class InFolders:
    """What :class:`late_rag.testing.CollectionContract` asks a suite for."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.count = 0

    def create(self, settings: CollectionSettings) -> Collection:
        self.count += 1
        return create_collection(self.folder / f"collection-{self.count}.rag", settings)

    def reopen(self, collection: Collection) -> Collection:
        return open_collection(collection.location)
