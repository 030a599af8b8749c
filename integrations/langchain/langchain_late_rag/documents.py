"""LangChain's documents to the core's, and chunks and hits back."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from langchain_core.documents import Document as LangChainDocument
from langchain_core.messages.content import (
    create_audio_block,
    create_file_block,
    create_image_block,
    create_video_block,
)

from late_rag import Chunk, Document, Hit, Media
from late_rag.adapters import (
    SPACE_BEFORE,
    InputError,
    beside,
    canonical_json,
    check_metadata,
    check_text,
    digest,
    encode_metadata,
    is_unread,
    known,
    noted,
    one_chunk,
)
from late_rag.adapters import HitFields as CoreHitFields

if TYPE_CHECKING:
    from late_rag.adapters import Encoder, TokenMatch

CONTENT_BLOCKS = "content_blocks"
"""The key of the metadata under which a document has pictures and the like, as LangChain's content blocks."""

DOCUMENT_ID, START_INDEX, END_INDEX = "document_id", "start_index", "end_index"
"""The keys of the metadata by which a passage says where it stands, and of which document it is."""

EXTRA = "langchain"
"""The key of a chunk's ``extra`` under which stand content blocks that the model does not read."""

_TEXT_BLOCKS = frozenset({"text", "text-plain", "reasoning"})
"""Types of content blocks that are metadata like any other: they say something, and show nothing."""

_PDF = "application/pdf"
_CREATE = {"image": create_image_block, "audio": create_audio_block, "video": create_video_block}


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
    media = media_of(document)
    metadata = dict(document.metadata)
    if media:
        said = [block for block in metadata.pop(CONTENT_BLOCKS) if not _has_data(block)]
        metadata |= {CONTENT_BLOCKS: said} if said else {}
    check_metadata(metadata)
    place = _place(document)
    extra = None
    if place is not None and isinstance(metadata.get(SPACE_BEFORE), str):
        extra = {SPACE_BEFORE: metadata.pop(SPACE_BEFORE)}
    text, identity = document.page_content, id or document.id or _identity(document.page_content, metadata, media)
    if place is None:
        return Document(id=identity, text=text, metadata=metadata, media=media)
    parent, start, end = place
    return Chunk(identity, parent, text, start=start, end=end, metadata=metadata, media=media, extra=extra)


def _place(document: LangChainDocument) -> tuple[str, int, int] | None:
    """Of which document a passage is, and from where to where; None of what is no passage."""
    parent, start, end = (document.metadata.get(name) for name in (DOCUMENT_ID, START_INDEX, END_INDEX))
    if not isinstance(parent, str) or not parent or type(start) is not int or type(end) is not int:
        return None
    return (parent, start, end) if start >= 0 and end - start == len(document.page_content) else None


def _identity(text: str, metadata: Mapping[str, Any], media: Iterable[Media]) -> str:
    return digest(text, canonical_json(encode_metadata(metadata)), *(item.key for item in media))


def unread_kept(item: Document | Chunk, encoder: Callable[[], Encoder]) -> Document | Chunk:
    """What is stored of an item by this model: media alone that it does not read are kept, and nothing is encoded.

    Args:
        item: what :func:`to_document` made.
        encoder: gives the model; asked only where there is no text, but media.
    """
    if not is_unread(item if isinstance(item, Chunk) else one_chunk(item), encoder):
        return item
    kept = {EXTRA: {CONTENT_BLOCKS: content_blocks(item.media)}}
    return replace(item, media=(), extra={**(item.extra or {}), **kept})


def foreign_media(document: LangChainDocument) -> tuple[Media, ...]:
    """The media of a document from elsewhere, which is only looked at: where it has text, broken blocks are none.

    Raises:
        InputError: no text, and a content block whose data cannot be read.
    """
    try:
        return media_of(document)
    except InputError:
        if document.page_content.strip():
            return ()
        raise


def media_of(document: LangChainDocument) -> tuple[Media, ...]:
    """What the content blocks under ``metadata["content_blocks"]`` hold; a URL or file id holds nothing.

    Raises:
        InputError: a content block whose data cannot be read.
    """
    blocks = document.metadata.get(CONTENT_BLOCKS)
    if not isinstance(blocks, list) or not all(isinstance(block, Mapping) and "type" in block for block in blocks):
        return ()
    return tuple(_media(block) for block in blocks if _has_data(block))


def _has_data(block: Mapping[str, Any]) -> bool:
    return block["type"] not in _TEXT_BLOCKS and "base64" in block


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
    return from_chunk(chunk, **known(Hit(chunk, 0.0, 0.0, source), without), **_blocks_again(chunk))


def _metadata(chunk: Chunk) -> dict[str, Any]:
    """The metadata that were added, but its media."""
    said = (chunk.extra or {}).get(SPACE_BEFORE)
    return {**chunk.metadata, **({} if said is None or SPACE_BEFORE in chunk.metadata else {SPACE_BEFORE: said})}


def _blocks_again(chunk: Chunk) -> dict[str, Any]:
    """The content blocks of a chunk with media, behind those without data that its metadata have."""
    kept = (chunk.extra or {}).get(EXTRA, {}).get(CONTENT_BLOCKS, [])
    shown = [*map(dict, kept), *content_blocks(chunk.media)]
    said = chunk.metadata.get(CONTENT_BLOCKS)
    return {CONTENT_BLOCKS: [*(said if isinstance(said, list) else []), *shown]} if shown else {}


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
        again = _blocks_again(hit.chunk)
    elif fields.media is not None and hit.chunk.media:
        more[fields.media] = content_blocks(hit.chunk.media)
    if token_matches is not None:
        more["token_matches"] = [asdict(match) for match in token_matches]
    metadata = {**_metadata(hit.chunk), **known(hit, fields)}
    document = LangChainDocument(
        id=hit.chunk.id, page_content=hit.chunk.text, metadata={**metadata, **beside(metadata, more), **again}
    )
    return noted(document, hit)


def content_blocks(media: Iterable[Media]) -> list[dict[str, Any]]:
    """Pictures, sounds, films and files as LangChain's content blocks, each with its data; a page of a PDF as a PNG.

    Raises:
        LoadError: a file is gone or cannot be read.
        MissingExtraError: a page is to be drawn, and pillow is not installed.
    """
    return [_block(item) for item in media]


def _block(media: Media) -> dict[str, Any]:
    if media.mime_type == _PDF and media.page is not None:
        from late_rag.adapters import render

        mime_type, data = "image/png", render(media, scale=2)
    else:
        mime_type, data = media.mime_type, media.read()
    create = _CREATE.get(mime_type.partition("/")[0], create_file_block)
    identity = f"lc_{digest(mime_type, data)}"  # else LangChain makes one by chance, another for each search
    return dict(create(base64=base64.b64encode(data).decode("ascii"), mime_type=mime_type, id=identity))


def _media(block: Mapping[str, Any]) -> Media:
    try:
        return Media(base64.b64decode(block["base64"], validate=True), block["mime_type"])
    except (KeyError, TypeError, ValueError) as error:
        shown = {key: value for key, value in block.items() if key != "base64"}
        raise InputError(
            f"the content block {shown} needs its data as base64, and a mime_type such as 'image/png'"
        ) from error
