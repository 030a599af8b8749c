"""ZIP archives that hold a document (Office, OpenDocument, EPUB), read within limits.

Limits are of number, size and ratio of the members, and of the elements and bytes of the markup that is read: a small
file may hold millions of elements, of which every parser makes objects.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.handler import ContentHandler

from late_rag.errors import LoadError
from late_rag.loaders.decoding import signature
from late_rag.types import Omission

MOST_MEMBERS = 20_000
LARGEST_MEMBER = 256 << 20
LARGEST_TOTAL = 1 << 30

HIGHEST_RATIO = 250
"""Of the size to the compressed size, of members larger than 32 MiB: XML as programs write it stays far below."""

ATTRIBUTES_AN_ELEMENT = 8
"""How many attributes count as an element."""

_RATIO_MATTERS = 32 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Those that the formats know; others are slow, or take the room that the file asks for."""

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
OLD_EXCEL = "an old Excel file (.xls)"
UNKNOWN_OLD = "an old Office file; save it in a newer format"
_OLD_FORMATS = (  # the stream that each has
    ("EncryptedPackage", "an Office file protected by a password; save it without one"),
    ("PowerPoint Document", "an old PowerPoint file (.ppt); save it as .pptx"),
    ("WordDocument", "an old Word file (.doc); save it as .docx"),
    ("Workbook", OLD_EXCEL),
    ("Book", OLD_EXCEL),
)
_MARKS = (  # a member that only this format has
    ("word/document.xml", "a Word document (.docx)"),
    ("ppt/presentation.xml", "a PowerPoint file (.pptx)"),
    ("xl/workbook.xml", "an Excel file (.xlsx)"),
    ("xl/workbook.bin", "an Excel file (.xlsb)"),
    ("META-INF/container.xml", "a book (.epub)"),
)
_MIME_TYPES = {
    b"application/epub+zip": "a book (.epub)",
    b"application/vnd.oasis.opendocument.text": "a text document (.odt)",
    b"application/vnd.oasis.opendocument.presentation": "a presentation (.odp)",
    b"application/vnd.oasis.opendocument.spreadsheet": "a spreadsheet (.ods)",
    b"application/vnd.oasis.opendocument.graphics": "a drawing (.odg)",
}


class Limits(NamedTuple):
    """Of the markup of a file: of all parts that are read, each time they are."""

    elements: int
    size: int
    """In bytes."""


USUAL = Limits(2_000_000, 128 << 20)
LIMITS = {  # what takes about half a minute and 1 GB at most, measured for each way of reading
    "a Word document (.docx)": Limits(1_000_000, 32 << 20),
    "an Excel file (.xlsx)": Limits(10_000_000, 256 << 20),
    "an Excel file (.xlsb)": Limits(10_000_000, 128 << 20),
    "a spreadsheet (.ods)": Limits(5_000_000, 256 << 20),
}


class Archive:
    """A ZIP archive whose sizes were checked; what is read of a member is never more than it claims."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self.names = frozenset(archive.namelist())
        self._archive = archive
        self._markup = Limits(0, 0)
        self.limits = USUAL
        self.omissions: dict[Omission, None] = {}
        """The parts that the document does without because they cannot be read, each once."""
        self._check()
        self.kind = self._kind()

    def read(self, name: str) -> bytes:
        """The bytes of a member.

        Raises:
            LoadError: there is no such member, it is damaged, or protected by a password.
        """
        if name not in self.names:
            raise LoadError(f"{self.path}: its part {name} is missing")
        if self._archive.getinfo(name).compress_type not in _METHODS:
            raise LoadError(f"{self.path}: its part {name} is compressed as no such file is")
        try:
            return self._archive.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
            raise LoadError(f"{self.path}: its part {name} cannot be read ({error})") from error

    def markup(self, name: str) -> bytes:
        """The bytes of a member that is XML or HTML, which is to be parsed.

        Raises:
            LoadError: as :meth:`read`; with it, more elements or bytes of markup were read than the limits.
        """
        data = self.read(name)
        tags = data.count(b"<") - data.count(b"</")
        elements, size = max(tags, data.count(b"=") // ATTRIBUTES_AN_ELEMENT), len(data)
        before = self._markup
        read = Limits(before.elements + elements, before.size + size)
        for what, count, number, limit in zip(Limits._fields, (elements, size), read, self.limits, strict=True):
            if number > limit:
                unit = what if what == "elements" else "bytes of markup"
                others = f", {number:,} with the parts before it" if number > count else ""
                raise LoadError(f"{self.path}: its part {name} has {count:,} {unit}{others}; the limit is {limit:,}")
        self._markup = read
        return data

    def xml(self, name: str) -> Any:
        """The root element of a member that is XML, without entities of its own.

        Raises:
            LoadError: as :meth:`markup`; it is no XML that may be read.
        """
        from defusedxml import ElementTree

        with _xml_errors(f"{self.path}: its part {name}"):
            return ElementTree.fromstring(self.markup(name))

    def sound(self, name: str) -> bytes:
        """The bytes of a member that is XML, for a library that would give up the whole file if it were none.

        Raises:
            LoadError: as :meth:`xml`.
        """
        return self.parse(name, ContentHandler())

    def parse(self, name: str, handler: ContentHandler) -> bytes:
        """Lets a handler take the events of a member that is XML, without a tree and without entities of its own.

        Returns:
            What was parsed.

        Raises:
            LoadError: as :meth:`xml`.
        """
        from defusedxml import sax

        with _xml_errors(f"{self.path}: its part {name}"):
            data = self.markup(name)
            sax.parseString(data, handler)
        return data

    def xml_if_sound(self, name: str) -> Any | None:
        """The root element of a part that the document can do without; None, and an omission, if it cannot be read."""
        try:
            return self.xml(name)
        except LoadError as error:
            self.omit(error)
            return None

    def omit(self, error: Exception, what: str = "") -> None:
        """Notes that a part cannot be read, and what that costs: "the chapter"."""
        self.omissions[Omission(f"{what}: {self.reason(error)}" if what else self.reason(error))] = None

    def reason(self, error: Exception) -> str:
        """What an error says, without the path in front."""
        return str(error).removeprefix(f"{self.path}: ")

    def _kind(self) -> str | None:
        """What the file is, by what it says of itself, else by a member that only one format has."""
        mime_type = b""
        if "mimetype" in self.names:
            try:
                mime_type = self.read("mimetype")[:200].strip()
            except LoadError as error:
                self.omit(error)
        told = _MIME_TYPES.get(mime_type.removesuffix(b"-template"))
        return told or next((words for name, words in _MARKS if name in self.names), None)

    def _check(self) -> None:
        members = self._archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise self._too_large(f"{len(members):,} parts", f"{MOST_MEMBERS:,}")
        for member in members:
            size = member.file_size
            if size > LARGEST_MEMBER:
                raise self._too_large(f"a part of {size:,} bytes ({member.filename})", f"{LARGEST_MEMBER:,}")
            if size > _RATIO_MATTERS and size > HIGHEST_RATIO * member.compress_size:
                ratio = f"a part that grows {size // max(1, member.compress_size):,} times ({member.filename})"
                raise self._too_large(ratio, f"{HIGHEST_RATIO} times")
        total = sum(member.file_size for member in members)
        if total > LARGEST_TOTAL:
            raise self._too_large(f"{total:,} bytes in all", f"{LARGEST_TOTAL:,}")

    def _too_large(self, what: str, limit: str) -> LoadError:
        return LoadError(f"{self.path}: holds {what}; the limit is {limit}")


@contextmanager
def open_archive(path: Path, wanted: str, *also: str) -> Iterator[Archive]:
    """Opens a document that is a ZIP archive.

    Args:
        path: the file.
        wanted: what it should be, for the error: "a PowerPoint file (.pptx)".
        also: what else it may be; :attr:`Archive.kind` is what it is.

    Raises:
        LoadError: it is no such file, or is larger than the limits; says which, and what the file is instead.
    """
    with path.open("rb") as file:
        head = file.read(8)
        if not head.startswith(_ZIP):
            raise LoadError(f"{path}: is not {wanted}" + _instead(path, head))
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, EOFError) as error:
            raise LoadError(f"{path}: is cut off, or not {wanted} ({error})") from error
        with archive:
            opened = Archive(path, archive)
            if opened.kind not in (None, wanted, *also):
                raise LoadError(f"{path}: is not {wanted}, but {opened.kind}")
            opened.limits = LIMITS.get(opened.kind or wanted, USUAL)
            yield opened


def old_office(path: Path) -> str | None:
    """What a file in Microsoft's old container is, in words; None where it is none."""
    with path.open("rb") as file:
        if not file.read(8).startswith(_OLE):
            return None
        file.seek(0)
        directory = file.read(64 << 20)  # names of streams are UTF-16, wherever the directory stands
    names = [words for stream, words in _OLD_FORMATS if f"{stream}\0".encode("utf-16-le") in directory]
    return names[0] if names else UNKNOWN_OLD


@contextmanager
def _xml_errors(where: str) -> Iterator[None]:
    """What a parser raises, as the file's error."""
    from xml.etree.ElementTree import ParseError
    from xml.sax import SAXException

    from defusedxml import DefusedXmlException

    try:
        yield
    except DefusedXmlException as error:
        raise LoadError(
            f"{where} defines entities of its own, which may stand for more than there is room for"
        ) from error
    except (ParseError, SAXException, ValueError, LookupError) as error:
        raise LoadError(f"{where} is no XML that can be read ({error})") from error


def _instead(path: Path, head: bytes) -> str:
    text = "a text, HTML or XML by its first letter" if head.lstrip().startswith(b"<") else None
    kind = old_office(path) or signature(head) or text
    return f", but {kind}" if kind else f": it begins with {head[:8]!r}"
