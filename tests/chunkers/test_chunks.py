"""What chunks carry: ids, metadata, headings in front, pages, media; and the options."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from late_rag.chunkers import ChunkingOptions, load_chunker
from late_rag.errors import InputError
from late_rag.types import Document, Media

HANDBOOK = """\
# Travel

Trips are booked by the office.

## Approval

The head of the team approves every trip.

## Costs
### Meals

Meals are paid up to a limit.
"""


def chunked(measures, text, metadata=None, media=(), **options):
    document = Document(id="d", text=text, metadata=metadata or {}, media=media)
    return list(load_chunker(options, measures)(document))


def test_a_short_text_is_one_chunk(measures_of):
    (chunk,) = chunked(measures_of(64), "  A layer grows.\n", {"year": 2020})
    assert (chunk.id, chunk.document_id, chunk.text) == ("d#0", "d", "A layer grows.")
    assert (chunk.start, chunk.end, chunk.embed_text, chunk.metadata) == (2, 16, None, {"year": 2020})


def test_markdown_has_a_chunk_for_each_section(measures_of):
    chunks = chunked(measures_of(64), HANDBOOK, {"mime_type": "text/markdown"})
    assert [chunk.metadata.get("heading") for chunk in chunks] == [
        "Travel",
        "Travel > Approval",
        "Travel > Costs > Meals",
    ]
    assert [chunk.encoded_text.partition("\n")[0] for chunk in chunks] == ["# Travel", "Travel", "Travel"]
    assert chunks[2].text.startswith("## Costs\n### Meals\n")


def test_later_chunks_of_a_section_have_its_whole_path_in_front(measures_of):
    text = "# Travel\n\n## Approval\n\n" + "The head of the team approves every trip. " * 30
    first, second, *_ = chunked(measures_of(64), text, kind="markdown")
    assert first.embed_text is None
    assert second.embed_text == f"Travel > Approval\n{second.text}"


@pytest.mark.parametrize(
    ("mime_type", "sections"),
    [
        ("text/markdown", 3),
        ("text/html", 3),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", 3),
        ("text/plain", 1),
        (None, 1),
    ],
)
def test_auto_looks_at_the_mime_type(measures_of, mime_type, sections):
    metadata = {"mime_type": mime_type} if mime_type else {}
    assert len(chunked(measures_of(512), HANDBOOK, metadata)) == sections


def test_without_headings_nothing_stands_in_front(measures_of):
    metadata = {"mime_type": "text/markdown", "title": "Handbook"}
    chunks = chunked(measures_of(64), HANDBOOK, metadata, headings=False)
    assert {chunk.embed_text for chunk in chunks} == {None}
    assert chunks[1].metadata["heading"] == "Travel > Approval"


def test_the_title_stands_in_for_a_heading(measures_of):
    (chunk,) = chunked(measures_of(64), "A layer grows.", {"title": "Layers"})
    assert chunk.embed_text == "Layers\nA layer grows."
    assert "heading" not in chunk.metadata


def test_the_title_is_not_repeated_where_the_text_begins_with_it(measures_of):
    chunks = chunked(measures_of(32), "Layers\n\n" + "A layer grows with the distance. " * 20, {"title": "Layers"})
    assert chunks[0].embed_text is None
    assert chunks[1].encoded_text.startswith("Layers\n")


def test_chosen_metadata_stand_in_front(measures_of):
    metadata = {"author": "A.  Smith\n", "tags": ["a", "b"], "year": 2020, "none": None, "title": "T"}
    keys = ["year", "missing", "none", "tags", "author"]
    (chunk,) = chunked(measures_of(256), "A layer grows.", metadata, embed_metadata=keys)
    assert chunk.embed_text == "year: 2020\ntags: a, b\nauthor: A. Smith\nT\nA layer grows."


def test_long_headings_and_metadata_leave_half_of_the_chunk_to_the_text(measures_of):
    measures = measures_of(64)
    metadata = {"title": "boundary layer " * 500, "author": "Smith " * 100_000}
    text = "The boundary layer grows with the distance. " * 40
    chunks = chunked(measures, text, metadata, embed_metadata=["author"])
    assert chunks[0].embed_text.startswith("author: Smith Smith")
    assert "\nboundary layer" in chunks[0].embed_text
    for chunk in chunks[:-2]:
        prefix = chunk.embed_text.removesuffix(chunk.text)
        assert measures.count(prefix) <= 32
        assert measures.count(chunk.embed_text) > 48


def test_of_a_long_path_the_nearest_headings_are_kept(measures_of):
    text = f"# {'boundary layer ' * 20}\n\n## Plates\n\n### Edges\n\n" + "Text that goes on. " * 60
    second = chunked(measures_of(64), text, kind="markdown")[1]
    assert second.embed_text == f"Plates > Edges\n{second.text}"
    assert second.metadata["heading"].endswith("boundary layer > Plates > Edges")


def test_a_documents_own_keys_win(measures_of):
    metadata = {"mime_type": "text/markdown", "heading": "mine"}
    assert {chunk.metadata["heading"] for chunk in chunked(measures_of(64), HANDBOOK, metadata)} == {"mine"}


def test_paragraphs_are_preferred_to_sentences_and_sentences_to_words(measures_of):
    sentence = "A layer grows with the distance, as Dr. Smith says. "
    text = f"{sentence * 3}\n\n{sentence * 2}" * 4
    chunks = chunked(measures_of(128), text)
    assert len(chunks) > 2
    assert all(chunk.text.endswith("says.") for chunk in chunks)


def test_overlap_repeats_the_end_of_the_chunk_before(measures_of):
    measures = measures_of(64)
    text = " ".join(f"Sentence {number} says so." for number in range(100))
    chunks = chunked(measures, text, overlap=16)
    for before, after in pairwise(chunks):
        repeated = text[after.start : before.end]
        assert repeated
        assert measures.count(repeated) <= 16
        assert repeated.startswith("Sentence")


def test_an_overlong_word_is_cut_by_characters(measures_of):
    """One unknown word is one token, however long."""
    measures = measures_of(64)
    text = "ж" * 5000
    assert measures.count(text) == 1
    assert max(len(chunk.text) for chunk in chunked(measures, text)) == 8 * 64


def test_a_character_of_many_tokens_goes_without_what_stands_in_front(measures_of):
    measures = type(measures_of(64))(32, lambda text: len(text.split()) + 20 * text.count("ﷺ"))
    metadata = {"title": "one two three four five six seven", "author": "one two three four five six"}
    chunks = chunked(measures, "ﷺ word", metadata, embed_metadata=["author"])
    assert [chunk.text for chunk in chunks] == ["ﷺ", "word"]
    assert chunks[0].embed_text is None
    assert chunks[1].embed_text.startswith("author: one")


def test_pages_of_a_pdf(measures_of):
    pages = tuple(Media("file.pdf", "application/pdf", page) for page in (1, 2, 3))
    whole = Media("file.pdf", "application/pdf")
    text = "First page.\f \n\fThird page. " + "It goes on and on. " * 40
    chunks = chunked(measures_of(64), text, {"mime_type": "application/pdf"}, (whole, *pages))
    assert [chunk.metadata["page"] for chunk in chunks][:2] == [1, 3]
    assert {chunk.metadata["page"] for chunk in chunks[1:]} == {3}
    assert [chunk.media for chunk in chunks][:2] == [pages[:1], pages[2:]]


def test_a_pdf_without_text_is_a_chunk_a_page(measures_of):
    pages = tuple(Media("scan.pdf", "application/pdf", page) for page in (1, 2))
    chunks = chunked(measures_of(64), "\f", {"mime_type": "application/pdf"}, pages)
    assert [(chunk.text, chunk.media, chunk.metadata["page"]) for chunk in chunks] == [
        ("", pages[:1], 1),
        ("", pages[1:], 2),
    ]


def test_a_picture_is_one_chunk_and_a_text_takes_no_picture(measures_of):
    picture = Media(b"...", "image/png")
    (chunk,) = chunked(measures_of(64), "", media=(picture,))
    assert (chunk.id, chunk.text, chunk.media, chunk.start, chunk.end) == ("d#0", "", (picture,), 0, 0)
    (chunk,) = chunked(measures_of(64), "A layer grows.", media=(picture,))
    assert chunk.media == ()


@pytest.mark.parametrize("text", ["", " \n\t\u00a0"])
def test_an_empty_document_is_one_empty_chunk(measures_of, text):
    (chunk,) = chunked(measures_of(64), text, {"title": "T"})
    assert (chunk.id, chunk.encoded_text, chunk.start, chunk.end) == ("d#0", "", 0, 0)


def test_options_make_the_same_chunker_again(measures_of):
    options = {"kind": "markdown", "max_tokens": 32, "overlap": 4, "headings": False, "embed_metadata": ["year"]}
    chunker = load_chunker(options, measures_of(64))
    assert chunker.options() == {**options, "max_characters": None}
    again = load_chunker(json.loads(json.dumps(chunker.options())), measures_of(64))
    assert type(again) is type(chunker)
    assert again.options() == chunker.options()


@pytest.mark.parametrize("options", [None, "auto", {}])
def test_auto_is_the_default(measures_of, options):
    assert load_chunker(options, measures_of(64)).options() == ChunkingOptions().to_json()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "semantic"}, "unknown chunker 'semantic'; there are: auto, markdown, recursive"),
        ({"size": 5}, "unknown chunking option 'size'"),
        ({"max_tokens": 65}, "max_tokens is 65, but the encoder takes 64 tokens"),
        ({"max_tokens": 0}, "max_tokens takes a whole number of at least 32, not 0"),
        ({"max_tokens": "64"}, "max_tokens takes a whole number of at least 32, not '64'"),
        ({"max_characters": 10**6}, "max_characters is 1000000; for 64 tokens it may be 4096 at most"),
        ({"overlap": 64}, "overlap is 64 tokens; it must be less than max_tokens, 64"),
        ({"overlap": -1}, "overlap takes a whole number of at least 0, not -1"),
        ({"headings": 1}, "headings takes true or false, not 1"),
        ({"embed_metadata": "year"}, "embed_metadata takes a list of metadata keys, not 'year'"),
        ({"embed_metadata": [1]}, "embed_metadata takes a list of metadata keys, not [1]"),
    ],
)
def test_impossible_options(measures_of, options, message):
    with pytest.raises(InputError) as caught:
        load_chunker(options, measures_of(64))
    assert message in str(caught.value)


def test_an_encoder_with_hardly_any_room(measures_of):
    with pytest.raises(InputError, match="takes 8 tokens of text in one pass; chunks need 32"):
        load_chunker(None, measures_of(8))


def test_lone_surrogates_are_named(measures_of):
    with pytest.raises(InputError, match="surrogates"):
        chunked(measures_of(64), "a \ud800 b")


class Meter:
    """Counts what a tokenizer is given."""

    def __init__(self) -> None:
        self.characters = self.longest = 0

    def __call__(self, text: str) -> int:
        self.characters += len(text)
        self.longest = max(self.longest, len(text))
        return len(text.split())


@pytest.mark.parametrize(
    ("unit", "length"),
    [
        ("word and word. ", 120_000),
        ("a", 120_000),
        ("中文。", 120_000),
        ("\n \n", 120_000),
        ("x" + " " * 3000, 120_000),
        ("# H\n\ntext\n\n", 50_000),
        ("a\n---\n", 50_000),
        ("👨‍👩‍👧‍👦", 120_000),
        ("```\n# a\n", 50_000),
        ("\f", 20_000),
    ],
)
def test_a_long_text_is_a_stream_in_linear_time(measures_of, unit, length):
    """Each character is tokenized a few times, never more than some chunks' worth at once, and nothing runs ahead."""
    meter = Meter()
    metadata = {"mime_type": "application/pdf" if unit == "\f" else "text/markdown"}
    chunker = load_chunker({"max_tokens": 100, "headings": False}, type(measures_of(64))(100, meter))
    chunks = chunker(Document(text="start " + unit * (length // len(unit)) + " end", metadata=metadata))
    next(chunks)
    assert meter.characters <= min(length // 2, 30_000)
    sum(1 for _ in chunks)
    assert meter.characters <= 8 * length
    assert meter.longest <= 800


def test_a_column_called_title_is_a_column_like_any_other(measures_of):
    record = {"title": "TT", "heading": "HH", "mime_type": "text/csv"}
    (chunk,) = chunked(measures_of(64), "hello there", record)
    assert chunk.embed_text is None
    assert chunk.metadata == record
    (page,) = chunked(measures_of(64), "hello there", {**record, "mime_type": "text/html"})
    assert page.embed_text == "TT\nhello there"


def test_a_form_feed_that_the_tokenizer_drops_parts_no_words(measures_of):
    measures = measures_of(32)
    for sign in "\x0b\x0c\x1c\x85":
        chunks = chunked(measures, "समतल" * 46 + sign + "प्लेट" * 15, {"mime_type": "text/markdown"})
        assert all(measures.count(chunk.encoded_text) <= 32 for chunk in chunks)
