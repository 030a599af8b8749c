"""An encoder of texts and pictures without a model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from late_rag.testing.doubles import HashEncoder
from late_rag.types import ImageBox, digest

if TYPE_CHECKING:
    from late_rag.types import Chunk, Document, Media, Region, TokenEmbeddings

_PARTS = 4
_WORD = re.compile(rb"[A-Za-z]{4,16}")
_MOST_WORDS = 32


class PictureEncoder(HashEncoder):
    """:class:`HashEncoder`, which sees in a picture four stripes of its bytes, and the words that stand in them.

    So a picture is as similar to another as their stripes are the same, and a question finds a picture in whose bytes
    (a comment, say) its words stand. A chunk has the rows of its text, then those of its pictures.
    """

    modalities = frozenset({"text", "image"})
    variant = "hash-pictures"

    def __init__(
        self, dim: int = 64, query_length: int = 64, document_length: int = 128, model: str = "pictures"
    ) -> None:
        super().__init__(dim, query_length, document_length, model)

    def encode_documents(
        self, chunks: Iterable[Chunk], documents: Mapping[str, Document] | None = None
    ) -> Iterator[TokenEmbeddings]:
        for chunk in chunks:
            parts = [self._rows(_tokens(media)) for media in _pictures(chunk)]
            if not parts or chunk.encoded_text.strip(" \0\n\t"):
                parts[:0] = super().encode_documents([chunk], documents)
            yield np.concatenate(parts)

    def token_regions(self, chunk: Chunk) -> list[Region]:
        regions = super().token_regions(chunk) if chunk.encoded_text.strip(" \0\n\t") else []
        for media in _pictures(chunk):
            stripes = [ImageBox(0.0, part / _PARTS, 1.0, (part + 1) / _PARTS) for part in range(_PARTS)]
            regions += [*stripes, *[ImageBox(0.0, 0.0, 1.0, 1.0)] * (len(_tokens(media)) - _PARTS)]
        return regions


def _pictures(chunk: Chunk) -> list[Media]:
    return [media for media in chunk.media if media.page or media.mime_type.startswith("image/")]


def _tokens(media: Media) -> list[str]:
    """A name for each stripe, and the words."""
    content = media.read()
    bounds = [len(content) * part // _PARTS for part in range(_PARTS + 1)]
    stripes = [content[start:stop] for start, stop in pairwise(bounds)]
    words = [word.decode().casefold() for word in _WORD.findall(content)[:_MOST_WORDS]]
    return [*(digest(stripe, str(media.page or "")) for stripe in stripes), *words]
