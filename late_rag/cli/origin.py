"""Where a hit comes from, in one line: file, title, sheet, heading, page or slide, row, time."""

from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from late_rag.cli.output import nearest, single_line

if TYPE_CHECKING:
    from late_rag.types import Hit

WIDEST = 60
"""Cells of a title, name or heading; the name of the file is whole, so that it can be opened."""

_SPOKEN = ("text/vtt", "application/x-subrip", "text/x-ssa")
_SLIDES = ".presentation"  # how the mime types of PowerPoint and OpenDocument end


def origin(hit: "Hit") -> str:
    """File, title and place, as far as they are known."""
    file = nearest(hit.source) if hit.source else f"document {hit.chunk.document_id}"
    return " · ".join([single_line(file), *_parts(hit.chunk.metadata, PurePath(file).stem)])


def _parts(metadata: Mapping[str, Any], name: str) -> Iterator[str]:
    heading, mime_type = _text(metadata, "heading"), _text(metadata, "mime_type")
    title = _text(metadata, "subject") or _text(metadata, "title")
    if title and title not in (name, heading) and not heading.startswith(f"{title} > "):
        yield _cut(title)
    if attachment := _text(metadata, "attachment"):
        yield f"attachment {_cut(attachment)}"
    if sheet := _text(metadata, "sheet"):
        yield f"sheet {_cut(sheet)}"
    if heading:
        yield _cut_in_front(heading)
    if page := _number(metadata, "page"):
        yield f"{'slide' if mime_type.endswith((_SLIDES, '-presentation')) else 'page'} {page:,}"
    if row := _number(metadata, "row"):
        yield f"row {row:,}"
    if mime_type in _SPOKEN and isinstance(start := metadata.get("start"), int | float) and 0 <= start < 1e6:
        yield f"at {_clock(int(start))}"


def _text(metadata: Mapping[str, Any], name: str) -> str:
    """A value that is a text, as one line; whatever else stands there is nobody's title."""
    value = metadata.get(name)
    return single_line(value).strip() if isinstance(value, str) else ""


def _number(metadata: Mapping[str, Any], name: str) -> int:
    value = metadata.get(name)
    return value if type(value) is int and 0 < value < 1e12 else 0


def _clock(seconds: int) -> str:
    """Such as 0:05, 12:30 and 1:02:03."""
    minutes, rest = divmod(seconds, 60)
    hours, left = divmod(minutes, 60)
    return f"{hours}:{left:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _cut(text: str) -> str:
    """The text, or its beginning with dots."""
    if _fits(text, WIDEST):
        return text
    kept = text[:WIDEST]
    while not _fits(kept, WIDEST - 1):
        kept = kept[:-1]
    return f"{kept}…"


def _cut_in_front(text: str) -> str:
    """The text, or its end with dots: of a path of headings, what is nearest."""
    if _fits(text, WIDEST):
        return text
    kept = text[-WIDEST:]
    while not _fits(kept, WIDEST - 1):
        kept = kept[1:]
    return f"…{kept}"


def _fits(text: str, cells: int) -> bool:
    return len(text) <= 2 * cells and cell_len(text) <= cells
