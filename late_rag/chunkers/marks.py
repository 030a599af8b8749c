"""What a loader knows of parts of a text, such as the times at which they are spoken, in the metadata of chunks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from late_rag.chunkers.sections import Section
from late_rag.types import Mark

LONGEST_PAUSE = 60.0
"""Seconds without a word between two marks of one chunk: after more, something else begins."""

LONGEST_TIME = 300.0
"""Seconds that a chunk spans: its time is where one looks for what it says, and a filter by time compares it."""


class Marks:
    """The marks of a document, found by where a chunk is."""

    def __init__(self, marks: Sequence[Mark]) -> None:
        self._marks = marks
        self._starts = [mark.start for mark in marks]
        self._ends = [mark.end for mark in marks]
        self._breaks = list(_breaks(marks))

    def __call__(self, start: int, end: int) -> dict[str, Any]:
        """Metadata of the marks that reach into ``start … end``: of the first, but ``end`` of the last."""
        first, last = bisect_right(self._ends, start), bisect_left(self._starts, end) - 1
        if first > last:
            return {}
        known = dict(self._marks[first].metadata)
        if "end" in known and "end" in self._marks[last].metadata:
            known["end"] = self._marks[last].metadata["end"]
        return known

    def parts(self, section: Section) -> Iterator[Section]:
        """The section, parted where the time of the marks makes a leap or has gone on for long."""
        first, last = bisect_right(self._breaks, section.start), bisect_left(self._breaks, section.end)
        places = [section.start, *self._breaks[first:last], section.end]
        for start, end in pairwise(places):
            above = section.above if start == section.start else section.headings
            yield replace(section, start=start, end=end, above=above)


def _breaks(marks: Sequence[Mark]) -> Iterator[int]:
    """Where marks begin that are too late for the chunk of those before them."""
    begun = ended = None
    for mark in marks:
        start, end = mark.metadata.get("start"), mark.metadata.get("end")
        if not _is_time(start):
            continue
        end = end if _is_time(end) else start
        if begun is None or ended is None:
            begun = start
        elif start - ended > LONGEST_PAUSE or end - begun > LONGEST_TIME:
            yield mark.start
            begun = start
        ended = end


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
