"""Haystack's documents to the core's, and chunks and hits back."""

from __future__ import annotations

import base64
import logging
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from haystack.dataclasses import ByteStream, Document, SparseEmbedding

from haystack_integrations.document_stores.late_rag.inputs import stored_meta
from late_rag import Chunk, Media
from late_rag import Document as CoreDocument
from late_rag.adapters import HitFields, InputError, check_text, is_unread, known, noted, one_chunk

if TYPE_CHECKING:
    from late_rag import Hit
    from late_rag.adapters import Encoder

logger = logging.getLogger(__name__)

EXTRA = "haystack"
"""The key of a chunk's ``extra`` under which stands what the core has no field for."""

SEPARATOR = "\n"
"""Between the metadata that are embedded and the content."""

_UNKNOWN = "application/octet-stream"
"""What a blob is that does not say it."""


def to_document(
    document: Document,
    meta_fields_to_embed: Sequence[str] = (),
    separator: str = SEPARATOR,
    *,
    encoder: Callable[[], Encoder] | None = None,
    name: str = "document",
) -> CoreDocument:
    """What the core stores of a Haystack document, whose content becomes one chunk with the same id.

    All of it is stored but its score; a tuple in the metadata comes back as a list. A picture as blob becomes media,
    unless it has no text beside it, and the model does not read it; any other blob is only kept.

    Args:
        document: stays as it is.
        meta_fields_to_embed: metadata that are encoded in front of the content.
        separator: between these and the content.
        encoder: gives the model, which is asked for where there is a picture without text; None reads pictures.
        name: of the document, for errors.

    Raises:
        InputError: a content, metadata or an embedding that cannot be stored.
    """
    metadata = stored_meta(document.meta, name)
    passage = to_chunk(document, meta_fields_to_embed, separator)
    unread = encoder is not None and is_unread(passage, encoder)
    media = () if unread or not _is_picture(document.blob) else passage.media
    extra = dict(_extra(document, name, kept=not media))
    if meta_fields_to_embed:
        extra["embedded"] = {"fields": list(meta_fields_to_embed), "separator": separator}
    return CoreDocument(
        id=document.id,
        text=check_text(document.content or "", name),
        metadata=metadata,
        media=media,
        extra={EXTRA: extra} if extra else None,
    )


def to_chunk(
    document: Document,
    meta_fields_to_embed: Sequence[str] = (),
    separator: str = SEPARATOR,
) -> Chunk:
    """A document from anywhere as what is encoded of it, to be looked at and not to be stored."""
    text, blob = document.content or "", document.blob
    embedded = embedded_text(text, document.meta, meta_fields_to_embed, separator)
    media = () if blob is None else (Media(blob.data, blob.mime_type or _UNKNOWN),)
    return Chunk(document.id, document.id, text, embedded, metadata=document.meta, media=media)


def _is_picture(blob: ByteStream | None) -> bool:
    return blob is not None and (blob.mime_type or "").startswith("image/")


def embedded_text(text: str, meta: Mapping[str, Any], fields: Sequence[str], separator: str) -> str | None:
    """The text with the values of these fields in front; None where there are none.

    Raises:
        InputError: a value that is nested too deep to be a text.
    """
    try:
        values = [str(meta[field]) for field in fields if meta.get(field) is not None]
    except RecursionError:
        raise InputError(f"the metadata {', '.join(fields)} are nested too deep to be embedded") from None
    return separator.join([*values, text]) if values else None


def embedded_fields(chunk: Chunk) -> frozenset[str]:
    """The metadata whose change changes what is encoded of a chunk that :class:`OneChunk` made."""
    return frozenset(_stored(chunk).get("embedded", {}).get("fields", ()))


def with_meta(chunk: Chunk, changes: Mapping[str, Any]) -> CoreDocument:
    """The document that became this chunk, with other metadata."""
    metadata = {**chunk.metadata, **changes}
    return CoreDocument(chunk.id, chunk.text, metadata, chunk.media, chunk.extra)


class OneChunk:
    """A chunker: a document of :func:`to_document` becomes one chunk with its id and the metadata to be embedded."""

    def __call__(self, document: CoreDocument) -> Iterator[Chunk]:
        embedded = _stored(document).get("embedded", {"fields": (), "separator": ""})
        yield one_chunk(document, embedded_text(document.text, document.metadata, **embedded))

    def options(self) -> dict[str, Any]:
        return {"kind": "whole"}


def from_chunk(chunk: Chunk, score: float | None = None, more: Mapping[str, Any] | None = None) -> Document:
    """A chunk as the Haystack document that was written, or of a passage that something else wrote.

    Args:
        chunk: as it is stored.
        score: of the document.
        more: stands in its metadata beside its own.
    """
    try:
        return _made(chunk, _stored(chunk), score, more or {})
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:  # somebody else's collection
        logger.warning("chunk %r: %s in its extra is not as a document is stored: %.200r", chunk.id, EXTRA, error)
        return _made(chunk, {}, score, more or {})


def _made(chunk: Chunk, stored: Mapping[str, Any], score: float | None, more: Mapping[str, Any]) -> Document:
    sparse = stored.get("sparse_embedding")
    return Document(
        id=chunk.id,
        content=chunk.text or stored.get("content", chunk.text),
        blob=_blob(chunk, stored.get("blob")),
        meta={**chunk.metadata, **more},
        score=score,
        embedding=stored.get("embedding"),
        sparse_embedding=None if sparse is None else SparseEmbedding.from_dict(sparse),
    )


def from_hit(hit: Hit, fields: HitFields | None = None) -> Document:
    """A hit as a Haystack document, whose score is its similarity: from 0 to 1, the mean over the query's tokens.

    Args:
        hit: what a search found.
        fields: which keys of the metadata carry what else is known of it; None is the defaults of :class:`HitFields`.
    """
    return noted(from_chunk(hit.chunk, hit.similarity, known(hit, HitFields() if fields is None else fields)), hit)


def _stored(item: Chunk | CoreDocument) -> Mapping[str, Any]:
    found = (item.extra or {}).get(EXTRA)
    return found if isinstance(found, Mapping) else {}


def _extra(document: Document, name: str, *, kept: bool) -> Iterator[tuple[str, Any]]:
    """What the core has no field for; ``kept`` says whether the bytes of a blob are part of that."""
    if document.content is None:
        yield "content", None
    if document.embedding is not None:
        yield "embedding", _numbers(document.embedding, _float, f"{name}: embedding")
    if document.sparse_embedding is not None:
        yield "sparse_embedding", _sparse(document.sparse_embedding, f"{name}: sparse_embedding")
    if (blob := document.blob) is not None:
        data = {"data": base64.b64encode(blob.data).decode("ascii")} if kept else {}
        yield "blob", {"meta": stored_meta(blob.meta, f"{name}: blob.meta"), "mime_type": blob.mime_type, **data}


def _sparse(embedding: SparseEmbedding, name: str) -> dict[str, Any]:
    return {
        "indices": _numbers(embedding.indices, operator.index, f"{name}.indices"),
        "values": _numbers(embedding.values, _float, f"{name}.values"),
    }


def _numbers(values: Iterable[Any], number: Callable[[Any], float], name: str) -> list[float]:
    """Python's own numbers, where a model may have given those of numpy."""
    try:
        return [number(value) for value in values]
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name} takes a list of numbers, not {values!r:.80}") from None


def _float(value: Any) -> float:
    if isinstance(value, str):
        raise TypeError
    return float(value)


def _blob(chunk: Chunk, stored: Mapping[str, Any] | None) -> ByteStream | None:
    pictures = [item for item in chunk.media if isinstance(item.content, bytes)]
    if stored is None:
        return ByteStream(pictures[0].read(), mime_type=pictures[0].mime_type) if pictures else None
    data = base64.b64decode(stored["data"]) if "data" in stored else pictures[0].read()
    return ByteStream(data, meta=dict(stored["meta"]), mime_type=stored["mime_type"])
