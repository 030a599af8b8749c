"""The characters of a PDF page as pdfium finds them, and where each stands.

Places are given as if the page lay so that its text runs from left to right. Each look at a character costs a
microsecond, so an ordinary page is read as one string and looked at once or twice a line.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from late_rag.loaders.pdf.words import DIVIDED

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

LEFT_OUT = "\ufdd0"
"""In place of a character that is not of the text: a code point that is no character."""

_HYPHEN = "\ufffe"  # what pdfium makes of a hyphen and the end of the line; a font can claim it as well
_HYPHEN_CODE = 2  # the same, asked for alone
_STRAIGHT = 0.03  # quarters of a circle
_HYPHENS = re.compile(_HYPHEN)
_LINES = re.compile(rf"([^\r\n{DIVIDED}]+)([\r\n{DIVIDED}]*)")
_NO_LETTERS = re.compile(rf"[\s\x00-\x1f\ufffe{DIVIDED}]+")
_LETTER = re.compile(rf"[^\s{LEFT_OUT}]")


Area: TypeAlias = tuple[float, float, float, float]
"""Left, bottom, right and top of a part of a page."""


class Line(NamedTuple):
    """Characters ``start`` to ``end`` of a page, what ends the line, and its first and last letter."""

    start: int
    end: int
    ending: str
    first: int
    last: int


class Box(NamedTuple):
    """Where a character stands: along its line, and across it."""

    left: float
    right: float
    bottom: float
    top: float


class Characters:
    """The characters of a page by number; ``units`` has one UTF-16 code unit for each."""

    def __init__(self, page: PdfPage, area: Area | None = None) -> None:
        from pypdfium2 import raw

        self._raw = raw
        self.area: Area = area or page.get_bbox()
        self._text = page.get_textpage()
        self._numbers = [ctypes.c_double() for _ in range(4)]
        self._places = [ctypes.byref(number) for number in self._numbers]
        self._origins: dict[int, tuple[float, float]] = {}
        self._rectangle = raw.FS_RECTF()
        self.turn = page.get_rotation() // 90 % 4
        self.units = self._units()
        self._keep_to_page()

    def close(self) -> None:
        """Frees what pdfium keeps."""
        self._text.close()

    def lines(self) -> Iterator[Line]:
        """The lines in which there is anything to see."""
        for found in _LINES.finditer(self.units):
            line = self.line(*found.span(1), _ending(found.group(2)))
            if line:
                yield line

    def line(self, start: int, end: int, ending: str) -> Line | None:
        """These characters as a line, if there is anything to see in it."""
        first = _LETTER.search(self.units, start, end)
        if not first:
            return None
        last = end - 1
        while not _LETTER.match(self.units, last):
            last -= 1
        return Line(start, end, ending, first.start(), last)

    def leave_out(self, unwanted: Callable[[int], bool]) -> None:
        """Takes letters out of the text, by their number."""
        self.units = "".join(
            LEFT_OUT if _LETTER.match(unit) and unwanted(index) else unit for index, unit in enumerate(self.units)
        )

    def turn_of(self, index: int) -> int:
        """How many quarters to the right the page must be turned for this character to stand upright."""
        return round(self._quarters(index)) % 4

    def is_straight(self, index: int) -> bool:
        """Whether a character stands along an edge of the page."""
        quarters = self._quarters(index)
        return abs(quarters - round(quarters)) < _STRAIGHT

    def _quarters(self, index: int) -> float:
        angle: float = self._raw.FPDFText_GetCharAngle(self._text.raw, index)
        return -angle / (math.pi / 2)

    def run_of(self, line: Line) -> int | None:
        """The turn for the first two letters of a line to follow each other to the right, where that can be told.

        It differs from that of the letters alone where a form that is turned holds them.
        """
        letters = self.units[line.first : line.first + 2]
        if line.last == line.first or not letters.isalnum() or not letters.isascii():
            return None
        (x, y), (along, across) = (_turned(*self.origin(line.first + number), -self.turn % 4) for number in (0, 1))
        return round(math.atan2(across - y, along - x) / (math.pi / 2)) % 4 if (x, y) != (along, across) else None

    def origin(self, index: int) -> tuple[float, float]:
        """Where a character begins on its baseline."""
        found = self._origins.get(index)
        if found is None:
            self._raw.FPDFText_GetCharOrigin(self._text.raw, index, *self._places[:2])
            found = self._origins[index] = _turned(self._numbers[0].value, self._numbers[1].value, self.turn)
        return found

    def box(self, index: int) -> Box:
        """The place of a character by its font, whatever its form."""
        found = self._rectangle
        self._raw.FPDFText_GetLooseCharBox(self._text.raw, index, found)
        return _box(found.left, found.right, found.bottom, found.top, self.turn)

    def piece(self, index: int) -> int | None:
        """What tells the piece of text that a character was drawn with; None for a blank that was not drawn."""
        found = self._raw.FPDFText_GetTextObject(self._text.raw, index)
        return ctypes.addressof(found.contents) if found else None

    def count_runs(self) -> int:
        """In how many pieces the page's text was drawn."""
        count: int = self._raw.FPDFText_CountRects(self._text, 0, -1)
        return count

    def runs(self) -> list[Box]:
        """Where these pieces stand, in the order of the characters."""
        (left, top, right, bottom), text, rectangle = self._numbers, self._text.raw, self._raw.FPDFText_GetRect
        boxes = []
        for number in range(self.count_runs()):
            rectangle(text, number, *self._places)
            boxes.append(_box(left.value, right.value, bottom.value, top.value, self.turn))
        return boxes

    def share_without_map(self, indexes: Sequence[int]) -> float:
        """Of these characters, how many have no Unicode character that the font tells."""
        unknown = sum(self._raw.FPDFText_HasUnicodeMapError(self._text.raw, index) == 1 for index in indexes)
        return unknown / len(indexes) if indexes else 0.0

    def _units(self) -> str:
        text, count = self._text.get_text_range(), self._text.count_chars()
        if len(text) != count:  # what stands for no character was left out, or some need two units
            return "".join(map(self._unit, range(count)))
        text = text.replace(LEFT_OUT, " ").replace(DIVIDED, " ")
        return _HYPHENS.sub(lambda found: self._hyphen(found.start()), text) if _HYPHEN in text else text

    def _unit(self, index: int) -> str:
        code = self._raw.FPDFText_GetUnicode(self._text.raw, index)
        if code in (_HYPHEN_CODE, ord(_HYPHEN)):
            return self._hyphen(index)
        return " " if code > 0x10FFFF or chr(code) in (LEFT_OUT, DIVIDED) else chr(code)

    def _hyphen(self, index: int) -> str:
        return DIVIDED if self._raw.FPDFText_IsHyphen(self._text.raw, index) == 1 else " "

    def _keep_to_page(self) -> None:
        """Leaves out what stands outside the part of the page that is shown."""
        left, bottom, right, top = self.area
        bounded = self._text.get_text_bounded(left, bottom, right, top)
        if _packed(bounded) == _packed(self.units):
            return
        shown = _letters(bounded)
        if shown == _letters(plain(self.units)):
            return
        if not shown and self.turn % 2:  # a writer that gave the sides as they are after turning
            right, top = left + top - bottom, bottom + right - left
            self.area = (left, bottom, right, top)
        self.leave_out(lambda index: not self._inside(index))

    def _inside(self, index: int) -> bool:
        left, bottom, right, top = self.area
        self._raw.FPDFText_GetCharBox(self._text.raw, index, *self._places)
        box_left, box_right, box_bottom, box_top = (number.value for number in self._numbers)
        return box_left <= right and box_right >= left and box_bottom <= top and box_top >= bottom


def _ending(separator: str) -> str:
    return DIVIDED if DIVIDED in separator else separator.replace("\r\n", "\n").replace("\r", "\n")


def _turned(x: float, y: float, turn: int) -> tuple[float, float]:
    return ((x, y), (y, -x), (-x, -y), (-y, x))[turn]


def _box(left: float, right: float, bottom: float, top: float, turn: int) -> Box:
    if not turn:
        return Box(left, right, bottom, top)
    (along, across), (end, height) = _turned(left, bottom, turn), _turned(right, top, turn)
    return Box(min(along, end), max(along, end), min(across, height), max(across, height))


def plain(units: str) -> str:
    """The characters that the code units stand for, without halves of pairs."""
    return units if units.isascii() else units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


def _packed(text: str) -> str:
    return text.replace("\r\n", "").replace(" ", "").replace("\x02", DIVIDED)


def _letters(text: str) -> str:
    return _NO_LETTERS.sub("", text)
