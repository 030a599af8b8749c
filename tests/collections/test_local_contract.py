"""The local collection keeps the contract."""

from __future__ import annotations

from late_rag.testing import CollectionContract
from tests.collections.folders import InFolders


class TestLocalCollection(InFolders, CollectionContract):
    pass
