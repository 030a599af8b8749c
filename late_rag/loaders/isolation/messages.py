"""What a worker is told, and what it answers: JSON with its length in front.

Requests are trusted, answers are not: a parser that a file took over may send anything. So they are plain values, and
what is made of them is checked.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from late_rag import metadata
from late_rag.loading import LoadOptions, RecordFields
from late_rag.types import Document, Mark, Media, Omission

if TYPE_CHECKING:
    from late_rag.loading import Isolation, Loader

MOST_BYTES = 1 << 30
"""Of one message."""

_LENGTH = struct.Struct("<Q")
_BLOCK = 1 << 16


class Request(TypedDict):
    """A file to read: by which loader, with which options, within which limits."""

    module: str
    name: str
    path: str
    content: str
    include: tuple[str, ...]
    fields: tuple[Any, Any, Any]
    memory: int
    seconds: float
    level: int


def request(loader: Loader, path: Path, options: LoadOptions, limits: Isolation, seconds: float) -> Request:
    """What a worker needs to read the file."""
    import logging

    kind, fields = type(loader), options.fields
    return Request(
        module=kind.__module__,
        name=kind.__qualname__,
        path=str(path),
        content=options.content,
        include=tuple(options.include),
        fields=(fields.text, fields.key, fields.metadata),
        memory=limits.memory,
        seconds=seconds,
        level=logging.getLogger("late_rag").getEffectiveLevel(),
    )


def options_of(asked: Request) -> LoadOptions:
    """The options of a request; the worker itself isolates nothing."""
    text, key, names = asked["fields"]
    fields = RecordFields(text if isinstance(text, str) or text is None else tuple(text), key, names)
    return LoadOptions(asked["content"], asked["include"], fields)  # type: ignore[arg-type]  # it was checked


def encode_item(item: tuple[str, Document] | Omission, path: str) -> list[Any]:
    """What a loader gave, as a message.

    Raises:
        InputError: metadata that cannot be stored.
    """
    if isinstance(item, Omission):
        return ["omission", item.what, item.lost]
    key, document = item
    values = {
        "text": document.text,
        "metadata": metadata.encode(document.metadata),
        "media": [_encoded_media(media, path) for media in document.media],
        "marks": [[mark.start, mark.end, metadata.encode(mark.metadata)] for mark in document.marks],
        "extra": document.extra,
    }
    return ["document", key, {name: value for name, value in values.items() if value}]


def decode_item(message: list[Any], path: Path) -> tuple[str, Document] | Omission:
    """What :func:`encode_item` was given, of this file; a document has no id yet.

    Raises:
        TypeError, ValueError, KeyError, AttributeError, RecursionError: the message is none.
    """
    if message[0] == "omission":
        _, what, lost = message
        return Omission(_text(what), bool(lost))
    _, key, values = message
    document = Document(
        id="unnamed",  # in place of a hash of the content, for which the file would be read again
        text=_text(values.get("text", "")),
        metadata=_mapping(metadata.decode(values.get("metadata", {}))),
        media=tuple(_decoded_media(media, path) for media in values.get("media", ())),
        extra=_mapping(values["extra"]) if "extra" in values else None,
        marks=tuple(_decoded_mark(mark) for mark in values.get("marks", ())),
    )
    return _text(key), document


def _encoded_media(media: Media, path: str) -> list[Any]:
    """The file itself is not named, so that no answer can name another."""
    if isinstance(media.content, bytes):
        content = base64.b64encode(media.content).decode("ascii")
    elif media.content == path:
        content = None
    else:
        raise ValueError(f"a loader that is isolated gives media of its own file, not of {media.content}")
    return [content, media.mime_type, media.page]


def _decoded_media(data: Any, path: Path) -> Media:
    content, mime_type, page = data
    if not isinstance(page, int | None):
        raise TypeError(page)
    return Media(str(path) if content is None else base64.b64decode(_text(content)), _text(mime_type), page)


def _decoded_mark(data: Any) -> Mark:
    start, end, values = data
    return Mark(int(start), int(end), _mapping(metadata.decode(values)))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(value)
    return value


def pack(message: Any) -> bytes:
    """A message as it is sent."""
    data = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return _LENGTH.pack(len(data)) + data


def send(pipe: Any, packed: bytes | bytearray) -> None:
    """Writes messages to an unbuffered pipe.

    Raises:
        OSError: nobody reads it any more.
    """
    rest = memoryview(packed)
    while rest:
        rest = rest[pipe.write(rest) :]


def receive(read: Callable[[int], bytes | None]) -> Any:
    """The next message, or None at the end of the pipe of which ``read`` gives so many bytes, or fewer.

    Raises:
        ValueError: it is too long, or no JSON.
    """
    head = _whole(read, _LENGTH.size)
    if head is None:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > MOST_BYTES:
        raise ValueError(f"a message of {length:,} bytes")
    data = _whole(read, length)
    if data is None:
        return None
    try:
        return json.loads(data.decode("utf-8", "surrogatepass"))
    except RecursionError as error:
        raise ValueError("lists in lists without end") from error


def _whole(read: Callable[[int], bytes | None], size: int) -> bytearray | None:
    """So many bytes, in memory that grows as they come; None if the pipe ends before."""
    data = bytearray()
    while len(data) < size:
        block = read(min(_BLOCK, size - len(data)))  # not all at once: an answer may only claim its length
        if not block:
            return None
        data += block
    return data
