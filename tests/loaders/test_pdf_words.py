"""PDF: words that were divided at the end of a line or page."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from late_rag.loaders.pdf.words import DIVIDED, join_words

ENGLISH = "the mill and the bakers of the town are in the hills and they have a plan for the river and for the bridge\n"


@pytest.fixture
def cases(repository):
    return repository / "tests" / "cases" / "pdf"


def test_the_cases(cases, one_document):
    words = one_document(cases / "hyphens.pdf").text.replace(",", " ").split()
    for word in ("long-term", "state-of-the-art", "cooperative", "self-employed", "A-frame", "well-being"):
        assert word in words
    assert "12-\n15" in one_document(cases / "hyphens.pdf").text
    assert one_document(cases / "hyphen_pages.pdf").text == "the last word is information\fon the next page"


@pytest.mark.parametrize(
    ("left", "right", "word"),
    [
        ("infor", "mation", "information"),
        ("hydro", "dynamics", "hydrodynamics"),
        ("token", "ization", "tokenization"),
        ("hand", "made", "handmade"),
        ("long", "term", "long-term"),
        ("state-of-the", "art", "state-of-the-art"),
        ("mother-in", "law", "mother-in-law"),
        ("decision", "making", "decision-making"),
        ("user", "friendly", "user-friendly"),
        ("Navier", "Stokes", "Navier-Stokes"),
        ("COVID", "19", "COVID-19"),
        ("16", "bit", "16-bit"),
        ("A", "frame", "A-frame"),
        ("INFOR", "MATION", "INFORMATION"),
        ("NAVIER", "STOKES", "NAVIER-STOKES"),
        ("A", "Brill", "A-\nBrill"),
        ("pre", "and post-war years", "pre- and post-war years"),
        ("Vor", "und Nachteile", "Vor- und Nachteile"),
    ],
)
def test_divided_words(left, right, word):
    assert join_words([f"{ENGLISH}{left}{DIVIDED}{right}"]) == [ENGLISH + word]


def test_what_the_document_writes_elsewhere_decides():
    assert join_words([f"a longterm plan, a long{DIVIDED}term plan"]) == ["a longterm plan, a longterm plan"]
    assert join_words([f"Zug-Ende am Zug{DIVIDED}ende"]) == ["Zug-Ende am Zug-ende"]


def test_english_compounds_are_not_looked_for_in_other_languages():
    german = "die Mühle und die Bäcker haben einen Plan für den Fluss und für die Brücke in den Hügeln der Stadt "
    assert join_words([f"{german}Land{DIVIDED}rat"]) == [f"{german}Landrat"]


@pytest.mark.parametrize("hyphen", ["-", "\u2010", "\xad", DIVIDED])
def test_over_the_end_of_a_page(hyphen):
    assert join_words([f"of infor{hyphen}", "mation, then\nmore", "end"]) == ["of information,", "then\nmore", "end"]
    assert join_words([f"of infor{hyphen}", "mation\nmore"]) == ["of information", "more"]


def test_pages_that_end_with_another_hyphen_stay():
    for pages in (
        ["a list -", "of words"],
        ["pages 12-", "15"],
        ["Navier-", "Stokes"],
        ["infor-", "", "mation"],
        ["-", ""],
    ):
        assert join_words(pages) == pages


def test_typographic_and_soft_hyphens_at_the_end_of_a_line():
    assert join_words(["infor\u2010\nmation, infor\xad\nmal, a\u2010\nB"]) == ["information, informal, a\u2010\nB"]


@example(["a\xad", "a\xad", "a"])
@given(st.lists(st.text(alphabet=st.sampled_from(f"ab-\u2010\xad \n\fÉ1{DIVIDED}"), max_size=30), max_size=5))
def test_no_letter_is_lost(pages):
    joined = join_words(pages)
    assert len(joined) == len(pages)
    kept = [[letter for page in texts for letter in page if letter.isalnum()] for texts in (pages, joined)]
    assert kept[0] == kept[1]
    assert DIVIDED not in "".join(joined)


@pytest.mark.parametrize(
    "text", ["x" * 500_000, " " * 500_000, "a-" * 250_000, f"a{DIVIDED}" * 100_000, "\u2010 " * 250_000]
)
def test_in_linear_time(text):
    start = time.perf_counter()
    join_words([text + DIVIDED + "end", text])
    assert time.perf_counter() - start < 5
