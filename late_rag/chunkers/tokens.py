"""Counting an encoder's tokens, and measuring a stretch of text in them."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from late_rag.errors import InputError

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

_WORD_SPLITTERS = frozenset({"BertPreTokenizer", "Whitespace", "WhitespaceSplit"})
"""Pre-tokenizers that drop white space and let no token reach across it."""

_PIECE = re.compile(r"\S{1,16}")


class TokenCounter:
    """The encoder's tokenizer, or its counting function, behind one interface. No special tokens are counted."""

    def __init__(self, tokenizer: Tokenizer | Callable[[str], int]) -> None:
        self._tokenizer = tokenizer
        self.additive = type(getattr(tokenizer, "pre_tokenizer", None)).__name__ in _WORD_SPLITTERS
        """Whether the tokens of two texts joined by white space are those of one and those of the other."""
        self.count_short = lru_cache(maxsize=256)(self.count)
        """:meth:`count` that remembers: for headings and the like, which come again and again."""

    def count(self, text: str) -> int:
        """How many tokens the text has."""
        return self._tokenizer(text) if callable(self._tokenizer) else len(self._encode(self._tokenizer, text))

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Start and end of each token, in characters of ``text``, in order.

        With a counting function the tokens of each 16 letters are taken to be spread evenly: an estimate.
        """
        if callable(self._tokenizer):
            return list(self._estimate(text))
        return self._encode(self._tokenizer, text).offsets

    def _estimate(self, text: str) -> Iterator[tuple[int, int]]:
        for piece in _PIECE.finditer(text):
            start, length = piece.start(), piece.end() - piece.start()
            if tokens := self.count(piece.group()):
                yield from pairwise(start + length * token // tokens for token in range(tokens + 1))

    @staticmethod
    def _encode(tokenizer: Tokenizer, text: str) -> Encoding:
        try:
            return tokenizer.encode(text, add_special_tokens=False)
        except (TypeError, UnicodeEncodeError) as error:
            raise InputError(f"a text that cannot be tokenized (lone surrogates?): {text[:80]!r}") from error


class Ruler:
    """The tokens of ``text[start:stop]``, tokenized once, to measure any part of it.

    Parts that begin or end inside a token are measured to within a token or two; the caller counts those again.
    """

    def __init__(self, counter: TokenCounter, text: str, start: int, stop: int) -> None:
        self.stop = stop
        self._start = start
        self._starts, self._ends = tuple(zip(*counter.offsets(text[start:stop]), strict=True)) or ((), ())

    def tokens(self, start: int, end: int) -> int:
        """How many tokens end in ``text[start:end]``."""
        return bisect_right(self._ends, end - self._start) - bisect_right(self._ends, start - self._start)

    def reach(self, start: int, tokens: int) -> int:
        """How far a part that begins at ``start`` can go with so many tokens."""
        following = bisect_right(self._ends, start - self._start) + tokens
        return self._start + self._starts[following] if following < len(self._starts) else self.stop

    def reach_back(self, end: int, tokens: int) -> int:
        """How early a part that stops at ``end`` can begin with so many tokens."""
        first = max(0, bisect_left(self._starts, end - self._start) - tokens)
        return self._start + self._starts[first] if first < len(self._starts) else end
