"""Which line ends of a passage mean something (code, tables, logs, lists), and which only wrap its prose."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_TABLE = re.compile(r"[ \t]{0,9}\||.{0,500}\S \| ")
_HEADING = re.compile(r"#{1,6} ")
_ITEM = re.compile(r"[ \t]{0,20}(?:[-*+•] |\d{1,3}[.)] |> )")
_CODE = re.compile(
    r"[ \t]{0,80}(?:(?:def|class|if|elif|else|for|while|return|import|func|fn|let|const|var|public|private|static)\b"
    r".{0,500}[:({;\])]$|from \S+ import |return\b|import [\w.]+;?$|//|#!|@\w|[{}\])];?,?$|.{1,500}[{};]$"
    r"|[\w.\[\]]+ [-+*/|]?= \S)"
)
_LOGGED = re.compile(
    r"[\[(<]?(?:\d{4}[-/.]\d\d[-/.]\d\d|\d\d[-/.]\d\d[-/.]\d{2,4}[ ,T]|\d{1,2}:\d\d:\d\d"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d|(?:DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL|TRACE)\b)"
)


class Stretch(NamedTuple):
    """Characters of a text that are wrapped together; ``kept`` where their white space means something."""

    start: int
    stop: int
    kept: bool


class _Row(NamedTuple):
    start: int
    stop: int
    text: str


def stretches(text: str, *, by_lines: bool = False) -> Iterator[Stretch]:
    r"""What stands on lines of its own: a paragraph of prose, an item of a list, a line of a table or of code.

    Args:
        text: lines end with ``\n``; blank ones are left out.
        by_lines: each line of the text stands for itself.
    """
    for rows, fenced in _paragraphs(text):
        if by_lines or fenced or _are_code(rows) or _are_logged(rows):
            yield from (Stretch(row.start, row.stop, kept=True) for row in rows)
        else:
            yield from _prose(rows)


def _rows(text: str) -> Iterator[_Row]:
    start = 0
    for line in text.split("\n"):
        yield _Row(start, start + len(line), line)
        start += len(line) + 1


def _paragraphs(text: str) -> Iterator[tuple[list[_Row], bool]]:
    """Rows between blank ones, and those of fenced code."""
    rows: list[_Row] = []
    fence = ""
    for row in _rows(text):
        edge = _FENCE.match(row.text)
        if edge and not fence:
            yield rows, False
            rows, fence = [row], edge[1]
        elif edge and edge[1].startswith(fence) and row.text.strip() == edge[1]:
            yield [*rows, row], True
            rows, fence = [], ""
        elif row.text.strip():
            rows.append(row)
        else:
            yield rows, bool(fence)
            rows = []
    yield rows, bool(fence)


def _are_code(rows: list[_Row]) -> bool:
    """Whether all are indented as Markdown's code is, or most look like code, as inside a fence that was cut."""
    if rows and all(row.text.startswith(("    ", "\t")) for row in rows):
        return True
    return len(rows) > 1 and 2 * sum(bool(_CODE.match(row.text.rstrip())) for row in rows) > len(rows)


def _are_logged(rows: list[_Row]) -> bool:
    return sum(bool(_LOGGED.match(row.text)) for row in rows) > 1


def _prose(rows: list[_Row]) -> Iterator[Stretch]:
    """Rows joined, but for those of tables, headings, and the first ones of items."""
    begun: Stretch | None = None
    for row in rows:
        table, heading = bool(_TABLE.match(row.text)), bool(_HEADING.match(row.text))
        if begun and (table or heading or _ITEM.match(row.text)):
            yield begun
            begun = None
        if table or heading:
            yield Stretch(row.start, row.stop, kept=table)
        else:
            begun = Stretch(begun.start if begun else row.start, row.stop, kept=False)
    if begun:
        yield begun
