"""What a score is made of: for each token of a query, the token of the chunk that it matched."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from late_rag.invisible import INVISIBLE
from late_rag.spaceless import LETTER
from late_rag.types import TextSpan, TokenMatch

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from late_rag.protocols import Encoder
    from late_rag.types import Chunk, Document, Region

LEAST_SHARE = 0.6
"""Of the strongest similarity: below it a best match is mostly chance."""

_FUNCTION_WORDS = (
    "a an and any are as at be been but by can could did do does for from had has have he her his how i if in into is "
    "it its may me more most my no not of on or our s she should so some than that the their them there these they "
    "this those to us was we were what when where which who whom whose why will with would you your"
)
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
"""English words that match their like in almost any passage."""

_LONGEST = 40
"""Letters that a word may go on for on either side of a token."""


def match_tokens(encoder: Encoder, query: str, chunk: Chunk, document: Document | None = None) -> list[TokenMatch]:
    """One match for each token of the query, in order; none where the chunk has no rows.

    The chunk is encoded again, in its document where that is given, without pooling. The similarities add up to its
    MaxSim in float32.

    Raises:
        InputError: an empty query.
    """
    (rows,) = encoder.encode_queries([query])
    (tokens,) = encoder.encode_documents([chunk], None if document is None else {chunk.document_id: document})
    if not len(tokens):
        return []
    similarities = rows @ tokens.T
    regions, best = encoder.token_regions(chunk), np.argmax(similarities, axis=1)
    return [
        TokenMatch(
            query_token=_text(query, span),
            query_span=span,
            token=_text(chunk.text, regions[place]),
            region=regions[place],
            similarity=float(row[place]),
        )
        for row, place, span in zip(similarities, best, encoder.query_regions(query), strict=True)
    ]


def _text(text: str, region: Region) -> str:
    return text[region.start : region.end] if isinstance(region, TextSpan) else ""


@dataclass(frozen=True, slots=True)
class MatchedWord(TextSpan):
    """A word of the text that tokens of the query matched; ``weight`` is the highest of their similarities."""

    weight: float


def matched_words(
    matches: Sequence[TokenMatch], text: str, *, least: float = LEAST_SHARE, ignore: Container[str] = FUNCTION_WORDS
) -> list[MatchedWord]:
    """The words worth showing in a text, in its order, none of them overlapping.

    Left out are matches of markers, of punctuation, of words to ignore on either side, and those much weaker than the
    strongest: what every token of a query has a best match for need not mean anything. If that leaves nothing, words
    to ignore count after all.

    Args:
        matches: what :func:`match_tokens` gave for the chunk.
        text: the chunk's text.
        least: share of the strongest similarity that a match must reach.
        ignore: words, in lower case.
    """
    told = [match for match in matches if _is_word(match.query_token) and _is_word(match.token)]
    words = [(match, _word_around(text, match.region)) for match in told if isinstance(match.region, TextSpan)]
    meaningful = [
        (match, span)
        for match, span in words
        if match.query_token.lower() not in ignore and text[span.start : span.end].lower() not in ignore
    ]
    return _strongest(meaningful or words, least)


def _strongest(words: Sequence[tuple[TokenMatch, TextSpan]], least: float) -> list[MatchedWord]:
    needed = least * max((match.similarity for match, _ in words), default=0.0)
    found: list[MatchedWord] = []
    for match, span in sorted(words, key=lambda word: (word[1].start, word[1].end)):
        if not match.similarity >= needed > 0:
            continue
        if found and span.start < found[-1].end:
            last = found.pop()
            end, weight = max(last.end, span.end), max(last.weight, match.similarity)
            found.append(MatchedWord(last.start, end, weight))
        else:
            found.append(MatchedWord(span.start, span.end, match.similarity))
    return found


def _is_word(token: str) -> bool:
    return any(character.isalnum() for character in token)


def _word_around(text: str, span: TextSpan) -> TextSpan:
    """The whole word that a token is a part of; the token itself in a script that has no spaces."""
    start, end = span.start, span.end
    if LETTER.search(text, start, end):
        return span
    while start > 0 and span.start - start < _LONGEST and _continues(text[start - 1]):
        start -= 1
    while end < len(text) and end - span.end < _LONGEST and _continues(text[end]):
        end += 1
    seen = text[start:end].strip(INVISIBLE)
    start = text.index(seen, start)
    return TextSpan(start, start + len(seen))


def _continues(character: str) -> bool:
    """Whether a word goes on with this letter, digit or mark, or with what is not seen in it."""
    is_part = character.isalnum() or character in INVISIBLE or unicodedata.category(character).startswith("M")
    return is_part and not LETTER.match(character)
