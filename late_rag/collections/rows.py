"""Between the library's types and the columns of the local collection's tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from late_rag import metadata as metadata_json
from late_rag.errors import InputError
from late_rag.types import Chunk, Document, Media, Metadata, Source

CHUNK_COLUMNS = 'id, document_id, text, embed_text, start, "end", metadata, media, extra, content_hash'
DOCUMENT_COLUMNS = "id, text, metadata, media, extra, content_hash"
SOURCE_COLUMNS = "root, path, hash, size, mtime"
PACKED_COLUMNS = 'tokens, scale, norm, "values"'


def check_text(text: object, name: str) -> None:
    """Raises InputError for what is not a text that UTF-8 can hold."""
    if not isinstance(text, str):
        raise InputError(f"{name} must be a string, not {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name} holds a lone surrogate at character {error.start}, which no UTF-8 text can; "
            "decode its bytes properly first"
        ) from error


def check_id(identity: object, name: str) -> None:
    """Raises InputError for what cannot be an id; SQLite's functions end a text at NUL."""
    check_text(identity, name)
    if not identity or "\0" in str(identity):
        raise InputError(f"{name} is {identity!r}; an id is a text that is not empty and holds no NUL")


def check_chunks(chunks: Iterable[Chunk]) -> None:
    """Raises InputError, naming the chunk, for what cannot be stored."""
    for chunk in chunks:
        if not isinstance(chunk, Chunk):
            raise InputError(f"expected Chunks, got {type(chunk).__name__}")
        check_id(chunk.id, "a chunk's id")
        check_id(chunk.document_id, f"chunk {chunk.id!r}: document_id")
        for name in ("text", "encoded_text"):
            check_text(getattr(chunk, name), f"chunk {chunk.id!r}: {name}")
        _check_payload(chunk, f"chunk {chunk.id!r}")


def check_documents(documents: Iterable[Document]) -> None:
    """Raises InputError, naming the document, for what cannot be stored."""
    for document in documents:
        if not isinstance(document, Document):
            raise InputError(f"expected Documents, got {type(document).__name__}")
        check_id(document.id, "a document's id")
        check_text(document.text, f"document {document.id!r}: text")
        _check_payload(document, f"document {document.id!r}")


def _check_payload(item: Chunk | Document, name: str) -> None:
    for part, value in (("metadata", item.metadata), ("extra", item.extra)):
        if value is None:
            continue
        try:
            metadata_json.check(value)
        except InputError as error:
            raise InputError(f"{name}: {part}: {error}") from error


def chunk_values(chunk: Chunk) -> tuple[Any, ...]:
    """In the order of CHUNK_COLUMNS."""
    return (
        chunk.id,
        chunk.document_id,
        chunk.text,
        chunk.embed_text,
        chunk.start,
        chunk.end,
        metadata_json.dumps(chunk.metadata),
        _media_json(chunk.media),
        _extra_json(chunk.extra),
        chunk.content_hash,
    )


def chunk_from(values: Sequence[Any]) -> Chunk:
    """From the columns CHUNK_COLUMNS."""
    identity, document_id, text, embed_text, start, end, metadata, media, extra, _ = values
    return Chunk(
        identity,
        document_id,
        text,
        embed_text,
        start,
        end,
        metadata_json.loads(metadata),
        _media_from(media),
        None if extra is None else metadata_json.loads(extra),
    )


def document_values(document: Document) -> tuple[Any, ...]:
    """In the order of DOCUMENT_COLUMNS."""
    return (
        document.id,
        document.text,
        metadata_json.dumps(document.metadata),
        _media_json(document.media),
        _extra_json(document.extra),
        document.content_hash,
    )


def document_from(values: Sequence[Any]) -> Document:
    """From the columns DOCUMENT_COLUMNS."""
    identity, text, metadata, media, extra, _ = values
    return Document(
        identity,
        text,
        metadata_json.loads(metadata),
        _media_from(media),
        None if extra is None else metadata_json.loads(extra),
    )


def source_values(source: Source) -> tuple[Any, ...]:
    """In the order of SOURCE_COLUMNS."""
    return source.root, source.path, source.hash, source.size, source.mtime


def _extra_json(extra: Metadata | None) -> str | None:
    return None if extra is None else metadata_json.dumps(extra)


def _media_json(media: Sequence[Media]) -> str | None:
    return json.dumps([item.to_json() for item in media]) if media else None


def _media_from(text: str | None) -> tuple[Media, ...]:
    return tuple(Media.from_json(item) for item in json.loads(text)) if text else ()
