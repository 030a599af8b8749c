"""Between the library's types and the columns of the local collection's tables.

Chunks, documents and sources have a checksum over their columns, which is looked at, with the types of the values,
whenever one is read: what somebody else or a bad disk wrote is an error that names the row, and never an answer.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from late_rag import metadata as metadata_json
from late_rag.errors import CollectionDamagedError, InputError
from late_rag.texts import check_encodable
from late_rag.types import Chunk, Document, Media, Metadata, Source

CHUNK_COLUMNS = 'id, document_id, text, embed_text, start, "end", metadata, media, extra, content_hash, checksum'
CHUNK_WIDTH = 11
DOCUMENT_COLUMNS = "id, text, metadata, media, extra, content_hash, checksum"
DOCUMENT_WIDTH = 7
SOURCE_COLUMNS = "root, path, hash, size, mtime, checksum"

_TEXT, _MAYBE_TEXT, _MAYBE_NUMBER = (str,), (str, type(None)), (int, type(None))
_CHUNK_TYPES = (
    *(_TEXT, _TEXT, _TEXT, _MAYBE_TEXT, _MAYBE_NUMBER, _MAYBE_NUMBER, _TEXT, _MAYBE_TEXT, _MAYBE_TEXT, _TEXT),
)
_DOCUMENT_TYPES = (_TEXT, _TEXT, _TEXT, _MAYBE_TEXT, _MAYBE_TEXT, _TEXT)
_SOURCE_TYPES = (_TEXT, _TEXT, _TEXT, (int,), (float, int))

_NEVER_WRITTEN = re.compile(r"\\u[dD]|\d{19}")
"""What JSON of ours has only in rare cases, and what is wrong in metadata has: it is looked at closely."""


def check_text(text: object, name: str) -> None:
    """Raises InputError for what is not a text that UTF-8 can hold."""
    if not isinstance(text, str):
        raise InputError(f"{name} must be a string, not {type(text).__name__}")
    check_encodable(text, name)


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
    return with_checksum(
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
    """From the columns CHUNK_COLUMNS.

    Raises:
        CollectionDamagedError: names the chunk.
    """
    name = f"chunk {values[0]!r}"
    _check_row(values, _CHUNK_TYPES, name)
    identity, document_id, text, embed_text, start, end, metadata, media, extra, _, _ = values
    return Chunk(
        identity,
        document_id,
        text,
        embed_text,
        start,
        end,
        _metadata_from(metadata, name),
        _media_from(media, name),
        None if extra is None else _metadata_from(extra, name),
    )


def document_values(document: Document) -> tuple[Any, ...]:
    """In the order of DOCUMENT_COLUMNS."""
    return with_checksum(
        document.id,
        document.text,
        metadata_json.dumps(document.metadata),
        _media_json(document.media),
        _extra_json(document.extra),
        document.content_hash,
    )


def document_from(values: Sequence[Any]) -> Document:
    """From the columns DOCUMENT_COLUMNS.

    Raises:
        CollectionDamagedError: names the document.
    """
    name = f"document {values[0]!r}"
    _check_row(values, _DOCUMENT_TYPES, name)
    identity, text, metadata, media, extra, _, _ = values
    return Document(
        identity,
        text,
        _metadata_from(metadata, name),
        _media_from(media, name),
        None if extra is None else _metadata_from(extra, name),
    )


def source_values(source: Source) -> tuple[Any, ...]:
    """In the order of SOURCE_COLUMNS."""
    return with_checksum(source.root, source.path, source.hash, int(source.size), float(source.mtime))


def source_from(values: Sequence[Any]) -> Source:
    """From the columns SOURCE_COLUMNS.

    Raises:
        CollectionDamagedError: names the source.
    """
    _check_row(values, _SOURCE_TYPES, f"source {values[1]!r}")
    return Source(*values[:-1])


def with_checksum(*values: Any) -> tuple[Any, ...]:
    """The columns of a row, and the checksum over them."""
    return (*values, _checksum(values))


def _checksum(values: Sequence[Any]) -> int:
    return zlib.crc32("\0".join([_plain(value) for value in values]).encode())


def _plain(value: Any) -> str:
    """As SQLite gives it back: of a value of a subclass (an enum, a bool) what it is stored as."""
    if isinstance(value, str):
        return value
    return str(int(value)) if isinstance(value, int) else str(value)


def _check_row(values: Sequence[Any], types: Sequence[tuple[type, ...]], name: str) -> None:
    """Whether the types of the columns are those we write, and the last is the checksum of those before it."""
    *columns, checksum = values
    if not all(type(value) in allowed for value, allowed in zip(columns, types, strict=True)):
        raise CollectionDamagedError(f"{name[:200]}: values of types that late_rag does not write; {_ADVICE}")
    if _checksum(columns) != checksum:
        raise CollectionDamagedError(f"{name[:200]}: is not as it was written; {_ADVICE}")


_ADVICE = "the database is damaged: delete the row and index it anew, or restore a copy"


def _metadata_from(text: str, name: str) -> Metadata:
    try:
        found = metadata_json.loads(text)
        if text.count("[") + text.count("{") > metadata_json.MAX_DEPTH or _NEVER_WRITTEN.search(text):
            metadata_json.check(found)
    except (InputError, RecursionError) as error:
        raise CollectionDamagedError(f"{name[:200]}: metadata cannot be read ({str(error)[:200]}); {_ADVICE}") from None
    return found


def _extra_json(extra: Metadata | None) -> str | None:
    return None if extra is None else metadata_json.dumps(extra)


def _media_json(media: Sequence[Media]) -> str | None:
    return json.dumps([item.to_json() for item in media]) if media else None


def _media_from(text: str | None, name: str) -> tuple[Media, ...]:
    if not text:
        return ()
    try:
        return tuple(_checked_media(Media.from_json(item)) for item in json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CollectionDamagedError(f"{name[:200]}: media cannot be read ({error!r:.200}); {_ADVICE}") from None


def _checked_media(media: Media) -> Media:
    shape = type(media.content), type(media.mime_type), type(media.page)
    if shape[0] not in (str, bytes) or shape[1] is not str or shape[2] not in _MAYBE_NUMBER:
        raise TypeError(f"media of {shape}")
    return media
