"""Explanations: the terms of a score, and the words worth showing."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag.explain import FUNCTION_WORDS, MatchedWord, match_tokens, matched_words
from late_rag.scoring import maxsim
from late_rag.testing import HashEncoder
from late_rag.types import Chunk, ImageBox, TextSpan, TokenMatch

encoder = HashEncoder(document_length=8)
TEXTS = st.text(st.sampled_from("ab cd.\n你é"), min_size=1, max_size=60).filter(lambda text: text.strip())


@settings(deadline=None)
@given(TEXTS, TEXTS, st.booleans())
def test_similarities_add_up_to_the_maxsim_of_the_unpooled_chunk(query, text, with_heading):
    chunk = Chunk("c", "d", text, f"Heading\n{text}" if with_heading else None)
    matches = match_tokens(encoder, query, chunk)
    (rows,), (tokens,) = encoder.encode_queries([query]), encoder.encode_documents([chunk])
    assert len(matches) == len(rows)
    assert sum(match.similarity for match in matches) == pytest.approx(float(maxsim(rows, [tokens])[0]), abs=1e-4)
    for match in matches:
        if match.query_span is not None:
            assert query[match.query_span.start : match.query_span.end] == match.query_token
        if isinstance(match.region, TextSpan):
            assert text[match.region.start : match.region.end] == match.token
        else:
            assert match.token == ""


def test_each_token_names_its_like():
    matches = match_tokens(encoder, "Brown dogs", Chunk("c", "d", "Two dogs, one brown."))
    assert [(match.query_token, match.token) for match in matches[1:]] == [("Brown", "brown"), ("dogs", "dogs")]
    assert [match.region for match in matches[1:]] == [TextSpan(14, 19), TextSpan(4, 8)]
    assert all(match.similarity == pytest.approx(1) for match in matches[1:])


def test_a_chunk_without_rows_explains_nothing():
    assert match_tokens(encoder, "dogs", Chunk("c", "d", "  ")) == []


def found(query: str, token: str, text: str, similarity: float, start: int | None = None) -> TokenMatch:
    start = text.index(token) if start is None else start
    region = TextSpan(start, start + len(token))
    return TokenMatch(query, TextSpan(0, len(query)), token, region, similarity)


def test_tokens_become_whole_words():
    text = "The embeddings' (re-)ranking"
    matches = [found("embed", "bed", text, 0.8), found("##dings", "ding", text, 0.9), found("rank", "ran", text, 0.7)]
    assert matched_words(matches, text) == [MatchedWord(4, 14, 0.9), MatchedWord(21, 28, 0.7)]


def test_a_word_of_a_script_without_spaces_is_its_token():
    text = "我喜欢咖啡和茶 ok"
    assert matched_words([found("咖啡", "咖啡", text, 0.9)], text) == [MatchedWord(3, 5, 0.9)]


def test_marks_belong_to_their_word():
    text = "le cafe\u0301 noir, हिन्दी"
    assert matched_words([found("x", "caf", text, 0.9)], text) == [MatchedWord(3, 8, 0.9)]
    assert matched_words([found("x", "न", text, 0.9)], text) == [MatchedWord(15, 21, 0.9)]


def test_markers_punctuation_and_weak_matches_are_left_out():
    text = "wind tunnel, tests."
    matches = [
        TokenMatch("", None, "wind", TextSpan(0, 4), 0.9),
        TokenMatch("tunnel", TextSpan(0, 6), "", None, 0.9),
        TokenMatch("tunnel", TextSpan(0, 6), "", ImageBox(0, 0, 1, 1), 0.9),
        found("?", "tests", text, 0.9),
        found("tests", ",", text, 0.9),
        found("wing", "wind", text, 0.3),
        found("tunnel", "tunnel", text, 0.8),
    ]
    assert matched_words(matches, text) == [MatchedWord(5, 11, 0.8)]
    assert matched_words(matches, text, least=0.1) == [MatchedWord(0, 4, 0.3), MatchedWord(5, 11, 0.8)]


def test_function_words_count_only_where_there_is_nothing_else():
    text = "The Who"
    the, who = found("the", "The", text, 0.9), found("who", "Who", text, 0.9)
    assert matched_words([the, who], text) == [MatchedWord(0, 3, 0.9), MatchedWord(4, 7, 0.9)]
    band = found("band", "Who", text, 0.6)
    assert matched_words([the, band], text, ignore=FUNCTION_WORDS - {"who"}) == [MatchedWord(4, 7, 0.6)]


def test_no_matches_no_words():
    assert matched_words([], "text") == []
    assert matched_words([found("text", "text", "text", -0.2)], "text") == []


@given(st.text(max_size=40), st.data())
def test_words_are_in_order_and_never_overlap(text, data):
    spans = data.draw(st.lists(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    regions = [TextSpan(min(span), max(span)) for span in spans]
    matches = [TokenMatch("q", TextSpan(0, 1), text[r.start : r.end], r, 0.5) for r in regions]
    words = matched_words(matches, text)
    assert all(0 <= word.start < word.end <= len(text) for word in words)
    assert all(before.end <= after.start for before, after in itertools.pairwise(words))
