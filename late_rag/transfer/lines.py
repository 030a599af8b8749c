"""Records as lines of JSON, each tagged by its ``kind``: settings, source, document, chunk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from late_rag import metadata
from late_rag.errors import InputError
from late_rag.transfer.checking import (
    check_id,
    check_span,
    check_whole,
    read_media,
    read_settings,
    read_source,
    read_source_key,
)
from late_rag.transfer.records import ChunkRecord, DocumentRecord, Header, Record
from late_rag.transfer.rows import rows_from_json, rows_to_json
from late_rag.types import Chunk, Document, Metadata, Source

FORMAT = 1

_Kinds = tuple[type, ...]
_TEXT: _Kinds = (str,)
_WHOLE: _Kinds = (int,)
_MAYBE: _Kinds = (type(None),)

_FIELDS: Mapping[str, Mapping[str, _Kinds]] = {
    "settings": {"format": _WHOLE, "settings": (dict,), "sources": _WHOLE, "documents": _WHOLE, "chunks": _WHOLE},
    "source": {"root": _TEXT, "path": _TEXT, "hash": _TEXT, "size": _WHOLE, "mtime": (int, float)},
    "document": {
        "id": _TEXT,
        "text": _TEXT,
        "source": (dict, *_MAYBE),
        "metadata": (dict, *_MAYBE),
        "media": (list, *_MAYBE),
        "extra": (dict, *_MAYBE),
    },
    "chunk": {
        "id": _TEXT,
        "document_id": _TEXT,
        "text": _TEXT,
        "embed_text": (str, *_MAYBE),
        "start": (int, *_MAYBE),
        "end": (int, *_MAYBE),
        "metadata": (dict, *_MAYBE),
        "media": (list, *_MAYBE),
        "extra": (dict, *_MAYBE),
        "embeddings": (dict, *_MAYBE),
    },
}
"""The fields of each kind and their types; those that may be null may be left out."""


def to_line(record: Record) -> str:
    """A record as one line, without the line end."""
    return json.dumps(_to_json(record), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _to_json(record: Record) -> dict[str, Any]:
    match record:
        case Header():
            counts = {"sources": record.sources, "documents": record.documents, "chunks": record.chunks}
            return {"kind": "settings", "format": FORMAT, "settings": record.settings.to_dict(), **counts}
        case Source():
            return {"kind": "source", **asdict(record)}
        case DocumentRecord():
            return _document_to_json(record)
        case ChunkRecord():
            return _chunk_to_json(record)


def _document_to_json(record: DocumentRecord) -> dict[str, Any]:
    document, source = record.document, record.source
    return {
        "kind": "document",
        "id": document.id,
        "text": document.text,
        "source": None if source is None else {"root": source[0], "path": source[1]},
        **_attachments(document),
    }


def _chunk_to_json(record: ChunkRecord) -> dict[str, Any]:
    chunk, embeddings = record.chunk, record.embeddings
    return {
        "kind": "chunk",
        "id": chunk.id,
        "document_id": chunk.document_id,
        "text": chunk.text,
        "embed_text": chunk.embed_text,
        "start": chunk.start,
        "end": chunk.end,
        **_attachments(chunk),
        **({} if embeddings is None else {"embeddings": rows_to_json(embeddings)}),
    }


def _attachments(item: Document | Chunk) -> dict[str, Any]:
    return {
        "metadata": metadata.encode(item.metadata),
        "media": [media.to_json() for media in item.media],
        "extra": None if item.extra is None else metadata.encode(item.extra),
    }


def from_line(line: bytes, dim: int | None) -> Record:
    """What :func:`to_line` wrote, whoever wrote it.

    Args:
        line: in UTF-8.
        dim: of the embeddings, as the settings have it; None for the line with the settings.

    Raises:
        InputError: the line is broken; says how.
    """
    data = _parse(line)
    kind = data.pop("kind", None)
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise InputError(f"kind is {str(kind)[:40]!r}, expected one of {', '.join(_FIELDS)}")
    _check_fields(kind, data)
    try:
        return _READERS[kind](data, dim)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"a {kind} that cannot be read ({type(error).__name__}: {error})") from error


def _parse(line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line.decode("utf-8"))
        if b"\\ud" in line.lower():  # an escape may stand for half of a surrogate pair, which no text can hold
            json.dumps(data, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise InputError("lists and dicts are nested too deep") from error
    except ValueError as error:
        raise InputError(f"not JSON in UTF-8: {error}") from error
    if not isinstance(data, dict):
        raise InputError(f"not a JSON object but {type(data).__name__}")
    return data


def _check_fields(kind: str, data: Mapping[str, Any]) -> None:
    fields = _FIELDS[kind]
    if unknown := sorted(set(data) - set(fields)):
        raise InputError(f"a {kind} has no field {unknown[0]!r}; it has {', '.join(fields)}")
    for name, kinds in fields.items():
        value = data.get(name)
        if not isinstance(value, kinds) or isinstance(value, bool):
            names = " or ".join("null" if kind is type(None) else kind.__name__ for kind in kinds)
            found = type(value).__name__ if name in data else "missing"
            raise InputError(f"field {name!r} of a {kind} must be {names}, but is {found}")


def _read_header(data: Mapping[str, Any], _: int | None) -> Header:
    if data["format"] != FORMAT:
        raise InputError(f"format {data['format']}, this version of late_rag reads format {FORMAT}")
    for name in ("sources", "documents", "chunks"):
        check_whole(data[name], f"the number of {name}")
    return Header(read_settings(data["settings"]), data["sources"], data["documents"], data["chunks"])


def _read_source(data: Mapping[str, Any], _: int | None) -> Source:
    return read_source(data)


def _read_document(data: Mapping[str, Any], _: int | None) -> DocumentRecord:
    source = data.get("source")
    check_id(data["id"], "the document's id")
    document = Document(data["id"], data["text"], **_read_attachments(data))
    return DocumentRecord(document, None if source is None else read_source_key(source))


def _read_chunk(data: Mapping[str, Any], dim: int | None) -> ChunkRecord:
    check_id(data["id"], "the chunk's id")
    check_id(data["document_id"], "the chunk's document_id")
    check_span(data.get("start"), data.get("end"))
    own: dict[str, Any] = {name: data.get(name) for name in ("embed_text", "start", "end")}
    chunk = Chunk(data["id"], data["document_id"], data["text"], **own, **_read_attachments(data))
    embeddings = data.get("embeddings")
    if embeddings is None or dim is None:
        return ChunkRecord(chunk)
    return ChunkRecord(chunk, rows_from_json(embeddings, dim))


def _read_attachments(data: Mapping[str, Any]) -> dict[str, Any]:
    extra = data.get("extra")
    return {
        "metadata": _checked(metadata.decode(data.get("metadata") or {})),
        "media": tuple(map(read_media, data.get("media") or ())),
        "extra": None if extra is None else _checked(metadata.decode(extra)),
    }


def _checked(value: Metadata) -> Metadata:
    metadata.check(value)
    return value


_READERS: Mapping[str, Callable[[Mapping[str, Any], int | None], Record]] = {
    "settings": _read_header,
    "source": _read_source,
    "document": _read_document,
    "chunk": _read_chunk,
}


def read_lines(lines: Iterable[bytes], name: str) -> Iterable[Record]:
    """Records of lines, each as it is read; blank lines are passed over.

    Raises:
        InputError: a line is broken, out of order, or the file is cut off; names the file and the line's number.
    """
    order = _Order()
    number = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = from_line(line, order.dim)
            order.check(record)
        except InputError as error:
            raise InputError(f"{name}, line {number}: {error}") from error
        yield record
    try:
        order.check_end()
    except InputError as error:
        raise InputError(f"{name}, after line {number}: {error}") from error


class _Order:
    """What must come before what, and how much of it: whether the lines make one whole export."""

    def __init__(self) -> None:
        self._header: Header | None = None
        self._sources: set[tuple[str, str]] = set()
        self._documents: set[str] = set()
        self._chunks: set[str] = set()
        self._owners_to_come: set[str] = set()

    @property
    def dim(self) -> int | None:
        return None if self._header is None else self._header.settings.dim

    def check(self, record: Record) -> None:
        """Takes note of a record.

        Raises:
            InputError: it cannot stand here.
        """
        if isinstance(record, Header) != (self._header is None):
            raise InputError("the settings stand in the first line, and only there")
        match record:
            case Header():
                self._header = record
            case Source():
                _once(self._sources, (record.root, record.path), "source")
            case DocumentRecord():
                if record.source is not None and record.source not in self._sources:
                    raise InputError(f"document {record.document.id!r} is of source {record.source}, not seen before")
                _once(self._documents, record.document.id, "document")
                if record.document.id in self._owners_to_come:  # which would take the chunk away as one of before
                    raise InputError(
                        f"document {record.document.id!r} stands behind a chunk of it, and must stand before"
                    )
            case ChunkRecord():
                if record.chunk.document_id not in self._documents:
                    self._owners_to_come.add(record.chunk.document_id)
                _once(self._chunks, record.chunk.id, "chunk")

    def check_end(self) -> None:
        """Raises InputError unless everything has come that the header announces."""
        if self._header is None:
            raise InputError("there is no line with settings")
        found = {"sources": len(self._sources), "documents": len(self._documents), "chunks": len(self._chunks)}
        for what, count in found.items():
            if count != (expected := getattr(self._header, what)):
                raise InputError(f"cut off or put together wrongly: {count} {what}, the settings say {expected}")


def _once(seen: set[Any], key: Any, what: str) -> None:
    if key in seen:
        raise InputError(f"{what} {key!r} comes twice")
    seen.add(key)
