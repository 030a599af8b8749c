"""From positions in what is encoded to positions in a chunk's text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.types import TextSpan

if TYPE_CHECKING:
    from late_rag.types import Chunk


def text_start(chunk: Chunk) -> int | None:
    """Where in ``encoded_text`` the chunk's text begins: its end is the text as a rule; None where it has it not."""
    encoded, text = chunk.encoded_text, chunk.text
    start = len(encoded) - len(text) if encoded.endswith(text) else encoded.find(text)
    return None if start < 0 else start


def within(span: TextSpan | None, start: int | None, length: int) -> TextSpan | None:
    """The part of the span that lies in ``length`` characters from ``start``, counted from there; None where none."""
    if span is None or start is None:
        return None
    first, last = max(span.start - start, 0), min(span.end - start, length)
    return TextSpan(first, last) if first < last else None
