"""What passages that are gone leave of themselves in the stored text of their document: nothing.

A document's text is stored beside its passages. Where one of these is deleted or replaced on its own, the characters
that no other passage shows are blotted out, each by one mark, so that the spans of the others stay right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

BLOT = "█"
"""Stands in a document's text for each character that is gone."""

Passage: TypeAlias = tuple[str, int | None, int | None, str]
"""Document, span and text of a chunk."""


def without(text: str, gone: Iterable[Passage], left: Iterable[Passage]) -> str:
    """The text with blots where a passage that is gone stood, unless one that is left shows the same characters.

    Where a passage that is gone stood is not always known. Then all that no passage shows is blotted out.
    """
    places = [_place(text, passage) for passage in gone]
    open_to = [(0, len(text))] if None in places else _merged(place for place in places if place)
    shown = _merged(place for place in (_place(text, passage) for passage in left) if place)
    parts, end = list[str](), 0
    for start, stop in _difference(open_to, shown):
        parts += text[end:start], _blotted(text[start:stop])
        end = stop
    return "".join([*parts, text[end:]])


def _place(text: str, passage: Passage) -> tuple[int, int] | None:
    """Where the text has the passage; None where its span does not say."""
    _, start, end, words = passage
    known = start is not None and end is not None and 0 <= start <= end and text[start:end] == words
    return (start, end) if known else None  # type: ignore[return-value]


def _blotted(text: str) -> str:
    """Blots from the first character that is no white space to the last."""
    begin, end = len(text) - len(text.lstrip()), len(text.rstrip())
    return text if begin >= end else text[:begin] + BLOT * (end - begin) + text[end:]


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _difference(spans: Sequence[tuple[int, int]], holes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """What the spans cover and the holes do not; both in order and apart."""
    found: list[tuple[int, int]] = []
    number = 0
    for start, end in spans:
        while number < len(holes) and holes[number][1] <= start:
            number += 1
        place, at = start, number
        while at < len(holes) and holes[at][0] < end:
            if holes[at][0] > place:
                found.append((place, holes[at][0]))
            place, at = max(place, holes[at][1]), at + 1
        if place < end:
            found.append((place, end))
    return found
