"""Nodes that a late-interaction model takes whole, by the chunkers of :mod:`late_rag`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.adapters import lazy_names

if TYPE_CHECKING:
    from llama_index.node_parser.late_rag.parser import LateInteractionNodeParser

__all__ = ["LateInteractionNodeParser"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "LateInteractionNodeParser": "llama_index.node_parser.late_rag.parser",
    },
)
