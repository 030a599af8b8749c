"""Comments of the cells of a spreadsheet, as lines below its table."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from late_rag.errors import LoadError
from late_rag.loaders.archive import Archive
from late_rag.loaders.charts import chart_texts, local_name
from late_rag.loading import unless_included
from late_rag.types import Omission

UNREAD = Omission(unless_included("comments of cells", "comments"), lost=False)

_THREADED = "[Threaded comment]"
"""How the words begin that a new program writes for older ones in front of a comment."""


def with_comments(table: str, comments: Iterable[tuple[str, str]]) -> str:
    """The text of a sheet, and below it a line for each comment and its cell."""
    lines = [f"comment on {cell}: {' '.join(words.split())}\n" for cell, words in comments if words.strip()]
    return "\n".join([table, *lines] if table else lines)


def reference(row: int, column: int) -> str:
    """The name of a cell, such as B2."""
    letters, column = "", column + 1
    while column:
        column, letter = divmod(column - 1, 26)
        letters = chr(65 + letter) + letters
    return f"{letters}{row + 1}"


def excel_comments(archive: Archive, sheets: Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    """By the name of a sheet, the cells and words of its comments; the sheets by name and part.

    Raises:
        LoadError: a part of them cannot be read.
    """
    return {
        name: [comment for part in _parts(archive, sheet) for comment in _comments(archive.xml(part))]
        for name, sheet in sheets.items()
    }


def _parts(archive: Archive, sheet: str) -> Iterator[str]:
    folder, name = posixpath.split(sheet)
    relations = f"{folder}/_rels/{name}.rels"
    if relations not in archive.names:
        return
    for relation in archive.xml(relations).iter():
        part = posixpath.normpath(posixpath.join("/", folder, relation.get("Target") or "")).lstrip("/")
        if (relation.get("Type") or "").endswith("/comments") and part in archive.names:
            yield part


def _comments(root: Any) -> Iterator[tuple[str, str]]:
    for comment in root.iter():
        if local_name(comment) == "comment":
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
    charts = [name for name in archive.names if name.startswith("xl/charts/chart") and name.endswith(".xml")]
    if not charts:
        return None
    try:
        lost = any(chart_texts(archive.xml(name)) for name in charts)
    except LoadError:
        lost = True
    return Omission(f"{len(charts):,} × chart of a sheet, {'whose titles are' if lost else 'which is'} not read", lost)
