"""A stretch of text to spans that each fit: the strongest break in the second half of what fits."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from late_rag.chunkers.breaks import skip_space
from late_rag.chunkers.layout import Layout
from late_rag.chunkers.options import Limits
from late_rag.chunkers.tokens import Ruler, TokenCounter

_BLOCK = 32
"""How many times the characters of a chunk are tokenized at once: bounds the memory on a long text."""


@dataclass(frozen=True, slots=True)
class Span:
    """Characters ``start`` to ``end``, and the prefix that is encoded in front of them."""

    start: int
    end: int
    prefix: str


class Splitter:
    """Splits stretches of text so that prefix and span together have no more tokens than the limit."""

    def __init__(self, counter: TokenCounter, limits: Limits) -> None:
        self._counter = counter
        self._limits = limits

    def __call__(self, layout: Layout, start: int, stop: int, front: Callable[[int], str]) -> Iterator[Span]:
        """Spans of ``layout.text[start:stop]`` in order, none if there is nothing but white space.

        There is no white space at their ends but the indentation of code.

        Args:
            layout: the whole text, into which the spans point, and where it may be broken.
            start: where the stretch begins.
            stop: where it ends.
            front: the prefix of a span that begins at a place, counted as part of it.
        """
        text, earliest = layout.text, start
        fresh, stop = skip_space(text, start, stop), strip_end(text, start, stop)
        if fresh >= stop:
            return
        start = layout.begin(fresh, earliest)
        ruler = self._ruler(text, start, stop)
        while fresh < stop:
            if ruler.stop < stop and ruler.stop - start < 2 * self._limits.characters:
                ruler = self._ruler(text, start, stop)
            stretch = _Stretch(layout, stop, ruler, self._counter, self._limits, front(start))
            end = stretch.end_of_chunk(start, fresh)
            if end is None and start != fresh:  # what the chunk repeats leaves no room for anything new
                start, stretch = fresh, replace(stretch, prefix=front(fresh))
                end = stretch.end_of_chunk(fresh, fresh)
            if end is None:  # nor does the prefix for a character of many tokens
                end, stretch = fresh + 1, replace(stretch, prefix="")
            yield Span(start, end, stretch.prefix)
            fresh = skip_space(text, end, stop)
            start = stretch.next_start(start, end, fresh)

    def _ruler(self, text: str, start: int, stop: int) -> Ruler:
        return Ruler(self._counter, text, start, min(stop, start + _BLOCK * self._limits.characters))


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What is left of a text up to ``stop``, seen with one ruler and one prefix."""

    layout: Layout
    stop: int
    ruler: Ruler
    counter: TokenCounter
    limits: Limits
    prefix: str

    @property
    def room(self) -> int:
        """Tokens that the prefix leaves to the text."""
        return self.limits.tokens - self.counter.count_short(self.prefix)

    @property
    def overlap(self) -> int:
        """At most half of the room, so that every chunk brings something new."""
        return min(self.limits.overlap, self.room // 2)

    def end_of_chunk(self, start: int, fresh: int) -> int | None:
        """Where the chunk that begins at ``start`` ends, after ``fresh``, so that it fits; None if nothing fits."""
        tokens = self.room if fresh < start + self.limits.characters else 0
        while tokens > 0:
            end = self._cut(start, fresh + 1, tokens)
            excess = self._excess(start, end)
            if excess <= 0:
                return end
            tokens -= excess
        return None

    def next_start(self, start: int, end: int, fresh: int) -> int:
        """Where the next chunk begins: at ``fresh``, which follows ``end``, or earlier by the overlap."""
        text = self.layout.text
        earliest = max(start + 1, end - self.limits.characters // 2, self.ruler.reach_back(end, self.overlap))
        if earliest < end:
            place = self.layout.first_break(strip_end(text, start, earliest), end - 1)
            if place is not None:
                return self.layout.begin(skip_space(text, place, self.stop), max(place, start + 1))
        return self.layout.begin(fresh, end)

    def _cut(self, start: int, least: int, tokens: int) -> int:
        """The best place at or after ``least`` within so many tokens."""
        high = min(self.ruler.reach(start, tokens), start + self.limits.characters)
        if high >= self.stop:
            return self.stop
        high = max(high, least)
        low, target = (least + high) // 2, high
        if (halves := self._halves(start, tokens)) and least <= halves[0] <= halves[1] <= high:
            low, target = halves
        return strip_end(self.layout.text, start, self.layout.nearest_break(least, low, high, target))

    def _halves(self, start: int, tokens: int) -> tuple[int, int] | None:
        """If one and a half chunks hold all that is left: the earliest place to part it in two, and its middle."""
        if self.ruler.stop < self.stop or 2 * (self.stop - start) > 3 * self.limits.characters:
            return None
        left = self.ruler.tokens(start, self.stop)
        if 2 * (left + self.overlap) > 3 * tokens:
            return None
        low = max(self.ruler.reach_back(self.stop, tokens - self.overlap), self.stop - self.limits.characters)
        return low, max(low, self.ruler.reach(start, left // 2))

    def _excess(self, start: int, end: int) -> int:
        """By how many tokens prefix and span are too long; counted, where the ruler cannot be sure."""
        if self.counter.additive and self._at_space(start) and self._at_space(end):
            return 0
        return self.counter.count(self.prefix + self.layout.text[start:end]) - self.limits.tokens

    def _at_space(self, place: int) -> bool:
        text = self.layout.text
        return place in (0, len(text)) or any(map(_parts_words, text[place - 1 : place + 1]))


def _parts_words(letter: str) -> bool:
    """Whether it is white space for tokenizers too, some of which drop control characters such as form feeds."""
    return letter.isspace() and (letter in "\t\n\r" or unicodedata.category(letter) != "Cc")


def strip_end(text: str, start: int, stop: int) -> int:
    """The place after the last character before ``stop`` that is no white space, or ``start``."""
    while stop > start and text[stop - 1].isspace():
        stop -= 1
    return stop
