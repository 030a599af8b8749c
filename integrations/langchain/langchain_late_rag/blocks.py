"""LangChain's content blocks in a document's metadata, and the core's media."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.messages.content import (
    create_audio_block,
    create_file_block,
    create_image_block,
    create_video_block,
)

from late_rag import Chunk, Document, Media
from late_rag.adapters import InputError, digest, is_unread, one_chunk

if TYPE_CHECKING:
    from late_rag.adapters import Encoder

CONTENT_BLOCKS = "content_blocks"
"""The key of the metadata under which a document has pictures and the like, as LangChain's content blocks."""

_EXTRA = "langchain"
"""The key of a chunk's ``extra`` under which stands what makes them the very blocks again."""

_DATA = "base64"
_TEXT_BLOCKS = frozenset({"text", "text-plain", "reasoning"})
"""Types of content blocks that are metadata like any other: they say something, and show nothing."""

_PDF = "application/pdf"
_CREATE = {"image": create_image_block, "audio": create_audio_block, "video": create_video_block}

Block: TypeAlias = Mapping[str, Any]


def blocks_of(metadata: Mapping[str, Any]) -> Sequence[Block]:
    """The content blocks; none where something else stands under their key."""
    blocks = metadata.get(CONTENT_BLOCKS)
    if not isinstance(blocks, list) or not all(isinstance(block, Mapping) and "type" in block for block in blocks):
        return ()
    return blocks


def has_data(block: Block) -> bool:
    """Whether a block shows something, and has it with it; a URL or file id is metadata."""
    return block["type"] not in _TEXT_BLOCKS and _DATA in block


def page_of(block: Block) -> int | None:
    """The page that the block shows, as :func:`content_blocks` says it."""
    extras = block.get("extras")
    page = extras.get("page") if isinstance(extras, Mapping) else None
    return page if type(page) is int else None


def without_data(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata without the blocks that have data."""
    blocks = blocks_of(metadata)
    said = [block for block in blocks if not has_data(block)]
    if len(said) == len(blocks):
        return dict(metadata)
    kept = {key: value for key, value in metadata.items() if key != CONTENT_BLOCKS}
    return {**kept, CONTENT_BLOCKS: said} if said else kept


def media_of(metadata: Mapping[str, Any]) -> tuple[Media, ...]:
    """What the content blocks hold.

    Raises:
        InputError: a content block whose data cannot be read.
    """
    return tuple(_media(block) for block in blocks_of(metadata) if has_data(block))


def extra_of(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What a chunk keeps beside its media and metadata: in order, blocks without their data, None for the others."""
    blocks = blocks_of(metadata)
    if not any(map(has_data, blocks)):
        return {}
    return {_EXTRA: {CONTENT_BLOCKS: [_rest(block) if has_data(block) else None for block in blocks]}}


def _rest(block: Block) -> dict[str, Any]:
    return {key: value for key, value in block.items() if key != _DATA}


def unread_kept(item: Document | Chunk, encoder: Callable[[], Encoder]) -> Document | Chunk:
    """What is stored of an item by this model: media alone that it does not read are kept, and nothing is encoded.

    Args:
        item: with :func:`extra_of` its metadata.
        encoder: gives the model; asked only where there is no text, but media.
    """
    if not is_unread(item if isinstance(item, Chunk) else one_chunk(item), encoder):
        return item
    media = iter(item.media)
    kept = [block and {**block, _DATA: _encoded(next(media))} for block in (item.extra or {})[_EXTRA][CONTENT_BLOCKS]]
    return replace(item, media=(), extra={**(item.extra or {}), _EXTRA: {CONTENT_BLOCKS: kept}})


def blocks_again(chunk: Chunk) -> dict[str, Any]:
    """The content blocks of a chunk as metadata, as they were; of media that others wrote behind those that it has."""
    found = chunk.metadata.get(CONTENT_BLOCKS)
    said = iter(found if isinstance(found, list) else ())
    rest = _kept_of(chunk)
    if rest is None:
        return {CONTENT_BLOCKS: [*said, *content_blocks(chunk.media)]} if chunk.media else {}
    again = list(_joined(rest, said, iter(chunk.media)))
    return {CONTENT_BLOCKS: [*said, *again]}


def _kept_of(chunk: Chunk) -> list[Block | None] | None:
    """What :func:`extra_of` or :func:`unread_kept` gave; None where it is not of the media that the chunk has."""
    beside = (chunk.extra or {}).get(_EXTRA)
    rest = beside.get(CONTENT_BLOCKS) if isinstance(beside, Mapping) else None
    if not isinstance(rest, list) or not all(block is None or isinstance(block, Mapping) for block in rest):
        return None
    shown = sum(block is not None and _DATA not in block for block in rest)
    return rest if shown == len(chunk.media) else None


def _joined(rest: Iterable[Block | None], said: Iterator[Block], media: Iterator[Media]) -> Iterator[Block]:
    for block in rest:
        if block is None:
            yield from islice(said, 1)  # none, where the metadata were changed since
        else:
            yield {_DATA: _encoded(next(media)), **block} if _DATA not in block else dict(block)


def content_blocks(media: Iterable[Media]) -> list[dict[str, Any]]:
    """Pictures, sounds, films and files as LangChain's content blocks, each with its data; a page of a PDF as a PNG.

    Raises:
        LoadError: a file is gone or cannot be read.
        MissingExtraError: a page is to be drawn, and pillow is not installed.
    """
    return [_block(item) for item in media]


def _block(media: Media) -> dict[str, Any]:
    extras: dict[str, Any] = {} if media.page is None else {"page": media.page}
    if media.mime_type == _PDF and media.page is not None:
        from late_rag.adapters import render

        mime_type, data = "image/png", render(media, scale=2)
    else:
        mime_type, data = media.mime_type, media.read()
    create = _CREATE.get(mime_type.partition("/")[0], create_file_block)
    identity = f"lc_{digest(mime_type, data)}"  # else LangChain makes one by chance, another for each search
    return dict(create(base64=base64.b64encode(data).decode("ascii"), mime_type=mime_type, id=identity, **extras))


def _encoded(media: Media) -> str:
    return base64.b64encode(media.read()).decode("ascii")


def _media(block: Block) -> Media:
    try:
        return Media(base64.b64decode(block[_DATA], validate=True), block["mime_type"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"the content block {_rest(block)} needs its data as base64, and a mime_type such as 'image/png'"
        ) from error
