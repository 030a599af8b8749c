"""Words of a PDF that were divided at the end of a line or page, put together again.

A hyphen at the end of a line either divides a word (infor-mation) or belongs to it (long-term). What the document
writes elsewhere decides, then a list of English words, where the document is in English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from itertools import pairwise

DIVIDED = "\ufdd1"
"""Stands where a line ends with a hyphen in a word: a code point that is no character."""

_LONGEST = 64  # letters of a word that are looked at
_WORDS = re.compile(rf"[\w{DIVIDED}]+(?:-[\w{DIVIDED}]+)*")
_SOFT = re.compile(r"[\u2010\xad] ?\n(?=\w)")
_LAST_WORD = re.compile(r"\w*$")
_FIRST_WORD = re.compile(r"\w*")
_SAMPLE = 3000  # words that tell the language
_ENGLISH = 0.7  # of them are English in an English document
_CONJUNCTIONS = frozenset(("and", "or", "und", "oder", "bzw", "sowie"))
_PARTICLES = frozenset(("by", "in", "of", "on", "to", "up"))
_PREFIXES = """
    ab ad anti auto bi bio co com con counter cyber de di dis electro em en ex fore geo hydro hyper im in inter
    intra ir macro mal meta micro mini mis mono multi neo neuro non over para per photo poly post pre pro proto
    pseudo psycho re semi sub super syn tele thermo trans tri un under uni up
"""
_ENDINGS = """
    able age al ally ance ant ate ated ed ence ent er ers es est ful ial ible ic ing ings ion ions ious ish ism
    ist ive less ment ness or ors ory ted ting tion ton ty
"""


def join_words(pages: list[str]) -> list[str]:
    """The pages with every divided word whole again, on the page where it begins."""
    pages = _over_pages([_SOFT.sub(_divided, page) for page in pages])
    if not any(DIVIDED in page for page in pages):
        return pages
    vocabulary = _Vocabulary(pages)
    return [_join(page, vocabulary) for page in pages]


def _divided(found: re.Match[str]) -> str:
    """Marks a hyphen at the end of a line that pdfium does not take for one."""
    letter = found.string[found.start() - 1 : found.start()]
    return DIVIDED if letter.isalpha() and found.string[found.end()].islower() else found.group()


def _over_pages(pages: list[str]) -> list[str]:
    """Brings the rest of a word that a page ends with from the next page."""
    pages = list(pages)
    for number in range(len(pages) - 1):
        left, right = pages[number].rstrip(), pages[number + 1].lstrip()
        divided = left[-1:] in ("-", "\u2010", "\xad", DIVIDED) and left[-2:-1].isalpha() and right[:1].islower()
        if divided:
            rest = right.split(None, 1)[0]
            pages[number] = left[:-1] + DIVIDED + rest
            pages[number + 1] = right[len(rest) :].lstrip(" ").removeprefix("\n")
    return pages


def _join(page: str, vocabulary: _Vocabulary) -> str:
    pieces = page.split(DIVIDED)
    joined = [pieces[0]]
    for left, right in pairwise(pieces):
        word = _last_word(left)
        linked = left.removesuffix(word).endswith("-")
        joined.append(_between(word, _first_word(right), vocabulary, linked=linked) + right)
    return "".join(joined)


def _last_word(text: str) -> str:
    found = _LAST_WORD.search(text[-_LONGEST:])
    return found.group() if found else ""


def _first_word(text: str) -> str:
    found = _FIRST_WORD.match(text[:_LONGEST])
    return found.group() if found else ""


def _between(left: str, right: str, vocabulary: _Vocabulary, *, linked: bool) -> str:
    """What stands between the parts of a divided word: nothing, a hyphen, or more; some are linked to one before."""
    if not left or not right or left[-1].isdigit() or right[0].isdigit():
        return "-"
    capitals = len(left) > 1 and left.isupper() and right.isupper()
    if not right[0].islower() and not capitals:
        return "-\n" if len(left) == 1 and left.isupper() and right[0].isupper() else "-"
    whole, hyphened = vocabulary.has(left + right), vocabulary.has(f"{left}-{right}")
    if whole or hyphened:
        return "" if whole else "-"
    if vocabulary.is_english_word(left + right):
        return ""
    if right in _CONJUNCTIONS:
        return "- "
    if len(left) == 1 or capitals:
        return "-"
    return "-" if vocabulary.compound(left, right, linked=linked) else ""


class _Vocabulary:
    """What is known of words: those of the document and, where it is in English, a list of English ones."""

    def __init__(self, pages: Iterable[str]) -> None:
        self._words: set[str] = set()
        for page in pages:
            for word in set(_WORDS.findall(page.lower())):
                self._add(word)

    def _add(self, word: str) -> None:
        if DIVIDED in word:
            return
        self._words.add(word)
        if "-" in word:
            parts = word.split("-")
            self._words.update(parts)
            self._words.update(f"{left}-{right}" for left, right in pairwise(parts))

    @cached_property
    def _english(self) -> Mapping[str, int]:
        sample = sorted(word for word in self._words if word.isalpha())[:_SAMPLE]
        known = sum(word in english_words() for word in sample)
        return english_words() if known > _ENGLISH * len(sample) else {}

    def has(self, word: str) -> bool:
        """Whether the document has the word elsewhere."""
        return word.lower() in self._words

    def is_english_word(self, word: str) -> bool:
        """Whether it is an English word, in an English document."""
        return word.lower() in self._english

    def compound(self, left: str, right: str, *, linked: bool) -> bool:
        """Whether two words stand here that English writes with a hyphen, and no word that is divided."""
        left, right = left.lower(), right.lower()
        if (left in _PREFIXES.split() and not linked) or right in _ENDINGS.split():
            return False
        return (len(right) > 2 or right in _PARTICLES) and left in self._english and right in self._english


@lru_cache(maxsize=1)
def english_words() -> Mapping[str, int]:
    """English words and how often they stand in a large corpus."""
    from spellchecker import SpellChecker

    words: Mapping[str, int] = SpellChecker(language="en").word_frequency.dictionary
    return words
