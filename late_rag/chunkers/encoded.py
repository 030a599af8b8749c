"""What stands in front of a chunk's text where it is encoded: metadata, headings, the header of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.chunkers.prefixes import SEPARATOR
from late_rag.tables import is_header

if TYPE_CHECKING:
    from late_rag.protocols import CollectionSettings
    from late_rag.types import Chunk

HEADING_KEYS = ("heading", "title")
"""Whose value may be the line of headings; the title is, where there is no heading."""


def encoded_keys(chunk: Chunk, settings: CollectionSettings) -> frozenset[str]:
    """Keys that cannot change without changing what is encoded: ``embed_metadata``, and that of the headings."""
    found = heading_in_front(chunk, settings)
    return frozenset(settings.embed_metadata) | ({found[0]} if found else frozenset())


def possible_keys(settings: CollectionSettings) -> frozenset[str]:
    """All keys that :func:`encoded_keys` may give for some chunk."""
    return frozenset(settings.embed_metadata) | (frozenset(HEADING_KEYS) if _has_headings(settings) else frozenset())


def table_in_front(chunk: Chunk) -> str:
    """The header and delimiter row of a table that stand right in front of the text; "" where none do."""
    lines = _front(chunk).splitlines(keepends=True)[-2:]
    return "".join(lines) if len(lines) == 2 and is_header(*map(str.rstrip, lines)) else ""


def heading_in_front(chunk: Chunk, settings: CollectionSettings) -> tuple[str, str] | None:
    """The key whose value is the last line in front of the text and its table's header, and that line; None if none.

    A line is a value's as :class:`late_rag.chunkers.prefixes.Prefixes` writes it: the whole value or its beginning; of
    a path of headings also one without the outermost or the nearest.
    """
    front = _front(chunk).removesuffix(table_in_front(chunk)) if _has_headings(settings) else ""
    if front:
        for key in HEADING_KEYS:
            value = chunk.metadata.get(key)
            line = _line(front, value, key == "heading") if isinstance(value, str) else ""
            if line:
                return key, line
    return None


def _has_headings(settings: CollectionSettings) -> bool:
    """Whether the recorded chunker writes headings; where none is recorded it is the default one, which does."""
    return settings.chunking is None or settings.chunking.get("headings") is True


def _front(chunk: Chunk) -> str:
    """The lines in front of the text; "" where something else is encoded."""
    encoded = chunk.encoded_text
    front = encoded[: len(encoded) - len(chunk.text)] if encoded.endswith(chunk.text) else ""
    return front if front.endswith("\n") else ""


def _line(front: str, value: str, is_path: bool) -> str:
    if value.strip() and f"\n{front}".endswith(f"\n{value}\n"):  # a title may have several lines
        return f"{value}\n"
    line = front[front.rfind("\n", 0, -1) + 1 :]
    words, known = " ".join(line.split()), " ".join(value.split())
    found = known.startswith(words) or (is_path and f"{SEPARATOR}{words}" in known)
    return line if words and found else ""
