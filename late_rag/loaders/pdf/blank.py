"""Pages without text: which of them are pictures of text, and of which the content is damaged.

pdfium shows a page whose content cannot be decoded as an empty one, and gives no access to that content; so such pages
are copied to a PDF of their own, in which it is found.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from enum import Enum, auto
from itertools import islice
from typing import TYPE_CHECKING

from late_rag.loaders.pdf.lzw import lzw_decoded

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

_COVERED = 0.5  # of a page that is a picture
_MOST_PICTURES = 10_000  # of a page that are looked at
_DEPTH = 4  # of forms in forms
_MOST_CONTENT = 1 << 22  # bytes of a content that are looked at
_HEAD = 1 << 12  # of an object: where its entries stand
_OBJECT = re.compile(rb"[\r\n](\d{1,10}) 0 obj\r\n")
_PAGE = re.compile(rb"/Type ?/Page\b")
_CONTENTS = re.compile(rb"/Contents ?(?:(\d{1,10}) 0 R|\[([\d R]{1,1000})\])")
_NUMBER = re.compile(rb"(\d{1,10}) 0 R")
_FILTER = re.compile(rb"/Filter ?(?:/(\w{1,30})|\[([ /\w]{1,200})\])")
_LENGTH = re.compile(rb"/Length (\d{1,10})\b")
_LATE = re.compile(rb"/EarlyChange 0\b")
_WHITE = b"\0\t\n\f\r "
_OPERATOR = re.compile(
    rb"(?:^|[\s\])>])(?:q|Q|cm|gs|BT|ET|BDC|BMC|EMC|re|f|S|s|n|W|m|l|w|d|Do|rg|RG|g|G|k|K|sh)(?=\s|$)"
)


def is_scan(page: PdfPage) -> bool:
    """Whether pictures cover most of a page."""
    left, bottom, right, top = page.get_bbox()
    least, covered = _COVERED * (right - left) * (top - bottom), 0.0
    for x, y, end, height in islice(_pictures(page), _MOST_PICTURES):
        covered += max(0.0, min(end, right) - max(x, left)) * max(0.0, min(height, top) - max(y, bottom))
        if covered > least:
            return True
    return False


def _pictures(page: PdfPage) -> Iterator[tuple[float, float, float, float]]:
    """Where the pictures of a page stand."""
    from pypdfium2 import raw

    for picture in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=_DEPTH):
        place, form = picture.get_bounds(), picture.container
        while form is not None:
            place, form = form.get_matrix().on_rect(*place), form.container
        yield place


def damaged_pages(pdf: PdfDocument, indexes: Sequence[int]) -> list[int]:
    """Of these pages, which show nothing, those whose content cannot be decoded or is none."""
    import pypdfium2

    if not indexes:
        return []
    buffer = io.BytesIO()
    with closing(pypdfium2.PdfDocument.new()) as copy:
        copy.import_pages(pdf, list(indexes))
        copy.save(buffer)
    data = buffer.getvalue()
    contents = list(_contents(data))
    if len(contents) != len(indexes):
        return []
    starts = {start for page in contents for start in page}
    states = {start: _state(*_stream(data, start)) for start in starts}
    pages = zip(indexes, contents, strict=True)
    return [index for index, page in pages if _is_damaged([states[start] for start in page])]


class _State(Enum):
    """What a content stream turns out to be."""

    BLANK = auto()
    DRAWING = auto()
    NONSENSE = auto()
    DAMAGED = auto()
    UNKNOWN = auto()


def _contents(data: bytes) -> Iterator[list[int]]:
    """Where the streams of each page begin, which pages may share, in the order of the pages."""
    objects = _objects(data)
    for start in objects.values():
        head = data[start : start + _HEAD].partition(b"endobj")[0].partition(b"stream\r\n")[0]
        if _PAGE.search(head):
            found = _CONTENTS.search(head)
            numbers = _NUMBER.findall(found.group().partition(b"s")[2]) if found else []
            yield [objects[number] for number in numbers if number in objects]


def _objects(data: bytes) -> dict[bytes, int]:
    """Where each object begins; the contents of streams are passed over."""
    objects: dict[bytes, int] = {}
    place = 0
    while found := _OBJECT.search(data, place):
        place = found.end()
        objects[found.group(1)] = place
        head = data[place : place + _HEAD].partition(b"endobj")[0]
        length = _LENGTH.search(head.partition(b"stream\r\n")[0])
        if length and b"stream\r\n" in head:
            place += head.index(b"stream\r\n") + int(length.group(1))
    return objects


def _stream(data: bytes, start: int) -> tuple[bytes, bytes]:
    """The entries of a stream, and its bytes."""
    head, found, _ = data[start : start + _HEAD].partition(b"stream\r\n")
    length = _LENGTH.search(head)
    if not found or not length or int(length.group(1)) > _MOST_CONTENT:
        return b"", b""
    begin = start + len(head) + len(found)
    return head, data[begin : begin + int(length.group(1))]


def _is_damaged(streams: list[_State]) -> bool:
    """Whether what is drawn on a page cannot be told from its content."""
    told = next((state for state in streams if state in (_State.DAMAGED, _State.UNKNOWN)), None)
    if told is None:
        return _State.NONSENSE in streams and _State.DRAWING not in streams
    return told is _State.DAMAGED


def _state(head: bytes, stream: bytes) -> _State:
    try:
        content = _decoded(head, stream)
    except (ValueError, zlib.error, binascii.Error):
        return _State.DAMAGED
    except NotImplementedError:
        return _State.UNKNOWN
    if not content.strip(_WHITE):
        return _State.BLANK
    return _State.DRAWING if _OPERATOR.search(content) else _State.NONSENSE


def _decoded(head: bytes, stream: bytes) -> bytes:
    """A content stream without its filters.

    Raises:
        ValueError, zlib.error: it is damaged.
        NotImplementedError: it has another filter.
    """
    found = _FILTER.search(head)
    names = (found.group(1) or found.group(2)).replace(b"/", b" ").split() if found else []
    for name in names if stream.strip() else ():
        if name in (b"FlateDecode", b"Fl"):
            stream = zlib.decompressobj().decompress(stream, _MOST_CONTENT)
        elif name in (b"LZWDecode", b"LZW"):
            stream = lzw_decoded(stream, _MOST_CONTENT, early=0 if _LATE.search(head) else 1)
        elif name in (b"ASCII85Decode", b"A85"):
            stream = stream.strip().removeprefix(b"<~").partition(b"~>")[0]
            stream = base64.a85decode(stream, ignorechars=_WHITE)
        elif name in (b"ASCIIHexDecode", b"AHx"):
            stream = bytes.fromhex(stream.partition(b">")[0].decode("ascii"))
        else:
            raise NotImplementedError(name)
    return stream
