"""The context of a hit: its document's text, or the text of the chunks around it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from late_rag.chunkers.encoded import table_in_front
from late_rag.types import Selection

if TYPE_CHECKING:
    from late_rag.protocols import Collection
    from late_rag.retriever.options import Expand
    from late_rag.types import Chunk, Hit


def with_context(collection: Collection, lists: Sequence[list[Hit]], expand: Expand) -> list[list[Hit]]:
    """The hits with their ``context``; each document is read once, however many of them are of it.

    Chunks are neighbours in the order of their spans, else in that in which they were written. Where the document's
    text is stored and the spans are known, the context is a passage of it; else the chunks' texts, a line break
    between them. In front of a passage that begins inside of a table stands the table's header.
    """
    owners = tuple(dict.fromkeys(hit.chunk.document_id for hits in lists for hit in hits))
    if not owners:
        return [list(hits) for hits in lists]
    texts = {document.id: document.text for document in collection.get_documents(owners)}
    needed = owners if expand != "document" else tuple(owner for owner in owners if owner not in texts)
    chunks = _chunks(collection, needed)

    def context(chunk: Chunk) -> str:
        if expand == "document" and chunk.document_id in texts:
            return texts[chunk.document_id]
        siblings = chunks.get(chunk.document_id) or [chunk]
        if isinstance(expand, int):
            place = next((number for number, other in enumerate(siblings) if other.id == chunk.id), None)
            siblings = [chunk] if place is None else siblings[max(0, place - expand) : place + expand + 1]
        return table_in_front(siblings[0]) + _joined(siblings, texts.get(chunk.document_id))

    return [[replace(hit, context=context(hit.chunk)) for hit in hits] for hits in lists]


def _chunks(collection: Collection, owners: tuple[str, ...]) -> dict[str, list[Chunk]]:
    """The chunks of each document, in order."""
    found: dict[str, list[Chunk]] = {}
    if owners:
        for batch in collection.iterate(Selection(document_ids=owners)):
            for chunk, _ in batch:
                found.setdefault(chunk.document_id, []).append(chunk)
    for chunks in found.values():
        if all(chunk.start is not None for chunk in chunks):
            chunks.sort(key=lambda chunk: (chunk.start, chunk.end))
    return found


def _joined(chunks: Iterable[Chunk], text: str | None) -> str:
    listed = list(chunks)
    starts = [chunk.start for chunk in listed if chunk.start is not None]
    ends = [chunk.end for chunk in listed if chunk.end is not None]
    if text is not None and len(starts) == len(ends) == len(listed):
        passage = text[min(starts) : max(ends)]
        if all(chunk.text in passage for chunk in listed):
            return passage
    return "\n".join(chunk.text for chunk in listed)
