"""Where a text can be broken, from the strongest kind of place to the weakest."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Literal, TypeAlias

_INK = re.compile(r"\S")

_LOOKAHEAD = 64
"""Characters after a place that decide of which kind it is."""

_LOWERCASE = "a-zß-öø-ÿα-ωа-яё"

_Kind: TypeAlias = tuple[re.Pattern[str], Literal["start", "end"]]

_PARAGRAPHS: _Kind = (re.compile(r"\n\s*\n"), "start")
_ITEMS: _Kind = (re.compile(r"\n(?=[^\S\n]*+(?:[-*+•‣–]|\d{1,3}[.)])\s)"), "start")
_SENTENCES: _Kind = (
    # not after an initial or short title ("J.", "Dr."), not before a small letter
    re.compile(
        r"(?<![.!?…])(?:[.!?…]{2,}+|(?<!\b[A-Z])(?<!\b[A-Z][a-z])[.!?…])[\"'”’»)\]]*+"
        rf"(?=\s++(?![{_LOWERCASE}]))"
        r"|[。！？｡．।॥؟۔።፧]++[\"'”’」』）》】]*+"
    ),
    "end",
)
_LINES: _Kind = (re.compile(r"\n"), "start")
_CLAUSES: _Kind = (re.compile(r"[,;:](?=\s)|[،؛、，；：]"), "end")
_WORDS: _Kind = (re.compile(r"\s++"), "start")

_IN_PROSE = (_ITEMS, _SENTENCES, _LINES, _CLAUSES, _WORDS)
"""Below paragraphs; lines come after sentences, because plain text and PDF break lines anywhere."""

_CELLS: _Kind = (re.compile(r"(?<!\\)\|(?=\s)"), "end")
_SPACES: _Kind = (re.compile(r"[^\S\n]++"), "start")
_IN_LINE = (_SENTENCES, _CLAUSES, _SPACES)


def paragraphs(text: str, low: int, high: int) -> Iterator[int]:
    """The places in ``low … high`` between paragraphs."""
    return _places(text, *_PARAGRAPHS, low, high)


def break_in_prose(text: str, low: int, high: int, target: int) -> int:
    """The place in ``low … high`` of the strongest kind there is; of several of that kind, the nearest to ``target``.

    A place is where a chunk may end; white space after it belongs to no chunk. Paragraphs are looked for by
    :func:`paragraphs`.
    """
    return _strongest(_IN_PROSE, text, low, high, target)


def break_in_line(text: str, low: int, high: int, target: int, *, in_table: bool) -> int:
    """The like inside of one line of a block that is too long for a chunk: between cells, after sentences, …"""
    return _strongest((_CELLS, *_IN_LINE) if in_table else _IN_LINE, text, low, high, target)


def _strongest(kinds: Sequence[_Kind], text: str, low: int, high: int, target: int) -> int:
    for pattern, side in kinds:
        places = list(_places(text, pattern, side, low, high))
        if places:
            return min(places, key=lambda place: (abs(place - target), -place))
    return _between_characters(text, low, high, target)


def _places(text: str, pattern: re.Pattern[str], side: Literal["start", "end"], low: int, high: int) -> Iterator[int]:
    for match in pattern.finditer(text, max(0, low - 1), min(len(text), high + _LOOKAHEAD)):
        place = match.start() if side == "start" else match.end()
        if place > high:
            return
        if place >= low:
            yield place


def _between_characters(text: str, low: int, high: int, target: int) -> int:
    """The place before ``target``, else after it, that parts no character from its marks; else ``target`` itself."""
    for place in chain(range(target, low - 1, -1), range(target + 1, high + 1)):
        if not _joins(text, place):
            return place
    return target


def _joins(text: str, place: int) -> bool:
    """Whether the code points on both sides of a place show as one character (the main cases of Unicode's UAX 29)."""
    if place >= len(text):
        return False
    before, after = text[place - 1], text[place]
    if before.isascii() and after.isascii():
        return False
    return (
        unicodedata.category(after).startswith("M")
        or "\u200d" in (before, after)
        or unicodedata.combining(before) == _VIRAMA
        or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        or "\u1160" <= after <= "\u11ff"  # vowels and finals of decomposed Hangul
        or ("\U0001f1e6" <= before <= "\U0001f1ff" and "\U0001f1e6" <= after <= "\U0001f1ff")  # flags
    )


_VIRAMA = 9
"""Canonical combining class of the signs that join consonants in the scripts of India."""


def skip_space(text: str, start: int, stop: int) -> int:
    """The first character from ``start`` that is no white space, or ``stop``."""
    match = _INK.search(text, start, stop)
    return match.start() if match else stop
