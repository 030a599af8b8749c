"""What chunks have of their document's metadata: all of it, unless so many copies would be out of proportion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from late_rag.metadata import MAX_DEPTH
from late_rag.types import Document, Metadata

ALWAYS_CARRIED = 16_384
"""Characters of metadata that every chunk has, whatever the document's length: a chunk's embeddings take more bytes."""

MOST_COPIED = 4 * 2**20
"""Characters of all copies of a document's metadata beyond which each has :data:`ALWAYS_CARRIED` at most."""

_SHORT_CHUNK = 200  # characters: by which the number of chunks is estimated


def carried(document: Document) -> Metadata:
    """The document's metadata, or without its longest values where the copies would be many and long."""
    costs = {key: len(key) + _cost(value, len(key)) for key, value in document.metadata.items()}
    total = sum(costs.values())
    if total <= ALWAYS_CARRIED or total * (1 + len(document.text) // _SHORT_CHUNK) <= MOST_COPIED:
        return document.metadata
    for key in sorted(costs, key=costs.__getitem__, reverse=True):
        if total <= ALWAYS_CARRIED:
            break
        total -= costs.pop(key)
    return {key: document.metadata[key] for key in costs}


def _cost(value: Any, name: int, level: int = 0) -> int:
    """Characters that a value takes, with the names of those inside of it: each is stored with its whole name."""
    if isinstance(value, str):
        return len(value)
    if level > MAX_DEPTH:  # which is refused where it is stored
        return 0
    if isinstance(value, Mapping):
        names = ((name + 1 + len(key), item) for key, item in value.items())
        return sum(longer + _cost(item, longer, level + 1) for longer, item in names)
    if isinstance(value, list):
        return sum(_cost(item, name, level + 1) + name for item in value)
    return 20
