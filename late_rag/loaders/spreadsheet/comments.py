"""Comments of the cells of a spreadsheet, as lines below its table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from late_rag.errors import LoadError
from late_rag.loaders.archive import Archive
from late_rag.loaders.charts import chart_texts, local_name, outermost
from late_rag.loaders.opc import Package
from late_rag.loaders.spreadsheet.binary import BINARY, binary_comments
from late_rag.loaders.spreadsheet.sizes import reference
from late_rag.loading import unless_included
from late_rag.types import Omission

UNREAD = Omission(unless_included("comments of cells", "comments"), lost=False)

_PARTS = re.compile(r"xl/(?:comments/)?comments?\d*\.(?:xml|bin)")
_THREADED = "[Threaded comment]"
"""How the words begin that a new program writes for older ones in front of a comment."""


def with_comments(table: str, comments: Iterable[tuple[str, str]]) -> str:
    """The text of a sheet, and below it a line for each comment and its cell."""
    lines = [f"comment on {cell}: {' '.join(words.split())}\n" for cell, words in comments if words.strip()]
    return "\n".join([table, *lines] if table else lines)


def has_comments(archive: Archive) -> bool:
    """Whether a workbook has any."""
    return any(map(_PARTS.match, archive.names))


def excel_comments(package: Package, sheets: Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    """By the name of a sheet, the cells and words of its comments; the sheets by name and part.

    Comments that cannot be read are an omission of the archive.
    """
    comments: dict[str, list[tuple[str, str]]] = {}
    unread = set(filter(_PARTS.match, package.archive.names))
    for name, sheet in sheets.items():
        for part in package.targets(sheet, "comments"):
            unread.discard(part)
            try:
                comments.setdefault(name, []).extend(_comments(package.archive, part))
            except ValueError as error:
                package.archive.omit(error, f"comments of the sheet {name!r}: its part {part} cannot be read")
            except LoadError as error:
                package.archive.omit(error, f"comments of the sheet {name!r}")
    for part in sorted(unread):
        package.archive.omit(LoadError(f"comments of cells: no sheet refers to {part}"))
    return comments


def _comments(archive: Archive, part: str) -> Iterator[tuple[str, str]]:
    if part.endswith(BINARY):
        return binary_comments(archive.markup(part))
    return _xml_comments(archive.xml(part))


def _xml_comments(root: Any) -> Iterator[tuple[str, str]]:
    for comment in outermost(root, "comment"):
        words = "".join(node.text or "" for node in comment.iter() if local_name(node) == "t")
        yield (comment.get("ref") or "")[:20], _own(words)


def _own(words: str) -> str:
    """What somebody wrote, without what the program explains in front of it."""
    explained = words.startswith(_THREADED) and "Comment:" in words
    return words.partition("Comment:")[2] if explained else words


def old_comments(sheet: Any) -> list[tuple[str, str]]:
    """Those of a sheet of XLS, as xlrd has them."""
    notes = sorted(sheet.cell_note_map.items())
    return [(reference(row, column), str(note.text or "")) for (row, column), note in notes]


def chart_omission(archive: Archive) -> Omission | None:
    """The charts of a workbook: their values are in cells, but what is written on them is nowhere else."""
    charts = [name for name in sorted(archive.names) if name.startswith("xl/charts/chart") and name.endswith(".xml")]
    if not charts:
        return None
    roots = [root for name in charts if (root := archive.xml_if_sound(name)) is not None]
    lost = any(map(chart_texts, roots))
    return Omission(f"{len(charts):,} × chart of a sheet, {'whose titles are' if lost else 'which is'} not read", lost)
