"""What is known of a hit, as metadata of the document that a framework gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from late_rag.types import Hit

PREFIX = "late_rag_"
"""Stands before a key that the document's own metadata has already."""


@dataclass(frozen=True)
class HitFields:
    """Which keys of a found document's metadata carry what is known of the hit; None leaves it out.

    A key that the document has itself keeps the document's value, and what is known of the hit stands under the key
    with ``late_rag_`` before it, unless it is the same.
    """

    score: str | None = None
    """The MaxSim sum, which grows with the query's length."""

    similarity: str | None = None
    """Its mean over the query's tokens, from 0 to 1: what thresholds apply to."""

    chunk_id: str | None = None
    """The id of the chunk."""

    document_id: str | None = None
    """The id of the document that the chunk is a part of."""

    source: str | None = "source"
    """The location of the file that it came from, where it came from one."""

    context: str | None = "context"
    """The document or the neighbours around the chunk, where ``expand`` asked for them."""

    fused: str | None = None
    """What a hybrid search orders by."""


def known(hit: Hit, fields: HitFields) -> dict[str, Any]:
    """What the fields ask for and the hit has, under keys that the chunk's metadata do not have yet."""
    values: dict[str | None, Any] = {
        fields.chunk_id: hit.chunk.id,
        fields.document_id: hit.chunk.document_id,
        fields.score: hit.score,
        fields.similarity: hit.similarity,
        fields.fused: hit.fused,
        fields.source: hit.source,
        fields.context: hit.context,
    }
    return beside(hit.chunk.metadata, values)


def beside(own: Mapping[str, Any], values: Mapping[str | None, Any]) -> dict[str, Any]:
    """The values under keys that ``own`` does not have yet; without what is None, has no key, or is there already."""
    return {
        _free(key, own): value
        for key, value in values.items()
        if key is not None and value is not None and not _says(own, key, value)
    }


def _says(own: Mapping[str, Any], key: str, value: Any) -> bool:
    return key in own and type(own[key]) is type(value) and bool(own[key] == value)


def _free(key: str, own: Mapping[str, Any]) -> str:
    """The key, with as many prefixes as it takes."""
    return key if key not in own else _free(f"{PREFIX}{key}", own)
