"""Files as LlamaIndex's documents, by the loaders of :mod:`late_rag`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.adapters import lazy_names

if TYPE_CHECKING:
    from llama_index.readers.late_rag.reader import LateInteractionReader

__all__ = ["LateInteractionReader"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "LateInteractionReader": "llama_index.readers.late_rag.reader",
    },
)
