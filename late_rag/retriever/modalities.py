"""What a model can read of a chunk: its text, or the pictures, sounds and films that it has in place of one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from late_rag.errors import UnsupportedError

if TYPE_CHECKING:
    from late_rag.protocols import Encoder
    from late_rag.types import Chunk

logger = logging.getLogger(__name__)

_NAMES = {"image": "picture", "audio": "sound", "video": "film"}
FILE_KEYS = ("source", "file_path", "file_name")
"""The keys of metadata under which loaders and frameworks name the file."""


def has_text(chunk: Chunk) -> bool:
    """Whether there is a text to encode."""
    return bool(chunk.encoded_text.strip())


def named(chunk: Chunk) -> str:
    """A chunk as messages name it: by its document and file as well, as an id of its own may tell nobody anything."""
    document = "" if chunk.document_id == chunk.id else f" of document {chunk.document_id!r}"
    files = [str(media.content) for media in chunk.media if not isinstance(media.content, bytes)]
    files += [name for key in FILE_KEYS if isinstance(name := chunk.metadata.get(key), str)]
    return f"chunk {chunk.id!r}{document}{f' ({files[0]:.200})' if files else ''}"


def unread_media(chunk: Chunk, encoder: Encoder) -> str:
    """What a chunk without text has in its place, such as "picture", if the encoder reads none of it; else ""."""
    kinds = {"image" if media.page else media.mime_type.partition("/")[0] for media in chunk.media}
    if kinds & encoder.modalities:
        return ""
    return " and ".join(sorted({_NAMES.get(kind, "file") for kind in kinds}))


def unsupported(name: str, what: str, encoder: Encoder) -> UnsupportedError:
    """The error about what has no text but ``what``."""
    return UnsupportedError(
        f"{name} has no text but a {what}, and the model {encoder.model!r} reads only "
        f"{', '.join(sorted(encoder.modalities))}; leave it out, give it a text, or take a model that reads it"
    )


def check_readable(chunk: Chunk, encoder: Encoder) -> None:
    """Logs a chunk without content, and refuses one whose content is of a kind that the encoder does not read.

    Raises:
        UnsupportedError: a picture for a model that reads only text.
    """
    if has_text(chunk):
        return
    if what := unread_media(chunk, encoder):
        raise unsupported(named(chunk), what, encoder)
    if not chunk.media:
        logger.warning("%s has no text: stored without embeddings, no search will find it", named(chunk))
