"""E-mail by the standard library: headers as metadata, the body as text, attachments as documents of their own."""

from __future__ import annotations

import email
import io
import mailbox
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from email.message import Message
from pathlib import Path
from typing import ClassVar

from late_rag.errors import LoadError
from late_rag.loaders.decoding import signature
from late_rag.loaders.keys import UniqueKeys
from late_rag.loaders.mail.attachments import attached_documents
from late_rag.loaders.mail.headers import RawHeaders, file_name, header, known_extension, message_metadata
from late_rag.loaders.mail.parts import Contents, is_cut_off, page_of, payload, walk
from late_rag.loading import LoadOptions
from late_rag.types import Document, Omission

LARGEST_MAIL = 100 << 20
"""Bytes of a mail with all that is attached to it."""

MOST_PARTS = 10_000
"""Parts of a mail and of the mails in it."""

MOST_MAILS = 500
"""Mails in a mail."""

MOST_NESTED = 20
"""Mails inside each other."""


_BLOCK = 1 << 20

_CUT_OFF = Omission("its end, which is cut off: parts that it begins are not ended")


class MailLoader:
    """The mail is the first document; attached mails and files follow."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        with path.open("rb") as file:
            message = _parse(file.read(LARGEST_MAIL + 1), path)
        yield from _Reading("", path, options).documents(message)
        if is_cut_off(message):
            yield _CUT_OFF


class MailboxLoader:
    """One document for each mail of a folder in mbox format, and those of its attachments."""

    records: ClassVar[bool] = True

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        with path.open("rb") as file:
            if file.read(5) != b"From ":
                raise LoadError(f"{path}: is no mail folder (mbox): it does not begin with 'From '")
        keys = UniqueKeys(path)
        folder = _Folder(path)
        try:
            for number in folder.iterkeys():
                with folder.get_file(number) as file:
                    data = file.read(LARGEST_MAIL + 1)
                yield from _mail_of_folder(data, int(number) + 1, keys, path, options)
        finally:
            folder.close()


class _Folder(mailbox.mbox):
    """A mail folder whose lines are read a block at a time: one without an end is not held in memory."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, create=False)
        self.close()
        self._file: io.BufferedReader = _Blocks(io.FileIO(path))


class _Blocks(io.BufferedReader):
    def readline(self, size: int | None = -1, /) -> bytes:
        return super().readline(_BLOCK if size is None or size < 0 else size)


class WebArchiveLoader:
    """One document for a page that was saved with its pictures in one file (MHTML): its text, as of any page."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:  # noqa: ARG002
        with path.open("rb") as file:
            message = _parse(file.read(LARGEST_MAIL + 1), path, "saved page")
        pages = (part for part in walk(message) if part.get_content_type() in ("text/html", "application/xhtml+xml"))
        page = next(pages, None)
        if page is None:
            raise LoadError(f"{path}: is no saved page: none of its parts is HTML")
        try:
            text, title = page_of(page, path)
        except ValueError as error:  # markup that no page has
            raise LoadError(f"{path}: {error}") from error
        title = title or header(message, "subject", path)
        yield "", Document(text=text, metadata={"mime_type": "text/html", **({"title": title} if title else {})})
        if is_cut_off(message):
            yield _CUT_OFF


def _mail_of_folder(
    data: bytes, number: int, keys: UniqueKeys, path: Path, options: LoadOptions
) -> Iterator[tuple[str, Document] | Omission]:
    try:
        message = _parse(data, path)
    except LoadError as error:
        yield Omission(f"mail {number}: {str(error).removeprefix(f'{path}: ')}")
        return
    key = keys.unique(header(message, "message-id", path) or f"mail {number}")
    for item in _Reading(f"{key}/", path, options).documents(message):
        yield replace(item, what=f"mail {number}: {item.what}") if isinstance(item, Omission) else item


def _parse(data: bytes, path: Path, what: str = "mail") -> Message:
    if len(data) > LARGEST_MAIL:
        raise LoadError(f"{path}: has more than {LARGEST_MAIL >> 20} MB, which is the limit for a {what}")
    kind = signature(data[:16])
    if kind:
        raise LoadError(f"{path}: is no {what}: it begins like {kind}")
    try:
        message = email.message_from_bytes(data.lstrip(b"\xef\xbb\xbf\r\n"), policy=RawHeaders())
    except RecursionError as error:
        raise LoadError(f"{path}: its parts stand inside each other too deeply to be read") from error
    if not message.keys():
        raise LoadError(f"{path}: is no {what}: it does not begin with headers such as 'Subject: …'")
    return message


@dataclass(slots=True)
class _Nested:
    """A mail that is read, the key of its document, how deep it stands, and what it is attached to."""

    message: Message
    key: str
    depth: int = 0
    attached: Mapping[str, str] = field(default_factory=dict)


class _Reading:
    """A mail and what is attached to it, then the mails in it in the same way."""

    def __init__(self, prefix: str, path: Path, options: LoadOptions) -> None:
        self._prefix = prefix
        self._path = path
        self._options = options
        self._keys = UniqueKeys(path)
        self._room = MOST_PARTS
        self._mails = MOST_MAILS
        self._waiting: deque[_Nested] = deque()

    def documents(self, message: Message) -> Iterator[tuple[str, Document] | Omission]:
        """The documents of the mail and of all that is in it, outermost first."""
        self._waiting.append(_Nested(message, self._prefix.rstrip("/")))
        while self._waiting:
            yield from self._one(self._waiting.popleft())

    def _one(self, mail: _Nested) -> Iterator[tuple[str, Document] | Omission]:
        contents = Contents(self._path, self._room)
        contents.add(mail.message)
        self._room = contents.room
        metadata = message_metadata(mail.message, self._path)
        text = "\n\n".join(text for text in contents.texts if text.strip()) or metadata.get("title", "")
        if text:
            yield mail.key, Document(text=text, metadata={"mime_type": "message/rfc822", **metadata, **mail.attached})
        yield from contents.omissions
        known = {"subject": metadata.get("title"), "date": metadata.get("date")}
        for part in contents.files:
            yield from self._attached(part, mail, {name: value for name, value in known.items() if value})
        for inner in contents.mails:
            yield from self._later(inner, header(inner, "subject", self._path) or "mail", mail)

    def _attached(
        self, part: Message, mail: _Nested, metadata: Mapping[str, str]
    ) -> Iterator[tuple[str, Document] | Omission]:
        name = file_name(part, self._path)
        if name.lower().endswith(".eml"):
            yield from self._attached_mail(part, name, mail)
        elif name.lower().endswith(".mbox"):
            yield Omission(f"attachment {name!r}: a mail folder inside a mail is not read")
        else:
            extension = known_extension(part)
            key = self._key(name)
            yield from attached_documents(payload(part), name, key, metadata, self._options, extension=extension)

    def _attached_mail(self, part: Message, name: str, mail: _Nested) -> Iterator[Omission]:
        try:
            message = _parse(payload(part), self._path)
        except LoadError as error:
            yield Omission(f"attachment {name!r}: {str(error).removeprefix(f'{self._path}: ')}")
        else:
            yield from self._later(message, name, mail)

    def _later(self, message: Message, name: str, mail: _Nested) -> Iterator[Omission]:
        if mail.depth == MOST_NESTED:
            yield Omission(f"attachment {name!r}: more than {MOST_NESTED} mails stand inside each other")
        elif not self._mails:
            yield Omission(f"attachment {name!r}: more than {MOST_MAILS} mails stand in this one")
        else:
            self._mails -= 1
            self._waiting.append(_Nested(message, self._key(name), mail.depth + 1, {"attachment": name}))

    def _key(self, name: str) -> str:
        return self._keys.unique(f"{self._prefix}attachment/{name}")
