"""What restricts a search restricts all that it gives back: text that is gone, replaced or filtered out stays so."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag import Retriever, Selection
from late_rag.explain import matched_words
from late_rag.reranker import Reranker
from late_rag.retriever.context import GAP
from late_rag.retriever.joining import SPACE_BEFORE, Joiner
from late_rag.retriever.options import SearchOptions
from late_rag.testing import HashEncoder
from late_rag.types import Chunk, Document

SECRET = "zyzzyva"
"""A word that nothing but the passage has that must not be seen."""

PARAGRAPHS = [f"Paragraph {number} speaks of w{number} and w{number % 3} at length." for number in range(7)]
TEXT = "\n\n".join(PARAGRAPHS)
HIDDEN = 3
"""Which of the paragraphs is the one that is not seen."""


def pieces(secret: str, *, spans: bool) -> list[Chunk]:
    """The paragraphs as passages of one document, with the secret in one of them."""
    chunks, start = [], 0
    for number, paragraph in enumerate(PARAGRAPHS):
        text = f"{paragraph} {secret}." if number == HIDDEN else paragraph
        place = (start, start + len(text)) if spans else (None, None)
        shown = {"seen": number != HIDDEN, "number": number}
        chunks.append(Chunk(f"d#{number}", "d", text, None, *place, metadata=shown))
        start += len(text) + 2
    return chunks


def text_of(chunks: list[Chunk]) -> str:
    return "\n\n".join(chunk.text for chunk in chunks)


def hide(retriever: Retriever, how: str) -> Selection | None:
    """Makes the passage one that must not be seen; gives what a search of the others is restricted to."""
    if how == "deleted":
        retriever.delete([f"d#{HIDDEN}"])
    elif how == "replaced":
        (before,) = retriever.collection.get([f"d#{HIDDEN}"])
        retriever.add([replace(before, text="Paragraph 3 is redacted.")])
    elif how == "shortened":  # at its old place, of which the new text is shorter
        (before,) = retriever.collection.get([f"d#{HIDDEN}"])
        retriever.add([replace(before, text="Redacted.", start=None, end=None)])
    elif how == "filtered":
        return Selection(filter="seen == true")
    elif how == "selected":
        return Selection(ids=tuple(f"d#{number}" for number in range(len(PARAGRAPHS)) if number != HIDDEN))
    return None


WAYS = ("deleted", "replaced", "shortened", "filtered", "selected")


def made(location: Path | None, *, stored: bool, spans: bool) -> Retriever:
    """A collection of one document, whose text is stored or not, and others that hide nothing."""
    retriever = Retriever.create(location, HashEncoder())
    chunks = pieces(SECRET, spans=spans)
    documents = [Document("d", text_of(chunks))] if stored else []
    embeddings = list(HashEncoder().encode_documents(chunks))
    retriever.collection.add(chunks, embeddings, documents)
    retriever.add([Document(f"other{number}", f"w{number} and another.", {"seen": True}) for number in range(5)])
    return retriever


def everything_said(retriever: Retriever, query: str, options: SearchOptions) -> Iterator[str]:
    """All texts that come of a search: hits, contexts, explanations, highlights, and of reranking them."""
    hits = retriever.search(query, **options)
    batch = retriever.search_batch([query, "at length"], **options)
    reranker = Reranker(collection=retriever.collection, encoder=retriever.encoder)
    for found in (hits, *batch, reranker.rerank(query, hits) if hits else []):
        for hit in found if isinstance(found, list) else [found]:
            yield repr(hit)
            matches = retriever.explain(query, hit)
            yield repr([match.token for match in matches])
            yield repr([hit.chunk.text[word.start : word.end] for word in matched_words(matches, hit.chunk.text)])


options_of_a_search = st.fixed_dictionaries(
    {"expand": st.sampled_from([0, 1, 2, 50, "document"])},
    optional={
        "top_k": st.integers(1, 20),
        "mode": st.sampled_from(["maxsim", "hybrid"]),
        "group_by": st.sampled_from([None, "document"]),
        "lambda_mult": st.sampled_from([0.0, 0.5, 1.0]),
        "threshold": st.sampled_from([None, 0.1, 0.5]),
        "filter": st.sampled_from([None, "number exists", "not (number == 5)", '$id != "d#6"']),
    },
)


@pytest.fixture(scope="module", params=[(how, stored, spans) for how in WAYS for stored in (1, 0) for spans in (1, 0)])
def hidden(request: pytest.FixtureRequest) -> Iterator[tuple[Retriever, Selection | None]]:
    how, stored, spans = request.param
    with made(None, stored=bool(stored), spans=bool(spans)) as retriever:
        yield retriever, hide(retriever, how)


@settings(max_examples=25, deadline=None)
@given(options=options_of_a_search, query=st.sampled_from([SECRET, f"w3 {SECRET} at length", "paragraph 2", "w1 w4"]))
def test_no_option_of_a_search_brings_back_what_must_not_be_seen(hidden, options, query):
    retriever, selection = hidden
    for said in everything_said(retriever, query, {**options, "selection": selection}):
        assert SECRET not in said


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("spans", [True, False])
def test_what_is_left_out_is_a_gap(how, spans):
    with made(None, stored=True, spans=spans) as retriever:
        selection = hide(retriever, how)
        for expand in ("document", 50):
            (hit,) = retriever.search("paragraph 5 w5", top_k=1, expand=expand, selection=selection)
            assert hit.context.startswith(f"{PARAGRAPHS[0]}\n")
            assert hit.context.endswith(f"\n{PARAGRAPHS[6]}") or how in ("replaced", "shortened")
            if how in ("filtered", "selected") or (spans and how == "deleted"):
                assert f"{PARAGRAPHS[2]}{GAP}{PARAGRAPHS[4]}" in hit.context


def test_passages_without_spans_keep_the_gap_and_those_of_another_length_their_text():
    with made(None, stored=True, spans=True) as retriever:
        hide(retriever, "shortened")
        (hit,) = retriever.search("paragraph 5 w5", top_k=1, expand="document")
        assert hit.context.index(PARAGRAPHS[2]) < hit.context.index("Redacted.") < hit.context.index(PARAGRAPHS[4])


words = st.lists(st.sampled_from(["a", "bb", "ccc", "dd. ", "\n", "\n\n", " ", "\t"]), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None)
@given(parts=words, cuts=st.lists(st.tuples(st.integers(0, 80), st.integers(1, 25)), min_size=1, max_size=9))
def test_any_passages_are_joined_to_what_they_cover(parts, cuts):
    text = "".join(parts)
    spans = sorted({(start, min(len(text), start + length)) for start, length in cuts if start < len(text)})
    chunks = [Chunk(f"d#{place}", "d", text[start:end], None, start, end) for place, (start, end) in enumerate(spans)]
    if not chunks:
        return
    covered = {place for start, end in spans for place in range(start, end)}
    covered |= {place for place, character in enumerate(text) if character.isspace()}
    joined = Joiner(text, lambda *_: False).whole(chunks)
    assert all(chunk.text in joined for chunk in chunks)
    if len(covered) == len(text):
        assert joined == text
    assert all(part.strip() in text for part in joined.split("…"))


@pytest.mark.parametrize(
    ("said", "joined"),
    [
        ("\n \n", "One.\n \nTwo."),
        ("\n\n", "One.\nTwo."),  # not as long as what is between
        ("key", "One.\nTwo."),  # no white space
        (3, "One.\nTwo."),
        (None, "One.\nTwo."),
    ],
)
def test_a_passage_says_what_space_is_in_front_of_it_where_the_text_is_not_stored(said, joined):
    extra = None if said is None else {SPACE_BEFORE: said}
    chunks = [Chunk("d#0", "d", "One.", start=0, end=4), Chunk("d#1", "d", "Two.", start=7, end=11, extra=extra)]
    assert Joiner(None, lambda *_: False)(chunks) == joined
    assert Joiner("One.\n\t\nTwo.", lambda *_: False)(chunks) == "One.\n\t\nTwo."


def test_a_header_stands_in_front_only_if_its_passage_may_be_seen(tmp_path):
    header, rows = "| Gate | zyzzyva |\n|---|---|\n", [f"| w{number} | w{number} opens |" for number in range(60)]
    with Retriever.create(
        tmp_path / "t.rag", HashEncoder(document_length=65), chunking={"max_tokens": 60}
    ) as retriever:
        retriever.add([Document("d", header + "\n".join(rows) + "\n", {"mime_type": "text/markdown"})])
        (hit,) = retriever.search("w40 opens", top_k=1, expand=1)
        assert hit.context.startswith(header)
        seen = Selection(filter='$id != "d#0"')
        (hit,) = retriever.search("w40 opens", top_k=1, expand=1, selection=seen)
        assert hit.context.startswith("| w")
        retriever.delete(["d#0"])
        for expand in (0, 1, 50, "document"):
            (hit,) = retriever.search("w40 opens", top_k=1, expand=expand)
            assert "zyzzyva" not in hit.context


def flips_seen(seconds: float) -> tuple[int, int]:
    """How many searches ran while a passage went to and fro between open and secret, and how many told the secret."""
    with made(None, stored=True, spans=True) as retriever:
        (secret,) = retriever.collection.get([f"d#{HIDDEN}"])
        shown = replace(secret, text=f"{PARAGRAPHS[HIDDEN]} at length.", end=None, start=None, metadata={"seen": True})
        stop, told, asked = threading.Event(), [0], [0]

        def ask(number: int) -> None:
            while not stop.is_set():
                mode = ("maxsim", "hybrid")[number % 2]
                expand = ("document", 50)[number // 2 % 2]
                for hit in retriever.search(f"w3 {SECRET} at length", filter="seen == true", mode=mode, expand=expand):
                    told[0] += SECRET in repr(hit)
                asked[0] += 1

        askers = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for asker in askers:
            asker.start()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for chunk in (shown, secret):
                retriever.collection.add([chunk], list(retriever.encoder.encode_documents([chunk])))
        stop.set()
        for asker in askers:
            asker.join()
        return asked[0], told[0]


def test_a_passage_that_becomes_secret_while_others_search_is_not_told():
    asked, told = flips_seen(1.5)
    assert asked > 10
    assert told == 0


@pytest.mark.slow
def test_a_passage_that_becomes_secret_is_not_told_in_thousands_of_searches():
    asked, told = flips_seen(40)
    assert asked > 1000
    assert told == 0
