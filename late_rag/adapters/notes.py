"""What a framework's document is as a hit, for a reranker behind a retriever of the same process.

It stands beside the document's fields, not among its metadata: it is no part of what the document is equal to, of its
text, or of what is written down of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from late_rag.types import Chunk, Hit

T = TypeVar("T")

_NAME = "_late_rag_note"


class _Note:
    """Copies are the note itself; of one that leaves the process nothing arrives, because the hit would go with it."""

    def __init__(self, hit: Hit) -> None:
        self.hit = hit

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()


def noted(item: T, hit: Hit) -> T:
    """The item, which now knows the hit that it was made of; copies of it do, too."""
    object.__setattr__(item, _NAME, _Note(hit))  # past what a model of pydantic makes of names it has no field for
    return item


def as_found(item: object, candidate: Chunk) -> Chunk | Hit:
    """The hit that the item was made of, where it still is that passage; else the candidate.

    Args:
        item: a framework's document or node.
        candidate: what is encoded of it now.
    """
    note = getattr(item, "__dict__", {}).get(_NAME)
    if note is None:
        return candidate
    chunk: Chunk = note.hit.chunk
    same = (chunk.id, chunk.text) == (candidate.id, candidate.text)
    return note.hit if same and candidate.embed_text in (None, chunk.embed_text) else candidate
