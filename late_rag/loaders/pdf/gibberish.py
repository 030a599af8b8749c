"""Tells pages whose fonts do not say which letters they show: what can be read there are numbers of shapes."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from itertools import islice

from late_rag.loaders.pdf.characters import LEFT_OUT, Characters, plain
from late_rag.loaders.pdf.words import DIVIDED

_SAMPLE = 64  # characters whose fonts are asked
_MOST_LETTERS = 20_000  # that are looked at; more do not change the shares
_FEWEST_LETTERS = 10  # that tell anything about vowels
_MARKS = (LEFT_OUT, DIVIDED)
_NO_LETTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ue000-\uf8ff\ufffd-\uffff]")  # control, private use, unknown
_CODES = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd"
_LOST = re.compile(rf"(?<=[\w{_CODES}])[{_CODES}]|[{_CODES}](?=[\w{_CODES}])")
_FEWEST_LOST = 3  # letters; bullets that stand alone are none
_VOWELS = frozenset("aeiouyæœøıаеёиоуыэюяіїєαεηιουω")
_IN_NUMBERS = frozenset("0123456789.,:;%+-–/()$€£ ")
_SCRIPTS_AT_ONCE = 3  # that no text of one font has


def is_gibberish(characters: Characters) -> bool:
    """Whether most of what a page shows is no text.

    A font without a map is no proof: often the numbers of its shapes are those of the letters all the same. So the
    text itself must look wrong too.
    """
    units = characters.units[:_MOST_LETTERS]
    letters = plain("".join(units.replace(LEFT_OUT, "").replace(DIVIDED, "").split()))
    if 2 * len(_NO_LETTERS.findall(letters)) > len(letters):
        return True
    return characters.share_without_map(_sample(units)) > 0.5 and _looks_wrong(letters)


def has_unknown_letters(characters: Characters) -> bool:
    """Whether a page that can be read otherwise has letters that cannot: their font has no map for them."""
    unknown = [found.start() for found in islice(_LOST.finditer(characters.units), _MOST_LETTERS)]
    return len(unknown) >= _FEWEST_LOST and characters.share_without_map(unknown) > 0.5


def _sample(units: str) -> list[int]:
    """Places of letters all over the text."""
    places = range(0, len(units), max(1, len(units) // _SAMPLE))
    return [place for place in places if not units[place].isspace() and units[place] not in _MARKS]


def _looks_wrong(letters: str) -> bool:
    words = [letter for letter in letters if letter.isalpha()]
    others = [letter for letter in letters if not letter.isalpha() and letter not in _IN_NUMBERS]
    return (
        20 * len(_NO_LETTERS.findall(letters)) > len(letters)
        or len(others) > max(4, len(words))
        or _mixes_scripts(words)
        or _has_no_vowels(words)
    )


def _mixes_scripts(letters: list[str]) -> bool:
    """Whether letters of several scripts stand side by side, and most are of none."""
    scripts = Counter(map(_script, letters)).most_common()
    return len(scripts) >= _SCRIPTS_AT_ONCE and 10 * scripts[0][1] < 7 * len(letters)


def _script(letter: str) -> str:
    """The first word of a letter's name; of East Asian scripts, which are written together, one for all."""
    name = unicodedata.name(letter, "").partition(" ")[0]
    return "EAST ASIAN" if name in ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "FULLWIDTH", "KATAKANA-HIRAGANA") else name


def _has_no_vowels(letters: list[str]) -> bool:
    """Whether there are too few vowels for a language with an alphabet that has them."""
    folded = [unicodedata.normalize("NFD", letter.lower())[0] for letter in letters]
    alphabetic = [letter for letter in folded if _script(letter) in ("LATIN", "CYRILLIC", "GREEK")]
    vowels = sum(letter in _VOWELS for letter in alphabetic)
    return len(alphabetic) >= max(_FEWEST_LETTERS, len(letters) // 2) and 5 * vowels < len(alphabetic)
