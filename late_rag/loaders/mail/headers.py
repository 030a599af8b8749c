"""Headers of mails, decoded piece by piece.

The standard library's own reader of headers takes quadratic time for long ones and raises on some that are broken.
"""

from __future__ import annotations

import email.policy
import mimetypes
import re
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from pathlib import Path
from typing import Any

from late_rag.backends import LOADERS
from late_rag.errors import LoadError
from late_rag.loaders.decoding import decode
from late_rag.loaders.labels import mail_codec

_LONGEST = 5_000
_LONGEST_OF_ADDRESSES = 10_000
_ADDRESSES = frozenset({"to", "cc", "bcc", "from", "reply-to"})
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_KINDS = mimetypes.MimeTypes()
"""The extensions that the standard library knows, whatever this machine has beside them."""


class RawHeaders(email.policy.Compat32):
    """Gives the values of headers as they stand in the mail, long ones cut off."""

    def header_fetch_parse(self, name: str, value: str) -> str:
        """The value, bounded."""
        return value[: _LONGEST_OF_ADDRESSES if name.lower() in _ADDRESSES else _LONGEST]


def message_metadata(message: Message, path: Path) -> dict[str, Any]:
    """Subject (as title), people, date (ISO 8601) and ids of a mail, as far as it has them."""
    people = {name: _people(message, name, path) for name in ("from", "to", "cc")}
    values = {
        "title": header(message, "subject", path),
        "from": ", ".join(people["from"]),
        "to": people["to"],
        "cc": people["cc"],
        "date": _date(message),
        "message_id": header(message, "message-id", path),
        "in_reply_to": header(message, "in-reply-to", path),
    }
    return {name: value for name, value in values.items() if value}


def header(message: Message, name: str, path: Path) -> str:
    """A header in one line; empty where there is none."""
    return readable(str(message.get(name) or ""), path)


def readable(raw: str, path: Path) -> str:
    """Raw bytes and encoded words as text, in one line."""
    text = raw if raw.isascii() else _decoded(raw.encode("utf-8", "surrogateescape"), path)
    try:
        words = decode_header(text) if "=?" in text else [(text, None)]
    except (HeaderParseError, ValueError):
        words = [(text, None)]
    joined = "".join(_word(word, label, path) for word, label in words)
    return " ".join(_CONTROLS.sub(" ", joined).encode("utf-8", "replace").decode("utf-8").split())


def file_name(part: Message, path: Path) -> str:
    """What a part is called, without folders; from its type where it has no name."""
    name = readable(str(part.get_filename() or ""), path).replace("\\", "/").rpartition("/")[2].strip('"')
    if name.strip(". "):
        stem, dot, extension = name.rpartition(".")
        return f"{stem[:150]}{dot}{extension[:20]}"
    kind = part.get_content_type()
    return f"{kind.partition('/')[0]}{_KINDS.guess_extension(kind) or ''}"


def known_extension(part: Message) -> str:
    """The extension of a part's type, where a loader reads it; empty where none does."""
    extension = _KINDS.guess_extension(part.get_content_type()) or ""
    return extension if extension in LOADERS else ".txt" if part.get_content_maintype() == "text" else ""


def _decoded(data: bytes, path: Path) -> str:
    try:
        return decode(data, path).text
    except LoadError:
        return data.decode("ascii", "replace")


def _word(word: str | bytes, label: str | None, path: Path) -> str:
    if isinstance(word, str):
        return word
    codec = mail_codec(label) if label else "raw-unicode-escape"
    try:
        return word.decode(codec, "replace") if codec else _decoded(word, path)
    except (LookupError, UnicodeError):
        return _decoded(word, path)


def _people(message: Message, name: str, path: Path) -> list[str]:
    raw = [str(value) for value in message.get_all(name, [])[:10]]
    try:
        pairs = getaddresses(raw)
    except RecursionError:  # thousands of comments inside each other
        pairs = []
    found = ((readable(person, path), readable(address, path)) for person, address in pairs)
    people = (f"{person} <{address}>" if person and address else person or address for person, address in found)
    return [person for person in people if person]


def _date(message: Message) -> str:
    try:
        return parsedate_to_datetime(str(message.get("date") or "")).isoformat()
    except (ValueError, TypeError, OverflowError, IndexError):
        return ""
