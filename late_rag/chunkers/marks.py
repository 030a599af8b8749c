"""What a loader knows of parts of a text, such as the times at which they are spoken, in the metadata of chunks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any

from late_rag.types import Mark


class Marks:
    """The marks of a document, found by where a chunk is."""

    def __init__(self, marks: Sequence[Mark]) -> None:
        self._marks = marks
        self._starts = [mark.start for mark in marks]
        self._ends = [mark.end for mark in marks]

    def __call__(self, start: int, end: int) -> dict[str, Any]:
        """Metadata of the marks that reach into ``start … end``: of the first, but ``end`` of the last."""
        first, last = bisect_right(self._ends, start), bisect_left(self._starts, end) - 1
        if first > last:
            return {}
        known = dict(self._marks[first].metadata)
        if "end" in known and "end" in self._marks[last].metadata:
            known["end"] = self._marks[last].metadata["end"]
        return known
