"""The parts of a mail: which are its text, and which are attached to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path

from late_rag.errors import LoadError
from late_rag.loaders.decoding import Decoded, decode
from late_rag.loaders.labels import mail_codec
from late_rag.types import Omission

DEEPEST = 50
"""Parts of a mail inside each other."""

_CUT_OFF = frozenset({"CloseBoundaryNotFoundDefect", "MissingHeaderBodySeparatorDefect", "StartBoundaryNotFoundDefect"})
"""Of the defects that Python's parser tells (``email.errors``)."""

_SIGNATURES = ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature")
_ENCRYPTED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
_MAILS = ("message/rfc822", "message/global")
_TEXTS = ("text/plain", "text/html")
PAGES = ("text/html", "application/xhtml+xml")


@dataclass(slots=True)
class Contents:
    """What a mail holds; ``room`` is how many parts more are looked at."""

    path: Path
    room: int
    texts: list[str] = field(default_factory=list)
    mails: list[Message] = field(default_factory=list)
    files: list[Message] = field(default_factory=list)
    omissions: list[Omission] = field(default_factory=list)

    def add(self, part: Message, depth: int = 0) -> None:
        """Puts a part, and the parts in it, where they belong."""
        self.room -= 1
        kind = part.get_content_type()
        if self.room < 0:
            self._leave_out("the mail has too many parts; those behind are not read")
        elif depth > DEEPEST:
            self._leave_out(f"more than {DEEPEST} parts of the mail stand inside each other")
        elif kind in _ENCRYPTED:
            self._leave_out("the mail is encrypted")
        elif part.is_multipart():
            self._add_parts(part, kind, depth)
        elif kind not in _SIGNATURES:
            self._add_leaf(part, kind)

    def _add_parts(self, part: Message, kind: str, depth: int) -> None:
        parts = inner_parts(part)
        if kind in _MAILS:
            self.mails += parts
        elif kind.startswith("message/"):
            self.texts += ["\n".join(f"{name}: {value}" for inner in parts for name, value in inner.items())]
        elif kind == "multipart/alternative" and parts:
            self._add_alternatives(parts, depth)
        else:
            for inner in parts:
                self.add(inner, depth + 1)

    def _add_alternatives(self, parts: list[Message], depth: int) -> None:
        """The plain text, else the last that can be read; of the others only what is attached to them."""
        plain = [part for part in parts if part.get_content_type() == "text/plain" and payload(part).strip()]
        rich = [part for part in parts if part.is_multipart() or part.get_content_type() == "text/html"]
        chosen = (plain or rich[::-1] or parts[::-1])[0]
        self.add(chosen, depth + 1)
        others = Contents(self.path, self.room)
        for part in parts:
            if part is not chosen and part.is_multipart():
                others.add(part, depth + 1)
        self.room = others.room
        self.mails += others.mails
        self.files += others.files
        self.omissions += others.omissions

    def _add_leaf(self, part: Message, kind: str) -> None:
        placed = part.get_content_disposition()
        is_text = kind in _TEXTS or kind.startswith(("multipart/", "message/"))  # these where they have no parts
        if placed == "attachment" or not is_text or (part.get_filename() and self.texts):
            if kind.startswith("image/") and placed != "attachment" and part.get("content-id"):
                self._leave_out("pictures in the text of the mail", lost=False)
            else:
                self.files.append(part)
            return
        try:
            text, omissions = text_of(part, self.path)
            self.texts.append((markdown_of(text)[0] if kind == "text/html" else text).strip("\n"))
            for omission in omissions:
                self._leave_out(f"text of the mail: {omission.what}", lost=omission.lost)
        except (LoadError, ValueError) as error:  # binary; markup that no page has
            self._leave_out(f"text of the mail: {str(error).removeprefix(f'{self.path}: ')}")

    def _leave_out(self, what: str, *, lost: bool = True) -> None:
        omission = Omission(what, lost)
        if omission not in self.omissions:
            self.omissions.append(omission)


def inner_parts(part: Message) -> list[Message]:
    """The parts of a part that has some."""
    return [inner for inner in part.get_payload() if isinstance(inner, Message)]


def walk(message: Message) -> Iterator[Message]:
    """A part and all parts in it, in order, however deep."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        yield part
        if part.is_multipart():
            waiting += inner_parts(part)[::-1]


def is_cut_off(message: Message) -> bool:
    """Whether the end of a mail is missing: of its parts one is not ended, or a header is broken off."""
    return any(type(defect).__name__ in _CUT_OFF for part in walk(message) for defect in part.defects)


def payload(part: Message) -> bytes:
    """The bytes of a part without its transfer encoding."""
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def text_of(part: Message, path: Path) -> Decoded:
    """The text of a part in the encoding that it names, else the one that its bytes show, which of a page say it.

    Raises:
        LoadError: the part looks binary, or its encoding cannot be told.
    """
    from late_rag.loaders.html import html_text

    charset = part.get_content_charset()
    if charset is None and part.get_content_type() in PAGES:
        return html_text(payload(part), path)
    return decode(payload(part), path, mail_codec(charset))


def markdown_of(page: str) -> tuple[str, str | None]:
    """Markdown and title of a text that is HTML.

    Raises:
        ValueError: markup that no page has.
    """
    from late_rag.loaders.html import html_to_markdown

    return html_to_markdown(page)
