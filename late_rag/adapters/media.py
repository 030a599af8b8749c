"""Pictures, sounds and films that a model does not read: kept or passed over, so that one of them stops nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from late_rag.retriever.modalities import has_text, named, unread_media

if TYPE_CHECKING:
    from late_rag.protocols import Encoder
    from late_rag.types import Chunk

logger = logging.getLogger(__name__)


def is_unread(chunk: Chunk, encoder: Callable[[], Encoder]) -> bool:
    """Whether a chunk has no text, but media of which the model reads none.

    Args:
        chunk: what would be encoded.
        encoder: gives the model; asked only where there is no text, but media.
    """
    return bool(chunk.media) and not has_text(chunk) and bool(unread_media(chunk, encoder()))


def to_compare(chunk: Chunk, encoder: Callable[[], Encoder]) -> Chunk:
    """A chunk to be compared with a query: without media that the model does not read, with a warning if that was all.

    What has neither text nor media is left out by a reranker.
    """
    if not chunk.media or not (what := unread_media(chunk, encoder())):
        return chunk
    if not has_text(chunk):
        logger.warning("%s has no text, only a %s, which the model does not read: left out", named(chunk), what)
    return replace(chunk, media=())
