"""What is encoded in front of a chunk: chosen metadata and the headings above it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from late_rag.chunkers.options import MOST_CHARACTERS_PER_TOKEN, ChunkingOptions, Limits
from late_rag.chunkers.tokens import TokenCounter

SEPARATOR = " > "
"""Between the headings of a path, from the outermost to the nearest."""


class Prefixes:
    """Writes prefixes of at most half a chunk: a quarter for the metadata, a quarter for the headings."""

    def __init__(self, options: ChunkingOptions, counter: TokenCounter, limits: Limits) -> None:
        self._options = options
        self._counter = counter
        self._quarter = limits.tokens // 4

    def __call__(self, metadata: Mapping[str, Any], headings: Sequence[str]) -> str:
        """Lines to put in front of a chunk's text, each ended; "" where there are none."""
        path = self._path(headings) if self._options.headings else ""
        return "".join([*self._metadata(metadata), path])

    def _path(self, headings: Sequence[str]) -> str:
        """The headings in a line; the outermost are left out until the rest fits, the nearest is shortened."""
        for first in range(len(headings)):
            line = f"{SEPARATOR.join(headings[first:])}\n"
            if self._counter.count_short(line) <= self._quarter:
                return line
        return self._line(headings[-1], self._quarter) if headings else ""

    def _metadata(self, metadata: Mapping[str, Any]) -> Iterator[str]:
        left = self._quarter
        for key in self._options.embed_metadata:
            if metadata.get(key) is not None:
                line = self._line(f"{key}: {_shown(metadata[key])}", left)
                left -= self._counter.count_short(line)
                yield line

    def _line(self, content: str, tokens: int) -> str:
        """The content in a line of up to so many tokens, cut between words where it has any; "" if nothing fits."""
        content = " ".join(content[: MOST_CHARACTERS_PER_TOKEN * self._quarter].split())
        while content:
            excess = self._counter.count_short(f"{content}\n") - tokens
            if excess <= 0:
                return f"{content}\n"
            content = self._without_last(content, excess)
        return ""

    def _without_last(self, content: str, tokens: int) -> str:
        """The content without its last so many tokens, back to the end of a word if there is one."""
        starts = [start for start, _ in self._counter.offsets(content)]
        cut = min(starts[-tokens:][0], len(content) - 1) if starts else 0
        space = content.rfind(" ", 0, cut + 1)
        return content[: space if space > 0 else cut].rstrip()


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    return value if isinstance(value, str) else str(value)
