"""Where a section may be broken: prose at the strongest place, blocks between their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from late_rag.chunkers.blocks import Block, Blocks, Style, markdown_blocks
from late_rag.chunkers.breaks import break_in_line, break_in_prose, paragraphs
from late_rag.chunkers.forms import ENTRY, Form

if TYPE_CHECKING:
    from late_rag.chunkers.sections import Section

_INK = re.compile(r"\S")
_LINE_END = re.compile(r"\n(?P<blank>(?:[^\S\n]*+\n)*+)(?P<indent>[^\S\n]*+)(?=\S)")
_CLOSES = re.compile(
    r"[)\]}]|(?:else|elif|elsif|except|catch|finally|rescue|ensure|end|fi|done|esac|then|do|begin)\b|\{"
)
"""How a line begins that goes on with what stands above it."""

_INTRODUCES = re.compile(r"[^\S\n]*+(?:@|#|//|/\*|\*|--|;;|%|\[\w|template\b)")
"""How a line begins that belongs to what stands below it: a decorator, attribute or comment."""

_LONGEST_INDENT = 120


@dataclass(frozen=True, slots=True)
class Layout:
    """A text with its blocks.

    Nothing up to ``floor``, where the text below a section's headings begins, is parted from what follows it.
    """

    text: str
    blocks: Blocks
    floor: int

    @classmethod
    def of(cls, text: str, section: Section, form: Form) -> Layout:
        """The layout of a section of a text of this form."""
        start, end = section.start, section.end
        if form in (Form.MARKDOWN, Form.MIXED):
            blocks = Blocks(markdown_blocks(text, start, end))
        elif form is Form.PROSE:
            blocks = Blocks()
        else:
            blocks = Blocks([Block.whole(start, end, Style.CODE if form is Form.CODE else Style.LINES)])
        ink = _INK.search(text, max(start, section.body), end)
        return cls(text, blocks, ink.start() if ink else end)

    def nearest_break(self, least: int, low: int, high: int, target: int) -> int:
        """The best place for the end of a chunk in ``low … high``; the nearest to ``target`` of equally good ones.

        Before ``low``, but not before ``least``, only where a line would be broken otherwise.
        """
        floor = self._floor()
        places = [place for place in self._between(low, high) if place > floor]
        if places:
            return _nearest(places, target)
        block = self.blocks.inside(high)
        if block is None:
            return break_in_prose(self.text, min(max(low, floor + 1), high), high, target)
        place = self._between_lines(block, low, high, target)
        if place is None:
            place = self._last_line_end(block, max(least, floor + 1), low)
        if place is None:
            place = self._before_fitting_line(least, high)
        if place is None:
            return break_in_line(self.text, low, high, target, in_table=block.style is Style.TABLE)
        return place

    def first_break(self, low: int, high: int) -> int | None:
        """The first of the best places in ``low … high`` at which a chunk may begin; None inside of one line."""
        places = list(self._between(low, high))
        if places:
            return places[0]
        block = self.blocks.inside(high)
        if block is None:
            return break_in_prose(self.text, low, high, low)
        return self._between_lines(block, low, high, low)

    def begin(self, place: int, earliest: int) -> int:
        """The place, or that of the indentation in front of it where it is code's; not before ``earliest``."""
        block = self.blocks.at(place)
        if block is None or block.style is not Style.CODE or place < block.body:
            return place
        line = self.text.rfind("\n", max(0, earliest - 1), place) + 1
        is_line = line > 0 or earliest == 0
        return line if is_line and place - line <= _LONGEST_INDENT and self.text[line:place].isspace() else place

    def header(self, start: int) -> str:
        """The header and delimiter row of the table inside of which a chunk begins; "" where none does."""
        block = self.blocks.at(start)
        if block is None or block.style is not Style.TABLE or start < block.body:
            return ""
        return self.text[block.start : block.body]

    def _floor(self) -> int:
        """The text below the headings begins here; of a table or code there, its first line."""
        block = self.blocks.at(self.floor)
        return block.body if block and block.start == self.floor and block.style is not Style.LINES else self.floor

    def _between(self, low: int, high: int) -> Iterator[int]:
        """Places between blocks, or paragraphs, in order."""
        edges = list(self.blocks.edges(low, high))
        found = (place for place in paragraphs(self.text, low, high) if not self.blocks.inside(place))
        yield from sorted({*edges, *found})

    def _between_lines(self, block: Block, low: int, high: int, target: int) -> int | None:
        """The best end of a line in ``low … high``: in code that before the least indentation."""
        low, high = max(low, block.body), min(high, block.tail - 2)
        ends = (match for match in _LINE_END.finditer(self.text, low, min(len(self.text), high + _LONGEST_INDENT)))
        ranked = [
            (*self._rank(block, match), abs(match.start() - target), -match.start())
            for match in ends
            if match.start() <= high
        ]
        return -min(ranked)[-1] if ranked else None

    def _rank(self, block: Block, end: re.Match[str]) -> tuple[int, int, int]:
        """The less, the better a place for a break: what goes on, how deep it is, whether an empty line is there."""
        if block.style is Style.TABLE:
            return (0, 0, 0)
        text, following = self.text, end.end()
        if block.style is Style.LINES:
            return (0 if ENTRY.match(text, following - len(end["indent"])) else 1, 0, 0 if end["blank"] else 1)
        depth = len(end["indent"].expandtabs(4))
        if end["blank"]:
            return (0, depth, 0)
        line = text.rfind("\n", max(block.start, end.start() - _LONGEST_INDENT), end.start()) + 1
        attached = _CLOSES.match(text, following) or (line and _INTRODUCES.match(text, line))
        return (1 if attached else 0, depth, 1)

    def _last_line_end(self, block: Block, least: int, low: int) -> int | None:
        """The last end of a line before ``low``, or else the block's beginning."""
        place = self.text.rfind("\n", max(least, block.body), min(low, block.tail - 1))
        if place >= 0:
            return place
        return block.start if least <= block.start < low else None

    def _before_fitting_line(self, least: int, high: int) -> int | None:
        """The end of a header or fence from which the line below is parted because it fits alone, not with them."""
        begin, longest = self.text.rfind("\n", max(least, self.floor + 1), high), high - least
        end = self.text.find("\n", high, high + longest)
        end = min(high + longest, len(self.text)) if end < 0 else end
        return begin if begin >= 0 and end - begin <= longest else None


def _nearest(places: list[int], target: int) -> int:
    return min(places, key=lambda place: (abs(place - target), -place))
