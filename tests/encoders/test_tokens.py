"""Markers, windows, skipped rows and spans, against the naive definition of each."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from late_rag.encoders import _tokens
from late_rag.encoders._tokens import MARKER, Sequences, load_tokenizer
from late_rag.encoders.checkpoint import read_config
from late_rag.errors import ModelError
from late_rag.types import TextSpan


def sequences(folder) -> Sequences:
    return Sequences(load_tokenizer(folder), read_config(folder))


@given(st.integers(1, 700), st.integers(1, 80))
def test_windows_are_full_overlap_by_an_eighth_and_are_no_more_than_needed(count, capacity):
    windows = _tokens._windows(count, capacity)
    assert (windows[0].start, windows[-1].stop) == (0, count)
    assert all(len(window) == min(count, capacity) for window in windows)
    overlaps = [before.stop - after.start for before, after in itertools.pairwise(windows)]
    assert all(overlap >= capacity // 8 for overlap in overlaps)
    assert (len(windows) - 1) * (capacity - capacity // 8) < max(count - capacity // 8, 1)


def naive_owner(position: int, windows: list[range]) -> set[int]:
    """The windows in which the token stands furthest from an edge that is not an edge of the text."""
    first, last = windows[0].start, windows[-1].stop

    def distance(window: range) -> float:
        if position not in window:
            return -1
        left = position - window.start + 1 if window.start > first else np.inf
        right = window.stop - position if window.stop < last else np.inf
        return min(left, right)

    best = max(map(distance, windows))
    return {number for number, window in enumerate(windows) if distance(window) == best}


@pytest.mark.parametrize("name", ["plain", "markers", "bytes", "no special tokens"])
def test_every_token_has_one_row_from_the_window_that_sees_most_around_it(make_checkpoint, name):
    built = sequences(make_checkpoint(name, skiplist_words=[]))

    @given(st.integers(1, 200))
    def check(count):
        passes = built.document_passes(np.arange(10, 10 + count))
        windows = _tokens._windows(count, built.document_capacity)
        owners = {token: number for number, item in enumerate(passes) for token in item.tokens if token != MARKER}
        assert [token for item in passes for token in item.tokens if token != MARKER] == list(range(count))
        for token, owner in owners.items():
            # where two windows are equally good the earlier edge decides; off by one where the overlap is odd
            assert any(
                owner in naive_owner(near, windows) for near in (token - 1, token, token + 1) if 0 <= near < count
            )
        for item in passes:
            kept = item.tokens != MARKER
            assert np.array_equal(item.ids[item.rows[kept]], item.tokens[kept] + 10)

    check()


def test_a_sequence_is_built_as_pylate_does(make_checkpoint):
    built = sequences(make_checkpoint("expansion"))
    name = built.tokenizer.token_to_id
    query = built.query_pass(np.array([7, 8, 9]))
    start = [name("[CLS]"), name("[Q] "), 7, 8, 9, name("[SEP]")]
    assert query.ids.tolist() == start + [name("[MASK]")] * 18
    assert query.mask.tolist() == [1] * 6 + [0] * 18
    assert query.rows.tolist() == list(range(24))
    assert query.tokens.tolist() == [MARKER, MARKER, 0, 1, 2] + [MARKER] * 19
    (document,) = built.document_passes(np.array([7, 8]))
    assert document.ids.tolist() == [name("[CLS]"), name("[D] "), 7, 8, name("[SEP]")]
    assert document.mask.tolist() == [1] * 5


def test_the_prefix_is_second_also_where_nothing_stands_before_the_text(make_checkpoint):
    built = sequences(make_checkpoint("no special tokens"))
    (document,) = built.document_passes(np.array([7, 8]))
    assert document.ids.tolist() == [7, built.tokenizer.token_to_id("[D] "), 8]
    assert document.tokens.tolist() == [0, MARKER, 1]


def test_the_skip_list_is_for_documents(make_checkpoint):
    built = sequences(make_checkpoint("markers"))
    ids = built.tokenize(["wings, travel!"])[0]
    (document,) = built.document_passes(ids)
    skipped = {built.tokenizer.token_to_id(word) for word in ",!"}
    assert skipped <= set(document.ids.tolist())
    assert not skipped & set(document.ids[document.rows].tolist())
    assert skipped <= set((query := built.query_pass(ids)).ids[query.rows].tolist())


def test_expansion_may_be_attended_to(make_checkpoint):
    query = sequences(make_checkpoint("attended expansion")).query_pass(np.array([7]))
    assert query.mask.tolist() == [1] * 24


@given(st.text(max_size=60), st.integers(1, 9))
def test_pieces_are_the_whole_text_cut_at_white_space_where_there_is_any(text, size):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_tokens, "PIECE_CHARACTERS", size)
        pieces = list(_tokens._pieces(text))
    assert "".join(part for part, _ in pieces) == text
    position = 0
    for part, start in pieces:
        assert start == position
        assert 0 < len(part) <= size
        position += len(part)
        following = text[position : position + 1]
        assert following in ("", " ", "\n") or not {" ", "\n"} & set(part[1:])


def test_a_text_in_pieces_has_the_tokens_and_spans_of_the_whole(make_checkpoint, monkeypatch):
    built = sequences(make_checkpoint("plain"))
    text = " the committee approves travel, 東京 above five hundred pounds!\n" * 5
    whole, spans = built.located(text)
    monkeypatch.setattr(_tokens, "PIECE_CHARACTERS", 30)
    assert np.array_equal(built.tokenize([text])[0], whole)
    assert built.located(text)[1] == spans
    assert text[spans[0].start : spans[0].end] == "the"


@pytest.mark.parametrize("text", ["İstanbul wings", "ΣΑΣ wings", "WINGS wings", "\0 \tİ WINGS wings  "])
def test_lower_case_keeps_spans_true(make_checkpoint, text):
    ids, spans = sequences(make_checkpoint("no special tokens")).located(text)
    assert len(ids) == len(spans)
    assert text[spans[-1].start : spans[-1].end].endswith("s")
    assert spans[-1] == TextSpan(spans[-1].start, len(text.rstrip()))


def test_a_length_without_room_for_text_is_refused(make_checkpoint):
    with pytest.raises(ModelError, match="document_length is 3"):
        sequences(make_checkpoint("markers", document_length=3))


def test_a_prefix_that_is_no_token_is_refused(make_checkpoint):
    with pytest.raises(ModelError, match="query_prefix 'query: '"):
        sequences(make_checkpoint("plain", query_prefix="query: "))


def test_the_config_may_name_the_prefix_token_itself(make_checkpoint):
    built = sequences(make_checkpoint("plain", query_prefix="query: ", query_prefix_id=11))
    assert built.query_pass(np.array([7])).ids.tolist()[1] == 11


def test_expansion_without_a_mask_token_is_refused(make_checkpoint):
    folder = make_checkpoint("plain", do_query_expansion=True, mask_token_id=None)
    file = folder / "tokenizer.json"
    file.write_text(file.read_text(encoding="utf-8").replace("[MASK]", "[GONE]"), encoding="utf-8")
    with pytest.raises(ModelError, match="mask_token_id"):
        sequences(folder)


def test_truncation_and_padding_of_the_file_are_not_kept(make_checkpoint):
    tokenizer = load_tokenizer(make_checkpoint())
    assert len(tokenizer.encode("wings " * 20).ids) == 22
    assert len(tokenizer.encode("wings").ids) == 3


@pytest.mark.parametrize("content", [None, "", "{}", "not json"])
def test_a_tokenizer_that_cannot_be_read_is_named(make_checkpoint, content):
    folder = make_checkpoint()
    (folder / "tokenizer.json").unlink()
    if content is not None:
        (folder / "tokenizer.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        load_tokenizer(folder)
