"""What is encoded in front of a chunk: chosen metadata and the headings above it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from late_rag.chunkers.options import MOST_CHARACTERS_PER_TOKEN, ChunkingOptions, Limits
from late_rag.chunkers.tokens import TokenCounter
from late_rag.tables import cells, narrow_header

SEPARATOR = " > "
"""Between the headings of a path, from the outermost to the nearest."""


class Prefixes:
    """Writes what stands in front of a chunk: metadata and headings of a quarter of it at most each, and the header of
    a table, which leaves to its rows half of what those leave.
    """

    def __init__(self, options: ChunkingOptions, counter: TokenCounter, limits: Limits) -> None:
        self._options = options
        self._counter = counter
        self._tokens, self._quarter = limits.tokens, limits.tokens // 4
        self._longest = MOST_CHARACTERS_PER_TOKEN * self._quarter
        self._table = lru_cache(maxsize=16)(self._fitting_header)

    def __call__(self, metadata: Mapping[str, Any], headings: Sequence[str]) -> str:
        """Lines to put in front of a chunk's text, each ended; "" where there are none."""
        path = self._path(headings) if self._options.headings else ""
        return "".join([*self._metadata(metadata), path])

    def _path(self, headings: Sequence[str]) -> str:
        """The headings in a line; the outermost are left out until the rest fits, the nearest is shortened."""
        for first in range(len(headings)):
            line = f"{SEPARATOR.join(headings[first:])}\n"
            if len(line) <= self._longest and self._counter.count_short(line) <= self._quarter:
                return line
        return self._line(headings[-1], self._quarter) if headings else ""

    def table(self, header: str, above: str) -> str:
        """Lines to put in front of rows of a table with this header, below the lines that stand above it."""
        if not header or not self._options.headings:
            return ""
        return self._table(header, (self._tokens - self._counter.count_short(above)) // 2)

    def _fitting_header(self, header: str, tokens: int) -> str:
        """The header and delimiter row as they are if they are short, else without padding, of the first columns."""
        whole = "".join(f"{line.strip()}\n" for line in header.splitlines())
        if len(whole) <= self._longest and self._counter.count(whole) <= self._quarter:
            return whole
        names = cells(header[: MOST_CHARACTERS_PER_TOKEN * tokens].splitlines()[0])
        fitting = bisect_right(range(1, len(names) + 1), tokens, key=lambda count: self._columns(names, count))
        return narrow_header(names[:fitting]) if fitting else ""

    def _columns(self, names: list[str], count: int) -> int:
        """How many tokens the header has for the first columns."""
        return self._counter.count(narrow_header(names[:count]))

    def _metadata(self, metadata: Mapping[str, Any]) -> Iterator[str]:
        left = self._quarter
        for key in self._options.embed_metadata:
            if metadata.get(key) is not None:
                line = self._line(f"{key}: {_shown(metadata[key])}", left)
                left -= self._counter.count_short(line)
                yield line

    def _line(self, content: str, tokens: int) -> str:
        """The content in a line of up to so many tokens, cut between words where it has any; "" if nothing fits."""
        content = " ".join(content[: self._longest].split())
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
