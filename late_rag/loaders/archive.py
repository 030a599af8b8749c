"""ZIP archives that hold a document (Office, OpenDocument, EPUB), read within limits of number, size and ratio."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.sax.handler import ContentHandler

from late_rag.errors import LoadError
from late_rag.loaders.decoding import signature

MOST_MEMBERS = 20_000
LARGEST_MEMBER = 256 << 20
LARGEST_TOTAL = 1 << 30
LARGEST_XML = 128 << 20
"""Of all XML together, for a library that makes trees of it at once."""

HIGHEST_RATIO = 250
"""Of the size to the compressed size, of members larger than 32 MiB: XML as programs write it stays far below."""

_RATIO_MATTERS = 32 << 20
_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)|<\0!\0D\0O\0C\0T")
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


class Archive:
    """A ZIP archive whose sizes were checked; what is read of a member is never more than it claims."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path = path
        self.names = frozenset(archive.namelist())
        self._archive = archive
        self._check()
        self.kind = _kind(self)

    def read(self, name: str) -> bytes:
        """The bytes of a member.

        Raises:
            LoadError: there is no such member, it is damaged, or protected by a password.
        """
        if name not in self.names:
            raise LoadError(f"{self.path}: is damaged: its part {name} is missing")
        try:
            return self._archive.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
            raise LoadError(f"{self.path}: its part {name} cannot be read ({error})") from error

    def size(self, name: str) -> int:
        """How many bytes a member claims."""
        return self._archive.getinfo(name).file_size

    def xml(self, name: str) -> Any:
        """The root element of a member that is XML, without entities of its own.

        Raises:
            LoadError: as :meth:`read`; it is no XML that may be read.
        """
        from defusedxml import ElementTree

        with _xml_errors(f"{self.path}: its part {name}"):
            return ElementTree.fromstring(self.read(name))

    def parse(self, name: str, handler: ContentHandler) -> None:
        """Lets a handler take the events of a member that is XML, without a tree and without entities of its own.

        Raises:
            LoadError: as :meth:`xml`.
        """
        from defusedxml import sax

        with _xml_errors(f"{self.path}: its part {name}"):
            sax.parseString(self.read(name), handler)

    def without_media(self, changed: Mapping[str, bytes] | None = None) -> io.BytesIO:
        """The archive again, for a library that reads it whole: XML as it is, pictures and films empty.

        Args:
            changed: what stands in the place of some members.

        Raises:
            LoadError: as :meth:`read`; a part has a document type, which Office files never have.
        """
        size = sum(self.size(name) for name in self.names if _is_xml(name))
        if size > LARGEST_XML:
            raise self._too_large(f"{size:,} bytes of XML", f"{LARGEST_XML:,}")
        copy = io.BytesIO()
        with zipfile.ZipFile(copy, "w") as target:
            for name in sorted(self.names):
                data = changed.get(name) if changed else None
                target.writestr(zipfile.ZipInfo(name), self._office_part(name) if data is None else data)
        copy.seek(0)
        return copy

    def _office_part(self, name: str) -> bytes:
        if not _is_xml(name):
            return b""
        data = self.read(name)
        if _DOCTYPE.search(data):
            raise LoadError(f"{self.path}: its part {name} defines entities, which no Office program writes")
        return data

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


def _is_xml(name: str) -> bool:
    return name.lower().endswith((".xml", ".rels", ".vml"))


def _kind(archive: Archive) -> str | None:
    mime_type = archive.read("mimetype")[:200].strip() if "mimetype" in archive.names else b""
    told = _MIME_TYPES.get(mime_type.removesuffix(b"-template"))
    return told or next((words for name, words in _MARKS if name in archive.names), None)


def _instead(path: Path, head: bytes) -> str:
    text = "a text, HTML or XML by its first letter" if head.lstrip().startswith(b"<") else None
    kind = old_office(path) or signature(head) or text
    return f", but {kind}" if kind else f": it begins with {head[:8]!r}"
