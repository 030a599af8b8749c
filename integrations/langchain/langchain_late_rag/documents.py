"""LangChain's documents to the core's, and chunks and hits back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document as LangChainDocument

from langchain_late_rag.blocks import CONTENT_BLOCKS, blocks_again, content_blocks, extra_of, media_of, without_data
from late_rag import Chunk, Document, Hit, Media
from late_rag.adapters import (
    SPACE_BEFORE,
    beside,
    canonical_json,
    check_metadata,
    check_text,
    digest,
    encode_metadata,
    known,
    noted,
)
from late_rag.adapters import HitFields as CoreHitFields

if TYPE_CHECKING:
    from late_rag.adapters import TokenMatch

DOCUMENT_ID, START_INDEX, END_INDEX = "document_id", "start_index", "end_index"
"""The keys of the metadata by which a passage says where it stands, and of which document it is."""


@dataclass(frozen=True)
class HitFields(CoreHitFields):
    """Which keys of a found document's metadata carry what is known of the hit; None leaves it out.

    Score and similarity are left out unless they are named, because they differ by question: with them one passage
    that two questions find would be two documents to whatever compares documents, such as ``MultiQueryRetriever``.

    A key that the document has itself keeps the document's value, and what is known of the hit stands under the key
    with ``late_rag_`` before it, unless it is the same.
    """

    chunk_id: str | None = "chunk_id"
    document_id: str | None = "document_id"

    media: str | None = None
    """Pictures and pages of the chunk, as LangChain's content blocks."""


def to_document(document: LangChainDocument, id: str | None = None) -> Document | Chunk:  # noqa: A002
    """What the core stores of a LangChain document, whose text becomes one chunk with the same id.

    A passage, whose metadata have the ``document_id``, ``start_index`` and ``end_index`` that the text splitter gives,
    becomes a chunk of that document. The ``space_before`` that it gives as well is kept beside: nobody filters by it.

    Content blocks with data under ``metadata["content_blocks"]`` become media; the rest of the metadata is as given,
    blocks of text and those that only say where something is included.

    Args:
        document: stays as it is.
        id: in place of the document's own. Without either, the id is a hash of text and metadata, so that the same
            text with other metadata is another document.

    Raises:
        InputError: text or metadata that cannot be stored.
    """
    check_text(document.page_content, "page_content")
    check_text(id or document.id or "", "the id")
    media, metadata, extra = media_of(document.metadata), without_data(document.metadata), extra_of(document.metadata)
    check_metadata(metadata)
    check_metadata(extra)
    place = _place(document)
    if place is not None and isinstance(metadata.get(SPACE_BEFORE), str):
        extra = {**extra, SPACE_BEFORE: metadata.pop(SPACE_BEFORE)}
    text, identity = document.page_content, id or document.id or _identity(document.page_content, metadata, media)
    if place is None:
        return Document(id=identity, text=text, metadata=metadata, media=media, extra=extra or None)
    parent, start, end = place
    return Chunk(identity, parent, text, start=start, end=end, metadata=metadata, media=media, extra=extra or None)


def _place(document: LangChainDocument) -> tuple[str, int, int] | None:
    """Of which document a passage is, and from where to where; None of what is no passage."""
    parent, start, end = (document.metadata.get(name) for name in (DOCUMENT_ID, START_INDEX, END_INDEX))
    if not isinstance(parent, str) or not parent or type(start) is not int or type(end) is not int:
        return None
    return (parent, start, end) if start >= 0 and end - start == len(document.page_content) else None


def _identity(text: str, metadata: Mapping[str, Any], media: Iterable[Media]) -> str:
    return digest(text, canonical_json(encode_metadata(metadata)), *(item.key for item in media))


def from_chunk(chunk: Chunk, **more: Any) -> LangChainDocument:
    """A chunk as a LangChain document, with ``more`` in its metadata."""
    return LangChainDocument(id=chunk.id, page_content=chunk.text, metadata={**_metadata(chunk), **more})


def from_stored(chunk: Chunk, source: str | None, fields: HitFields) -> LangChainDocument:
    """A chunk as a search gives it, but for what only a search knows; its media are content blocks again.

    Args:
        chunk: as it is stored.
        source: the location of the file that it came from, if it came from one.
        fields: which keys carry what.
    """
    without = replace(fields, score=None, similarity=None, fused=None)
    return from_chunk(chunk, **known(Hit(chunk, 0.0, 0.0, source), without), **blocks_again(chunk))


def _metadata(chunk: Chunk) -> dict[str, Any]:
    """The metadata that were added, but its media."""
    said = (chunk.extra or {}).get(SPACE_BEFORE)
    return {**chunk.metadata, **({} if said is None or SPACE_BEFORE in chunk.metadata else {SPACE_BEFORE: said})}


def from_hit(
    hit: Hit, fields: HitFields | None = None, token_matches: Sequence[TokenMatch] | None = None
) -> LangChainDocument:
    """A hit as a LangChain document; the text is the chunk's, with a context beside it in the metadata.

    Args:
        hit: what a search found.
        fields: which keys carry what; None is the defaults of :class:`HitFields`.
        token_matches: what each token of the query matched, which becomes a list of dicts.
    """
    fields = HitFields() if fields is None else fields
    more: dict[str | None, Any] = {}
    again: dict[str, Any] = {}
    if fields.media == CONTENT_BLOCKS:
        again = blocks_again(hit.chunk)
    elif fields.media is not None and hit.chunk.media:
        more[fields.media] = content_blocks(hit.chunk.media)
    if token_matches is not None:
        more["token_matches"] = [asdict(match) for match in token_matches]
    metadata = {**_metadata(hit.chunk), **known(hit, fields)}
    document = LangChainDocument(
        id=hit.chunk.id, page_content=hit.chunk.text, metadata={**metadata, **beside(metadata, more), **again}
    )
    return noted(document, hit)
