"""Full text: how texts and questions become terms for SQLite's FTS5, whose BM25 ranks them.

A term is a run of letters, numbers and marks; soft hyphens and their like vanish from it, and everything else
separates, so no text can be read as query syntax.
English terms are stemmed by FTS5 itself (Porter); for the other languages of Snowball they are stemmed here, before
they are indexed, because SQLite takes no tokenizer from Python. Scripts written without spaces (Han, Kana, Thai, Lao,
Khmer, Burmese) are indexed as overlapping pairs of characters, each run's last character also alone; a lone character
in a question matches every pair that begins with it.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from late_rag import spaceless
from late_rag.errors import InputError
from late_rag.invisible import INVISIBLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TERM_CATEGORIES = ("L", "N", "M", "Co")
_UNICODE61 = "unicode61 remove_diacritics 2 categories ''L* N* Co Mn Mc''"


def tokenizer(language: str) -> str:
    """The FTS5 tokenizer of a language, as it stands between quotes in SQL.

    Raises:
        InputError: there is no stemmer for the language.
    """
    check_language(language)
    return f"porter {_UNICODE61}" if language == "english" else _UNICODE61


def check_language(language: str) -> None:
    """Raises InputError where there is no stemmer for the language."""
    if not isinstance(language, str):
        raise InputError(f"language takes the name of a Snowball language, or 'none', not {language!r:.80}")
    _stemmer(language)


def indexed_text(text: str, language: str) -> str:
    """What is put into the index for a text."""
    return " ".join(term for word in _words(text) for term in _pieces(word, language, lone=False))


def match_expression(question: str, language: str) -> str | None:
    """The question's terms, each quoted, any of which may match; None where it has no terms."""
    terms: dict[str, None] = {}
    for word in _words(question):
        for term in _pieces(word, language, lone=True):
            prefix = "*" if len(term) == 1 and spaceless.RUN.fullmatch(term) else ""
            terms[f'"{term}"{prefix}'] = None
    return " OR ".join(terms) or None


class _Separators(dict[int, str | int]):
    """For ``str.translate``: what is invisible vanishes, whatever else is not of a term becomes a space."""

    def __missing__(self, code: int) -> str | int:
        category = unicodedata.category(chr(code))
        self[code] = code if category.startswith(_TERM_CATEGORIES) else " "
        return self[code]


_separators = _Separators((ord(character), "") for character in INVISIBLE)


def _words(text: str) -> list[str]:
    return unicodedata.normalize("NFKC", text).casefold().translate(_separators).split()


def _pieces(word: str, language: str, *, lone: bool) -> Iterator[str]:
    for run in filter(None, spaceless.RUN.split(word)):
        if not spaceless.RUN.match(run):
            yield _stemmer(language)(run)
            continue
        yield from (run[place : place + 2] for place in range(len(run) - 1))
        if len(run) == 1 or not lone:
            yield run[-1]


def _as_it_is(word: str) -> str:
    return word


@lru_cache(maxsize=32)
def _stemmer(language: str) -> Callable[[str], str]:
    if language in ("english", "none"):
        return _as_it_is
    import snowballstemmer

    if language not in snowballstemmer.algorithms():
        known = ", ".join(sorted({"none", *snowballstemmer.algorithms()} - {"porter"}))
        raise InputError(f"no stemmer for language {language!r}; there are: {known}")
    stemmer: Any = snowballstemmer.stemmer(language)
    return lru_cache(maxsize=100_000)(stemmer.stemWord)
