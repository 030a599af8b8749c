"""Markdown tables: their header and delimiter rows, and a header that fits."""

from __future__ import annotations

import re

DELIMITER = re.compile(
    r"[ \t>]*+(?:\|[ \t]*+)?:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)*+\|?[ \t]*+(?=\r?$)", re.MULTILINE
)
"""The row below a table's header, such as ``| --- | :-: |``; to be matched at the beginning of a line."""

_PIPE = re.compile(r"(?<!\\)\|")


def cells(row: str) -> list[str]:
    """The cells of a row, without white space around them."""
    row = row.strip(" \t\r\n>").removeprefix("|")
    found = [cell.strip() for cell in _PIPE.split(row)]
    return found[:-1] if len(found) > 1 and not found[-1] else found


def is_header(row: str, delimiter: str) -> bool:
    """Whether the two lines begin a table: as many cells in both, and a bar in both."""
    if "|" not in row or "|" not in delimiter or not DELIMITER.fullmatch(delimiter.rstrip("\r")):
        return False
    return len(cells(row)) == len(cells(delimiter))


def has_header(text: str, names: list[str]) -> bool:
    """Whether a row of the text begins with these cells."""
    if not all(name in text for name in names):
        return False
    return any(cells(row)[: len(names)] == names for row in text.splitlines() if "|" in row)


def narrow_header(names: list[str]) -> str:
    """Header and delimiter row for these columns, in as few characters as they need."""
    return f"| {' | '.join(names)} |\n|{'---|' * len(names)}\n"
