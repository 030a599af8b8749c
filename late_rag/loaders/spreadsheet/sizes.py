"""How many cells the sheets of a workbook span, before a library makes room for all of them.

python-calamine keeps a sheet as a rectangle around all cells that have content: two cells in opposite corners are
17 billion, and end the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.sax.handler import ContentHandler

MOST_CELLS = 5_000_000
MOST_TEXT = 1 << 28
"""Characters of all cells together: a long text may be referred to by many."""

_CELL = re.compile(rb"<(?:[\w.-]{1,40}:)?c(?=[\s/>])(?:[^<>']*?\sr=\"([A-Za-z]{1,9})([0-9]{1,19})\")?")
_REFERENCE = re.compile(r"([A-Za-z]{1,9})([0-9]{1,19})")
_STRING_END = re.compile(rb"</(?:[\w.-]{1,40}:)?si>")
_BLOCK = 1 << 22


@dataclass
class Extent:
    """The rectangle around the cells of a sheet, and how long their texts are."""

    rows: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    characters: int = 0

    def add(self, row: int, column: int, copies: int = 1, columns: int = 1) -> None:
        """Takes in a cell, and those right of it and below that are like it."""
        below, right = row + copies - 1, column + columns - 1
        if not self.rows:
            self.rows, self.columns = [row, below], [column, right]
        self.rows = [min(self.rows[0], row), max(self.rows[1], below)]
        self.columns = [min(self.columns[0], column), max(self.columns[1], right)]

    @property
    def cells(self) -> int:
        """How many the rectangle has."""
        if not self.rows:
            return 0
        return (self.rows[1] - self.rows[0] + 1) * (self.columns[1] - self.columns[0] + 1)

    def problem(self) -> str | None:
        """What is too large about it, and what to do."""
        if self.cells > MOST_CELLS:
            height, width = self.rows[1] - self.rows[0] + 1, self.columns[1] - self.columns[0] + 1
            return (
                f"spans {height:,} rows × {width:,} columns, the limit is {MOST_CELLS:,} cells; "
                "delete what stands far out, or save it as CSV"
            )
        if self.characters > MOST_TEXT:
            return f"has {self.characters:,} characters in its cells; the limit is {MOST_TEXT:,}"
        return None


def reference(row: int, column: int) -> str:
    """The name of a cell, such as B2."""
    letters, column = "", column + 1
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(65 + letter) + letters
    return f"{letters}{row + 1}"


def string_lengths(data: bytes) -> list[int]:
    """The lengths of the shared strings of XLSX, their markup included."""
    return [len(piece) for piece in _STRING_END.split(data)]


def xlsx_extent(data: bytes, lengths: list[int]) -> Extent:
    """The extent of a sheet of XLSX: at first from the references alone, more exactly where that is too much.

    Raises:
        ValueError, SAXException: it has references that are none, or is no XML.
    """
    from defusedxml import sax

    columns, rows, count = set[bytes](), set[bytes](), 0
    for block in _blocks(data):
        for column, row in _CELL.findall(block):
            columns.add(column)
            rows.add(row)
            count += 1
    extent = Extent(characters=count * max(lengths, default=0))
    if b"" not in columns:
        for column in columns:
            extent.add(min(map(int, rows)), _column(column.decode()))
        for row in rows:
            extent.add(int(row), _column(next(iter(columns)).decode()))
        if extent.problem() is None:
            return extent
    handler = _XlsxHandler(lengths)
    sax.parseString(data, handler)
    return handler.extents[0]


def _blocks(data: bytes) -> Iterator[bytes]:
    """Pieces that end in front of a tag."""
    place = 0
    while place < len(data):
        end = data.find(b"<", place + _BLOCK)
        end = len(data) if end < 0 else end
        yield data[place:end]
        place = end


def _column(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number - 1


class _XlsxHandler(ContentHandler):
    """Cells that have a value, where a program sees them: without a reference they follow each other."""

    def __init__(self, lengths: list[int]) -> None:
        super().__init__()
        self.extents = [Extent()]
        self._lengths = lengths
        self._row = self._column = -1
        self._shared = False
        self._value: list[str] | None = None

    def startElement(self, name: str, attrs: Any) -> None:  # noqa: N802 - the parser's own name
        name = name.rpartition(":")[2]
        if name == "row":
            self._row = _number(attrs["r"]) - 1 if "r" in attrs else self._row + 1
            self._column = -1
        elif name == "c":
            self._place(attrs.get("r"))
            self._shared = attrs.get("t") == "s"
        elif name in ("v", "is"):
            self.extents[0].add(max(0, self._row), self._column)
            self._value = []

    def _place(self, reference: str | None) -> None:
        if reference is None:
            self._column += 1
            return
        found = _REFERENCE.fullmatch(reference)
        if found is None:
            raise ValueError(f"{reference[:40]!r} is no reference of a cell")
        self._row, self._column = int(found[2]) - 1, _column(found[1])

    def characters(self, content: str) -> None:
        if self._value is not None:
            self.extents[0].characters += len(content)
            if self._shared:
                self._value.append(content)

    def endElement(self, name: str) -> None:  # noqa: N802 - as above
        if name.rpartition(":")[2] in ("v", "is") and self._value is not None:
            number = "".join(self._value[:20]).strip()
            if self._shared and number.isdecimal() and len(number) < 10 and int(number) < len(self._lengths):
                self.extents[0].characters += self._lengths[int(number)]
            self._value = None


class OdsSheets(ContentHandler):
    """The extents of the sheets of ODS, of cells that have a value with those they are repeated for; and comments."""

    def __init__(self) -> None:
        super().__init__()
        self.extents: list[Extent] = []
        self.comments: dict[str, list[tuple[str, str]]] = {}
        self._sheet = ""
        self._words: list[str] | None = None
        self._in_words = False
        self._row = self._column = 0
        self._rows = self._columns = 1

    def startElement(self, name: str, attrs: Any) -> None:  # noqa: N802 - the parser's own name
        if name == "table:table":
            self.extents.append(Extent())
            self._sheet = attrs.get("table:name", "")
            self._row = 0
            self._rows = 0
        elif name == "table:table-row":
            self._row, self._rows = self._row + self._rows, _count(attrs.get("table:number-rows-repeated"))
            self._column = self._columns = 0
        elif name in ("table:table-cell", "table:covered-table-cell"):
            self._column += self._columns
            self._columns = _count(attrs.get("table:number-columns-repeated"))
            if attrs.get("office:value-type"):
                self._add()
        elif name == "office:annotation":
            self._words = []
        elif name == "text:p" and self._words is not None:
            self._words.append(" ")
            self._in_words = True
        elif name == "text:p":
            self._add()

    def endElement(self, name: str) -> None:  # noqa: N802 - as above
        if name == "text:p":
            self._in_words = False
        elif name == "office:annotation" and self._words is not None:
            cell = reference(self._row, self._column)
            self.comments.setdefault(self._sheet, []).append((cell, "".join(self._words)))
            self._words = None

    def _add(self) -> None:
        if self.extents:
            self.extents[-1].add(self._row, self._column, self._rows, self._columns)

    def characters(self, content: str) -> None:
        if self._words is not None and self._in_words:
            self._words.append(content)
        if self.extents:
            self.extents[-1].characters += len(content) * max(1, self._rows * self._columns)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise ValueError(f"{text[:40]!r} is no number of a row")
    return int(text)


def _count(text: str | None) -> int:
    return max(1, int(text)) if text and text.isascii() and text.isdigit() and len(text) < 10 else 1
