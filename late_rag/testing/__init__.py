"""For tests, ours and those of whoever adds an engine: contract suites, and doubles of what they are for.

Subclass the suite of what you built, give its fixture, and pytest does the rest::

    from late_rag.testing import EncoderContract

    class TestMyEncoder(EncoderContract):
        @pytest.fixture
        def encoder(self):
            return MyEncoder()

:class:`HashEncoder` is an encoder without a model, :class:`PictureEncoder` one that sees pictures,
:class:`ContextualEncoder` one that reads documents, :class:`LossyIndex` an approximate index whose loss is known,
:class:`MemoryCollection` an engine without SQL. The suites need pytest; they are imported when they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.lazy import lazy_names

if TYPE_CHECKING:
    from late_rag.testing.collection import CollectionContract
    from late_rag.testing.contextual import ContextualEncoder
    from late_rag.testing.doubles import HashEncoder
    from late_rag.testing.encoder import EncoderContract
    from late_rag.testing.index import IndexContract
    from late_rag.testing.lossy import LossyIndex
    from late_rag.testing.memory import MemoryCollection
    from late_rag.testing.pictures import PictureEncoder

_HOMES = {
    "CollectionContract": "late_rag.testing.collection",
    "ContextualEncoder": "late_rag.testing.contextual",
    "EncoderContract": "late_rag.testing.encoder",
    "HashEncoder": "late_rag.testing.doubles",
    "IndexContract": "late_rag.testing.index",
    "LossyIndex": "late_rag.testing.lossy",
    "MemoryCollection": "late_rag.testing.memory",
    "PictureEncoder": "late_rag.testing.pictures",
}

__all__ = [
    "CollectionContract",
    "ContextualEncoder",
    "EncoderContract",
    "HashEncoder",
    "IndexContract",
    "LossyIndex",
    "MemoryCollection",
    "PictureEncoder",
]

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
