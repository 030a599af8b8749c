"""What holds for every chunk of every text: six scripts, four kinds of tokenizer, any limits."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag.chunkers import load_chunker
from late_rag.types import Document

SCRIPTS = {
    "latin": "The boundary layer grows. Dr. Smith, however, disagrees! naïve café e\u0301le\u0300ve unquestionably",
    "cyrillic": "Пограничный слой растёт с расстоянием. Почему? Потому, что вязкость велика; ёлка й",
    "chinese": "平板的边界层随着距离而增长。为什么会这样？因为黏性，和速度。𠀀𠀁𠀂 没有空格的句子",
    "arabic": "تنمو الطبقة الحدودية. لماذا؟ بِسْمِ اللَّهِ الرَّحْمَٰنِ الرَّحِيمِ، ﷺ",
    "devanagari": "समतल प्लेट की सीमा परत बढ़ती है। क्यों? क्ष्म ज्ञान र्स्त्र्य",
    "emoji": "🙂 👨‍👩‍👧‍👦 👍🏽 🇩🇪🇫🇷🇯🇵 𝔘𝔫𝔦 ☀️ Z̷̢̛͔a̸l̵g̷o̸ 한글 각",
}
SPACES = [" ", "  ", "\n", "\n\n", "\r\n", "\n \n\n", "\t", "\u00a0", "\u3000", "\f", "\u200b", ""]
MARKS = ["# ", "## ", "### ", "- ", "1. ", "```\n", "---\n", "> ", "| a | b |\n", "<!-- "]


def texts(script: str) -> st.SearchStrategy[str]:
    words = st.sampled_from(SCRIPTS[script].split())
    long_words = st.builds(lambda word, times: word * times, words, st.integers(2, 60))
    runs = st.builds(lambda space, times: space * times, st.sampled_from(SPACES), st.integers(1, 40))
    letters = st.text(st.sampled_from(sorted(set(SCRIPTS[script]))), max_size=12)
    sentences = st.lists(words, min_size=3, max_size=30).map(" ".join)
    pieces = st.one_of(words, sentences, sentences, letters, long_words, runs, st.sampled_from(SPACES + MARKS))
    return st.lists(pieces, max_size=25).map("".join)


def is_indented_code(text: str, place: int) -> bool:
    """Whether a line begins at the place, below a fence."""
    return "```" in text[:place] and text[place - 1] == "\n" and text[place] != "\n"


@pytest.mark.parametrize("tokenizer", ["word_piece", "byte_level", "unigram", "function"])
@pytest.mark.parametrize("script", sorted(SCRIPTS))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_chunk(measures_of, script, tokenizer, data):
    capacity = data.draw(st.integers(32, 64), "capacity")
    measures = measures_of(capacity, tokenizer)
    overlap = data.draw(st.sampled_from([0, 0, 5, capacity - 1]), "overlap")
    characters = data.draw(st.sampled_from([None, 32, 3 * capacity]), "max_characters")
    options = {
        "kind": data.draw(st.sampled_from(["recursive", "markdown", "auto"]), "kind"),
        "overlap": overlap,
        "max_characters": characters,
        "embed_metadata": data.draw(st.sampled_from([[], ["author"], ["author"] * 9])),
    }
    metadata = data.draw(st.fixed_dictionaries({}, optional={"title": texts(script), "author": texts(script)}))
    metadata |= {"mime_type": data.draw(st.sampled_from(["text/markdown", "application/pdf", "text/plain"]))}
    text = data.draw(texts(script), "text")
    chunks = list(load_chunker(options, measures)(Document(id="d", text=text, metadata=metadata)))

    assert [chunk.id for chunk in chunks] == [f"d#{ordinal}" for ordinal in range(len(chunks))]
    assert all(chunk.document_id == "d" and text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    covered = {place for chunk in chunks for place in range(chunk.start, chunk.end)}
    assert all(letter.isspace() or place in covered for place, letter in enumerate(text))
    assert all(measures.count(chunk.encoded_text) <= capacity for chunk in chunks)
    if text.strip():
        assert all(len(chunk.text) <= (characters or 8 * capacity) for chunk in chunks)
        assert all(chunk.text.strip() and chunk.text == chunk.text.rstrip() for chunk in chunks)
        assert all(chunk.text == chunk.text.lstrip() or is_indented_code(text, chunk.start) for chunk in chunks)
    assert all(chunk.encoded_text.endswith(chunk.text) for chunk in chunks)
    for before, after in pairwise(chunks):
        assert before.start < after.start
        assert before.end < after.end
        assert overlap or before.end <= after.start
    if metadata["mime_type"] == "application/pdf" and text.strip():
        assert not any("\f" in chunk.text for chunk in chunks)


@pytest.mark.parametrize("script", sorted(SCRIPTS))
def test_no_character_is_parted_from_its_marks(measures_of, script):
    """Even one long word is cut between characters as a reader sees them."""
    marks = ("\u200d", "\ufe0f", "\u0301", "\u094d", "\u093f", "\U0001f3fd", "\u064e")
    text = "".join(SCRIPTS[script].split()) * 20
    chunks = list(load_chunker({"max_tokens": 40}, measures_of(64, "byte_level"))(Document(text=text)))
    assert len(chunks) > 5
    assert not any(chunk.text.startswith(marks) for chunk in chunks[1:])


@pytest.mark.parametrize("tokenizer", ["word_piece", "byte_level", "unigram", "function"])
def test_chunks_are_filled(measures_of, tokenizer):
    """Running text fills chunks to more than half, the last two share what is left."""
    measures = measures_of(64, tokenizer)
    text = " ".join(f"Sentence {number} of the text says that layers grow." for number in range(300))
    chunks = list(load_chunker("recursive", measures)(Document(text=text)))
    assert min(measures.count(chunk.text) for chunk in chunks) > 32
