"""Tables of a page as Markdown: each cell below the heading of its column."""

from __future__ import annotations

from dataclasses import dataclass

from late_rag import tables
from late_rag.loaders.html.flow import Block, Flow

MOST_COLUMNS = 100
"""That a cell may reach over; what is wider keeps its cells, side by side."""

_MOST_FILLED = 10_000
"""Cells of a table that are there only because another one reaches over them."""

_LONGEST_REPEATED = 100
_LONGEST_CELL = 2_000
"""Characters; a longer one is a part of the page and no cell of a table."""


MOST_ROWS = 65_534


def span(value: str | None, zero: int = 1) -> int:
    """How many rows or columns a cell reaches over: 1 where it is not said, or not in a number that can be.

    Args:
        value: of the attribute.
        zero: what 0 means; of rows it is all that are left of their group.
    """
    digits = (value or "").strip()
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 8 else 1
    return min(number or zero, MOST_ROWS)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell with what stands in it."""

    content: Flow
    columns: int = 1
    rows: int = 1
    is_header: bool = False


class Table:
    """Rows of cells.

    A row in which there is a part of the page (a table inside the table, a heading, a long text) is no row of a table:
    its cells stand below each other, and the table goes on after it, with its header again.
    """

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._rows: list[list[str]] = []
        self._header: list[str] = []
        self._row: list[str] = []
        self._cells: list[Cell] = []
        self._is_parted = False
        self._reaching: dict[int, tuple[int, str]] = {}
        self._begun: dict[int, tuple[int, str]] = {}
        self._filled = 0

    def add_caption(self, content: Flow) -> None:
        """The caption stands in front."""
        content.end_paragraph()
        self._blocks[:0] = content.blocks

    def add(self, cell: Cell) -> None:
        """The next cell of the row."""
        self._fill_reached()
        self._cells.append(cell)
        text = self._cell_text(cell.content)
        column = len(self._row)
        self._row.append(text)
        for _ in range(1, min(cell.columns, MOST_COLUMNS - column)):
            self._fill("")
        if cell.rows > 1:
            for place in range(column, min(len(self._row), MOST_COLUMNS)):
                self._begun[place] = (cell.rows - 1, text if place == column else "")

    def end_row(self) -> None:
        """The row is complete."""
        if self._row:
            self._fill_reached()
        left = {place: (rows - 1, text) for place, (rows, text) in self._reaching.items() if rows > 1}
        self._reaching, self._begun = left | self._begun, {}
        row, cells, is_parted = self._row, self._cells, self._is_parted
        self._row, self._cells, self._is_parted = [], [], False
        if is_parted:
            self._end_rows()
            for cell in cells:
                self._blocks += cell.content.blocks
            return
        while row and not row[-1]:
            row.pop()
        if row:
            self._rows.append(row)
            if not self._header and not self._blocks and all(cell.is_header for cell in cells):
                self._header = list(row)

    def end_group(self) -> None:
        """No cell reaches from one group of rows (head, body, foot) into the next."""
        self._reaching = {}

    def blocks(self) -> list[Block]:
        """The table, in as many blocks as it was parted into."""
        self.end_row()
        self._end_rows()
        return self._blocks

    def _fill_reached(self) -> None:
        """Cells where one of a row above reaches down to; a short text is repeated, so that each row has it."""
        while (reaching := self._reaching.get(len(self._row))) and self._filled < _MOST_FILLED:
            self._fill(reaching[1] if len(reaching[1]) <= _LONGEST_REPEATED else "")

    def _fill(self, text: str) -> None:
        if self._filled < _MOST_FILLED:
            self._filled += 1
            self._row.append(text)

    def _cell_text(self, content: Flow) -> str:
        content.end_paragraph()
        if _is_part_of_page(content.blocks):
            self._is_parted = True
            return ""
        words = " ".join(_in_line(block) for block in content.blocks)
        return " ".join(words.split())

    def _end_rows(self) -> None:
        rows, self._rows = self._rows, []
        if rows and self._header and rows[0] != self._header:
            rows.insert(0, list(self._header))
        width = max(map(len, rows), default=0)
        if width == 1:
            self._blocks += [Block("paragraph", row[0]) for row in rows]
        elif rows:
            rows[0] += [""] * (width - len(rows[0]))
            lines = [tables.row(rows[0]), tables.delimiter_row(width), *map(tables.row, rows[1:])]
            self._blocks.append(Block("table", "\n".join(lines)))


def _in_line(block: Block) -> str:
    """The words of a block in the one line of a cell; code keeps its marks."""
    if block.kind != "code":
        return block.text
    code = " ".join(block.text.strip("`").split())
    return code if "`" in code else f"`{code}`"


def _is_part_of_page(blocks: list[Block]) -> bool:
    return any(block.kind == "table" or 0 < block.level < 3 for block in blocks) or (
        sum(len(block.text) for block in blocks) > _LONGEST_CELL
    )
