"""Markdown tables: rows as they are written and read, and what of a text is the header of a table."""

from __future__ import annotations

import re
from collections.abc import Iterable

DELIMITER = re.compile(
    r"[ \t>]*+(?:\|[ \t]*+)?:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?[ \t]*+(?=\r?$)", re.MULTILINE
)
"""The row below a table's header, such as ``| --- | :-: |``; to be matched at the beginning of a line."""

_BAR = "\\|"
_PIPE = re.compile(r"(?<!\\)\|")


def row(cells: Iterable[str]) -> str:
    """Cells as a row without its line end; a bar in one is escaped."""
    return "|" + "|".join(f" {cell.replace('|', _BAR)} " if cell else " " for cell in cells) + "|"


def delimiter_row(width: int) -> str:
    """The row below a header of so many cells."""
    return row(["---"] * width)


def cells(line: str) -> list[str]:
    """The cells of a row, without white space around them, bars in them still escaped."""
    found = [cell.strip() for cell in _PIPE.split(line.strip(" \t\r\n>").removeprefix("|"))]
    return found[:-1] if len(found) > 1 and not found[-1] else found


def is_header(line: str, delimiter: str) -> bool:
    """Whether the two lines begin a table: as many cells in both, and a bar in both."""
    if "|" not in line or "|" not in delimiter or not DELIMITER.fullmatch(delimiter.rstrip("\r")):
        return False
    return len(cells(line)) == len(cells(delimiter))


def has_header(text: str, names: list[str]) -> bool:
    """Whether a row of the text begins with these cells."""
    if not all(name in text for name in names):
        return False
    return any(cells(line)[: len(names)] == names for line in text.splitlines() if "|" in line)


def narrow_header(names: list[str]) -> str:
    """Header and delimiter row for these cells of a header that was read, in as few characters as they need."""
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}\n"
