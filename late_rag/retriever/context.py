"""The context of a hit: what may be seen of its document, or of the chunks around it."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from late_rag.chunkers.encoded import table_in_front
from late_rag.filters.selection import Selection
from late_rag.retriever.joining import GAP, Joiner
from late_rag.tables import cells, has_header

if TYPE_CHECKING:
    from collections.abc import Sequence

    from late_rag.protocols import Collection
    from late_rag.retriever.options import Expand
    from late_rag.types import Chunk, Hit

__all__ = ["GAP", "with_context"]

_READ_AT_ONCE = 10_000
"""Chunks, so that a filter is evaluated once."""


def with_context(
    collection: Collection, lists: Sequence[list[Hit]], expand: Expand, selection: Selection | None
) -> list[list[Hit]]:
    """The hits with their ``context``; each document is read once, however many of them are of it.

    A context is made of chunks that there are and that the selection means, and of nothing else: the document's text,
    which may hold what was never a chunk or must not be seen, gives no more than the white space between them. What is
    left out between two of them shows as a gap.

    Chunks are neighbours in the order of their spans, else in that in which they were written. In front of a passage
    that begins inside of a table stands the table's header, if a chunk that may be seen has it.
    """
    owners = tuple(dict.fromkeys(hit.chunk.document_id for hits in lists for hit in hits))
    if not owners:
        return [list(hits) for hits in lists]
    seen = _chunks(collection, replace(selection or Selection(), document_ids=owners))
    texts = {document.id: document.text for document in collection.get_documents(owners)}
    order = _Order(collection, owners, restricted=selection is not None and not selection.everything)
    documents = {owner: _Seen(seen.get(owner, []), texts.get(owner), order) for owner in owners}
    return [
        [replace(hit, context=documents[hit.chunk.document_id].context(hit.chunk, expand)) for hit in hits]
        for hits in lists
    ]


class _Seen:
    """What may be seen of one document."""

    def __init__(self, chunks: list[Chunk], text: str | None, order: _Order) -> None:
        self._chunks = chunks
        self._places = {chunk.id: place for place, chunk in enumerate(chunks)}
        self._join = Joiner(text, order.parted)

    def context(self, chunk: Chunk, expand: Expand) -> str:
        """What stands around the chunk; itself alone where it was changed or removed since it was found."""
        place = self._places.get(chunk.id)
        if place is None or self._chunks[place].text != chunk.text:
            return chunk.text
        if not isinstance(expand, int):
            return self._whole
        begin = max(0, place - expand)
        return self._header(begin) + self._join(self._chunks[begin : place + expand + 1])

    @cached_property
    def _whole(self) -> str:
        return self._join.whole(self._chunks)

    def _header(self, place: int) -> str:
        """The table's header that was encoded in front of a chunk, if it stands in one before it that may be seen."""
        header = table_in_front(self._chunks[place])
        if not header:
            return ""
        names = cells(header.partition("\n")[0])
        return header if any(has_header(self._chunks[at].text, names) for at in range(place - 1, -1, -1)) else ""


class _Order:
    """In which order chunks stand, those that must not be seen among them: read only if it is asked for."""

    def __init__(self, collection: Collection, owners: tuple[str, ...], *, restricted: bool) -> None:
        self._collection = collection
        self._owners = owners
        self._restricted = restricted

    def parted(self, first: Chunk, second: Chunk) -> bool:
        """Whether a chunk that must not be seen stands between two that may."""
        return self._restricted and self._places.get(second.id, 0) - self._places.get(first.id, 0) != 1

    @cached_property
    def _places(self) -> dict[str, int]:
        found = _chunks(self._collection, Selection(document_ids=self._owners))
        return {chunk.id: place for chunks in found.values() for place, chunk in enumerate(chunks)}


def _chunks(collection: Collection, selection: Selection) -> dict[str, list[Chunk]]:
    """The chunks of each document, in order."""
    found: dict[str, list[Chunk]] = {}
    for batch in collection.iterate(selection, batch_size=_READ_AT_ONCE):
        for chunk, _ in batch:
            found.setdefault(chunk.document_id, []).append(chunk)
    for chunks in found.values():
        if all(chunk.start is not None for chunk in chunks):
            chunks.sort(key=lambda chunk: (chunk.start, chunk.end))
    return found
