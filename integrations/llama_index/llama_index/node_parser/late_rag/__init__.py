"""Nodes that a late-interaction model takes whole, by the chunkers of :mod:`late_rag`."""

from llama_index.node_parser.late_rag.parser import LateInteractionNodeParser

__all__ = ["LateInteractionNodeParser"]
