"""What every collection must do: subclass :class:`CollectionContract` and say how one is made and opened again."""

from __future__ import annotations

from late_rag.testing.collection_metadata import MetadataContract
from late_rag.testing.collection_search import SearchContract
from late_rag.testing.collection_writes import WriteContract


class CollectionContract(WriteContract, SearchContract, MetadataContract):
    """The contract of :class:`late_rag.protocols.Collection`.

    Subclasses define ``create(settings)``, which makes an empty collection for one test, and ``reopen(collection)``,
    which opens it a second time, as another process would.
    """
