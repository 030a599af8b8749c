"""Which words full text finds: ligatures are letters, and what is invisible is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from late_rag.collections.kit import fulltext
from late_rag.invisible import INVISIBLE

CASES = Path(__file__).parents[1] / "cases" / "txt"


@pytest.mark.parametrize(
    ("file", "words"), [("ligatures.txt", "first office floor staff"), ("softhyphen.txt", "donaudampfschiff")]
)
def test_the_words_of_a_file_are_found(file, words):
    indexed = fulltext.indexed_text((CASES / file).read_text(encoding="utf-8"), "none").split()
    assert set(words.split()) <= set(indexed)


@pytest.mark.parametrize("hidden", INVISIBLE)
def test_a_question_is_read_in_the_same_way(hidden):
    assert fulltext.match_expression(f"of{hidden}fice", "english") == '"office"'
    assert fulltext.match_expression("o\ufb03ce", "english") == '"office"'


@pytest.mark.parametrize("joiner", ["\u200c", "\u200d"])
def test_joiners_still_part_words_as_they_did(joiner):
    assert fulltext.indexed_text(f"می{joiner}خواهم", "none") == "می خواهم"


def test_scripts_without_spaces_are_pairs_across_what_is_invisible():
    assert fulltext.indexed_text("ភា\u200bសា", "none") == fulltext.indexed_text("ភាសា", "none")
