"""Workbooks in records of BIFF12 (XLSB, [MS-XLSB] 2.1.4): their sheets, how many cells these span, and comments."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from late_rag.loaders.spreadsheet.sizes import Extent, reference

BINARY = ".bin"
"""How the names of its parts end."""

_ROW, _SHARED, _STRING, _SHEET, _COMMENT, _COMMENT_TEXT = 0, 7, 19, 156, 635, 637
_SHEET_DATA, _BOOK, _STRINGS, _STYLES, _COMMENTS = 129, 131, 159, 278, 628
"""The first records of parts; the last have the next number."""
_CELLS = range(2, 12)


def binary_sheets(data: bytes) -> dict[str, str]:
    """The relations that lead to the sheets of a workbook, by the names of these.

    Raises:
        ValueError: the part is cut off or damaged; so do the other functions.
    """
    sheets = {}
    for kind, content in _records(data, _BOOK):
        if kind == _SHEET:
            relation, place = _words(content, 8)
            name, _ = _words(content, place)
            sheets[name] = relation
    return sheets


def binary_comments(data: bytes) -> Iterator[tuple[str, str]]:
    """Cells and words of the comments of a sheet."""
    cell = ""
    for kind, content in _records(data, _COMMENTS):
        if kind == _COMMENT and len(content) >= 20:  # its author, and the first and last of rows and columns
            row, _, column = struct.unpack_from("<3I", content, 4)
            cell = reference(row, column)
        elif kind == _COMMENT_TEXT and cell:
            yield cell, _words(content, 1)[0]


def _words(content: bytes, place: int) -> tuple[str, int]:
    """A text with its length in front, and the place behind it."""
    (count,) = struct.unpack_from("<I", content, place) if len(content) >= place + 4 else (0,)
    end = place + 4 + 2 * (0 if count == 0xFFFFFFFF else count)
    return content[place + 4 : end].decode("utf-16-le", "replace"), end


def string_lengths(data: bytes) -> list[int]:
    """The lengths of the shared strings, their form included."""
    return [len(content) // 2 for kind, content in _records(data, _STRINGS) if kind == _STRING]


def check_styles(data: bytes) -> None:
    """Lets pass styles that are whole."""
    for _ in _records(data, _STYLES):
        pass


def xlsb_extent(data: bytes, lengths: list[int]) -> Extent:
    """The extent of a sheet of XLSB."""
    extent, row = Extent(), 0
    for kind, content in _records(data, _SHEET_DATA):
        if kind == _ROW and len(content) >= 4:
            (row,) = struct.unpack_from("<I", content)
        elif kind in _CELLS and len(content) >= 8:
            extent.add(row, struct.unpack_from("<I", content)[0])
            if kind == _SHARED and len(content) >= 12:  # refers to a shared string
                number = struct.unpack_from("<I", content, 8)[0]
                extent.characters += lengths[number] if number < len(lengths) else 0
    return extent


def _records(data: bytes, first: int) -> Iterator[tuple[int, bytes]]:
    """Kind and content of each record of a part that begins with this kind.

    Raises:
        ValueError: it begins or ends with another.
    """
    place, kind = 0, -1
    while place < len(data):
        begins = place == 0
        kind, place = _variable(data, place, 2)
        size, place = _variable(data, place, 4)
        if begins and kind != first:
            raise ValueError("it does not begin as such a part does")
        yield kind, data[place : place + size]
        place += size
    if kind != first + 1 or place > len(data):
        raise ValueError("it is cut off")


def _variable(data: bytes, place: int, most: int) -> tuple[int, int]:
    """A number of which each byte has seven bits, and the place behind it."""
    number = 0
    for step in range(most):
        byte = data[place] if place < len(data) else 0
        number |= (byte & 0x7F) << 7 * step
        place += 1
        if byte < 0x80:
            break
    return number, place
