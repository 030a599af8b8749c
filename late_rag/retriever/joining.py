"""Passages of one document as one text again: nothing is in it but the passages, and the white space between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.chunkers.breaks import skip_space

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from late_rag.types import Chunk

GAP = "\n…\n"
"""Stands where something of the document is left out."""

SPACE_BEFORE = "space_before"
"""The key of a chunk's ``extra`` for the white space in front of it, where its document's text is not stored."""


class Joiner:
    """Joins passages of one document, each with its own text.

    Passages that overlap are joined at what they share. Between others stands what the document has there, if that is
    white space, and else a gap; a line break where it is not known.

    Args:
        text: the document's; None where it is not stored, and passages say what is in front of them
            (:data:`SPACE_BEFORE`).
        parted: whether a passage that is not to be seen stands between two that are.
    """

    def __init__(self, text: str | None, parted: Callable[[Chunk, Chunk], bool]) -> None:
        self._text = text
        self._parted = parted

    def __call__(self, chunks: Sequence[Chunk]) -> str:
        """The passages, in their order, as one text."""
        parts: list[str] = []
        last: Chunk | None = None
        for chunk in chunks:
            shared = 0 if last is None else _shared(last, chunk)
            if last is None:
                parts.append(chunk.text)
            elif shared:
                parts.append(chunk.text[shared:])
            else:
                parts += self._between(last, chunk), chunk.text
            if last is None or shared < len(chunk.text) or not chunk.text:
                last = chunk
        return "".join(parts)

    def whole(self, chunks: Sequence[Chunk]) -> str:
        """The same for all passages that may be seen, with a gap in front and behind where the document goes on."""
        joined = self(chunks)
        text, first, last = self._text, chunks[0].start, chunks[-1].end
        if text is None or first is None or last is None:
            return joined
        last = max(chunk.end or 0 for chunk in chunks)
        before, behind = text[:first], text[last:]
        front = before if _is_space(before) else GAP.lstrip("\n")
        return front + joined + (behind if _is_space(behind) else GAP.rstrip("\n"))

    def _between(self, last: Chunk, chunk: Chunk) -> str:
        if last.end is None or chunk.start is None or chunk.start < last.end:
            return GAP if self._parted(last, chunk) else "\n"
        between = _space_before(chunk) if self._text is None else self._text[last.end : chunk.start]
        if between is None or len(between) != chunk.start - last.end:
            known = chunk.start == last.end
            return "" if known else GAP if self._parted(last, chunk) else "\n"
        return between if _is_space(between) else GAP


def _shared(last: Chunk, chunk: Chunk) -> int:
    """How many characters of a passage stand at the end of the last one, or inside of it; 0 where it is not certain."""
    if not (_is_exact(last) and _is_exact(chunk)):
        return 0
    begin = (chunk.start or 0) - (last.start or 0)
    seen = last.text[begin:] if begin >= 0 else ""
    count = min(len(seen), len(chunk.text))
    return count if seen[:count] == chunk.text[:count] else 0


def _space_before(chunk: Chunk) -> str | None:
    said = (chunk.extra or {}).get(SPACE_BEFORE)
    return said if isinstance(said, str) and _is_space(said) else None


def _is_exact(chunk: Chunk) -> bool:
    """Whether the span is that of the text, and not of one in whose place it stands."""
    return chunk.start is not None and chunk.end is not None and chunk.end - chunk.start == len(chunk.text)


def _is_space(text: str) -> bool:
    return skip_space(text, 0, len(text)) == len(text)
