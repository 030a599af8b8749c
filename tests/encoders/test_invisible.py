"""Ligatures, soft hyphens and zero-width spaces: the model sees the words, spans point into the text as it is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from late_rag.encoders import load_encoder
from late_rag.encoders._tokens import Sequences, load_tokenizer
from late_rag.encoders.checkpoint import read_config
from late_rag.explain import match_tokens, matched_words
from late_rag.invisible import INVISIBLE, LIGATURES
from late_rag.types import Chunk

CASES = Path(__file__).parents[1] / "cases" / "txt"


@cache
def minilm():
    return load_encoder("minilm")


def chunk(text: str) -> Chunk:
    return Chunk(id="a", document_id="d", text=text)


def tokens(text: str) -> list[str]:
    return minilm().tokenizer.encode(text, add_special_tokens=False).tokens


def cleaned(text: str) -> str:
    return "".join(LIGATURES.get(letter, letter) for letter in text if letter not in INVISIBLE)


@cache
def before() -> Tokenizer:
    """The tokenizer of the checkpoint as it is."""
    tokenizer = Tokenizer.from_file(str(minilm().folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def assert_tokenized_as_before(text: str) -> None:
    old, new = (item.encode(text, add_special_tokens=False) for item in (before(), minilm().tokenizer))
    assert (old.ids, old.offsets) == (new.ids, new.offsets)


def test_ligatures_are_the_letters_that_they_stand_for():
    text = (CASES / "ligatures.txt").read_text(encoding="utf-8")
    assert tokens(text) == ["the", "first", "office", "floor", "is", "for", "staff", "."]
    spans = [text[a:b] for a, b in minilm().tokenizer.encode(text, add_special_tokens=False).offsets]
    assert spans == ["The", "\ufb01rst", "o\ufb03ce", "\ufb02oor", "is", "for", "sta\ufb00", "."]


def test_soft_hyphens_are_not_seen():
    text = (CASES / "softhyphen.txt").read_text(encoding="utf-8")
    assert "\u00ad" in text
    assert tokens(text) == tokens(cleaned(text))


@pytest.mark.parametrize("hidden", INVISIBLE)
def test_words_with_something_invisible_are_the_words(hidden):
    plain, marked = "the office of works", f"the of{hidden}fice o{hidden}f works"
    for rows, expected in zip(
        [*minilm().encode_documents([chunk(marked)]), *minilm().encode_queries([marked])],
        [*minilm().encode_documents([chunk(plain)]), *minilm().encode_queries([plain])],
        strict=True,
    ):
        assert np.array_equal(rows, expected)


def test_a_text_without_them_has_the_tokens_that_it_had():
    """And so the embedding, to the bit; also with the joiners, which are spelling."""
    texts = [
        "The office, naïve CAFÉ.",
        "می\u200cخواهم",
        "क्\u200dष",
        "👨\u200d👩\u200d👧",
        "ﷺ ﻻ ½ ｆｕｌｌ",
        "a\tb\n\nc",
        "平板的边界层",
    ]
    for text in texts:
        assert_tokenized_as_before(text)


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_no_text_without_them_changes(text):
    assert_tokenized_as_before(cleaned(text.encode("utf-8", "ignore").decode("utf-8")))


PIECES = st.lists(st.sampled_from([*INVISIBLE, *LIGATURES, *"aof ,é中\u200c\n"]), max_size=30).map("".join)


@pytest.mark.parametrize("kind", ["plain", "bytes", "no special tokens"])
def test_tokens_are_those_of_the_words_and_spans_those_of_the_text(make_checkpoint, kind):
    folder = make_checkpoint(kind)
    sequences = Sequences(load_tokenizer(folder), read_config(folder))

    @settings(max_examples=60, deadline=None)
    @given(PIECES)
    def check(piece):
        text = f"wings {piece} travel"
        ids, spans = sequences.located(text)
        expected, places = sequences.located(cleaned(text))
        assert np.array_equal(ids, expected)
        assert np.array_equal(ids, sequences.tokenize([text])[0])
        for span, place in zip(spans, places, strict=True):
            assert (span is None) == (place is None)
            if span and place:
                held = cleaned(text)[place.start : place.end]
                assert held in cleaned(text[span.start : span.end])

    check()


def test_what_is_highlighted_is_the_whole_word_as_it_stands():
    text = "\ufeffThe o\ufb03ce pays for the jour\u00adney."
    matches = match_tokens(minilm(), "office journey", chunk(text))
    words = [text[word.start : word.end] for word in matched_words(matches, text)]
    assert words == ["o\ufb03ce", "jour\u00adney"]
