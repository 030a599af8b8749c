"""What stands below each other in a page: paragraphs, headings, items, and how they are joined to Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

LINE_END = "\0"
"""Stands for a line end that is meant, among those that are only white space; no text that was decoded has it."""

_SPACE = re.compile(r"[ \t\n\r\f]+")
_LINE_END = re.compile(rf" ?{LINE_END} ?")
_LINE_ENDS = re.compile(r"\n{3,}")
_LIKE_MARKUP = re.compile(r"^(?=#{1,6}(?:[ \t]|$)|```|~~~)|(?<=\n)(?=(?:=+|-+)$)", re.MULTILINE)
_BACKTICKS = re.compile("`{3,}")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, item, …; a heading's text is without its marks, and ``level`` is 1 to 6."""

    kind: str
    text: str
    level: int = 0

    @property
    def markdown(self) -> str:
        return f"{'#' * self.level} {self.text}" if self.level else self.text


class Flow:
    """Blocks, and the words of the paragraph that is being written.

    Args:
        tight: whether blocks follow each other without a blank line between them, as in an item of a list.
    """

    def __init__(self, *, tight: bool = False) -> None:
        self.blocks: list[Block] = []
        self.pieces: list[str] = []
        """Words of the paragraph that is being written, with their white space."""
        self._tight = tight

    def add(self, words: str) -> None:
        """Words of the paragraph that is being written; it does not begin with white space."""
        if self.pieces or not words.isspace():
            self.pieces.append(words)

    def last(self) -> str:
        """The last word of the paragraph so far, of those that were added together."""
        return (self.pieces[-1].rpartition(" ")[2] if self.pieces else "")[-8:]

    def place(self) -> tuple[int, int]:
        """Where the paragraph is, for :meth:`since` and :meth:`wrap`."""
        return len(self.blocks), len(self.pieces)

    def since(self, place: tuple[int, int]) -> str:
        """The words since a place; "" where another paragraph has begun."""
        return "".join(self.pieces[place[1] :]) if place[0] == len(self.blocks) else ""

    def insert(self, place: tuple[int, int], mark: str) -> None:
        """Puts a mark at a place of this paragraph."""
        self.pieces.insert(place[1], mark)

    def wrap(self, place: tuple[int, int], mark: str) -> None:
        """Puts marks around the words since a place, if they are all of one paragraph."""
        words = self.since(place)
        inner = words.strip()
        if not inner.strip(LINE_END):
            return
        if mark == "`" and "`" in inner:
            mark = ""
        head = words[: len(words) - len(words.lstrip())]
        self.pieces[place[1] :] = [head + mark + inner + mark + words[len(head) + len(inner) :]]

    def end_paragraph(self, kind: str = "paragraph") -> None:
        """Makes a block of the words so far, if there are any."""
        text = self._tidy()
        if text:
            plain = text[0] not in "#`~" and "\n" not in text
            self.blocks.append(Block(kind, text if plain else _LIKE_MARKUP.sub(r"\\", text)))

    def end_heading(self, level: int) -> None:
        """Makes a heading of the words so far."""
        text = " ".join(self._tidy().split())
        if text:
            self.blocks.append(Block("heading", text, level))

    def end_verbatim(self) -> None:
        """Makes fenced code of the words so far; the fence is longer than any in them."""
        code = "".join(self.pieces).replace(LINE_END, "\n").strip("\n").rstrip()
        self.pieces.clear()
        if code.strip():
            fence = "`" * max((len(found) + 1 for found in _BACKTICKS.findall(code)), default=3)
            self.blocks.append(Block("code", f"{fence}\n{code}\n{fence}"))

    def append(self, kind: str, mark: str, content: Flow | None = None, indent: str = "") -> None:
        """A block that begins with a mark, with the content behind it, whose further lines are indented."""
        text = "" if content is None else content.text()
        if content is None or text:
            lines = text.split("\n")
            rest = [indent + line if line or indent.strip() else "" for line in lines[1:]]
            self.blocks.append(Block(kind, "\n".join([mark + lines[0], *rest])))

    def extend(self, blocks: Iterable[Block]) -> None:
        """Blocks that were made elsewhere."""
        self.blocks.extend(blocks)

    def text(self) -> str:
        """All blocks as Markdown."""
        self.end_paragraph()
        parts = [block.markdown for block in self.blocks[:1]]
        for before, block in pairwise(self.blocks):
            parts += [self._between(before.kind, block.kind), block.markdown]
        return "".join(parts)

    def _between(self, before: str, after: str) -> str:
        if (before, after) in (("item", "item"), ("term", "definition"), ("definition", "definition")):
            return "\n"
        return "\n" if self._tight and "table" not in (before, after) else "\n\n"

    def _tidy(self) -> str:
        if not self.pieces:
            return ""
        text = _SPACE.sub(" ", "".join(self.pieces)).strip(f" {LINE_END}")
        self.pieces.clear()
        if LINE_END not in text:
            return text
        return _LINE_ENDS.sub("\n\n", _LINE_END.sub("\n", text))
