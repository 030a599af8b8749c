"""A Haystack document comes back from the collection as it was written."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime
from typing import Any

import pytest
from haystack.dataclasses import ByteStream, Document, SparseEmbedding
from hypothesis import given, settings
from hypothesis import strategies as st

from haystack_integrations.document_stores.late_rag.documents import (
    OneChunk,
    embedded_fields,
    from_chunk,
    from_hit,
    to_chunk,
    to_document,
    with_meta,
)
from late_rag.adapters import HitFields
from late_rag.errors import InputError
from late_rag.types import Chunk, Hit, Media

PNG = ByteStream(b"\x89PNG", meta={"file": "a.png"}, mime_type="image/png")

_leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text("ab\n")
_meta = st.dictionaries(
    st.text("ab.$"),
    st.recursive(
        _leaves | st.sampled_from([date(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC)]),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab$"), inner, max_size=2),
        max_leaves=4,
    ),
    max_size=3,
)
_blobs = st.builds(
    ByteStream,
    data=st.binary(max_size=8),
    meta=_meta,
    mime_type=st.sampled_from([None, "image/png", "application/pdf", "audio/wav"]),
)
documents = st.builds(
    Document,
    id=st.text("ab", min_size=1),
    content=st.none() | st.text("ab \n"),
    blob=st.none() | _blobs,
    meta=_meta,
    embedding=st.none() | st.lists(st.floats(allow_nan=False), max_size=3),
    sparse_embedding=st.none() | st.just(SparseEmbedding([1, 5], [0.5, -2.0])),
)


def stored(document: Document, fields: tuple[str, ...] = ()) -> Chunk:
    (chunk,) = OneChunk()(to_document(document, fields))
    return chunk


@settings(max_examples=300, deadline=None)
@given(documents, st.lists(st.sampled_from(["a", "b"]), max_size=2))
def test_what_goes_in_comes_out(document: Document, fields: list[str]) -> None:
    before = copy.deepcopy(document)
    chunk = stored(document, tuple(fields))
    assert document == before
    assert (chunk.id, chunk.document_id, chunk.text) == (document.id, document.id, document.content or "")
    assert from_chunk(chunk) == document
    assert from_chunk(chunk, 0.5).score == 0.5


def test_a_score_is_not_stored() -> None:
    assert from_chunk(stored(Document(id="a", content="text", score=0.5))).score is None


def test_metadata_are_embedded_in_front_of_the_content() -> None:
    document = Document(id="a", content="text", meta={"title": "Travel", "year": 2020, "none": None})
    chunk = stored(document, ("title", "none", "missing", "year"))
    assert chunk.embed_text == "Travel\n2020\ntext"
    assert chunk.text == "text"
    assert embedded_fields(chunk) == {"title", "none", "missing", "year"}
    changed = with_meta(chunk, {"title": "Trips"})
    assert [chunk.embed_text for chunk in OneChunk()(changed)] == ["Trips\n2020\ntext"]


@pytest.mark.parametrize("fields", [(), ("missing",)])
def test_nothing_to_embed_leaves_the_text(fields: tuple[str, ...]) -> None:
    assert stored(Document(id="a", content="text", meta={"title": "Travel"}), fields).embed_text is None


def test_a_separator_of_the_callers() -> None:
    candidate = to_chunk(Document(id="a", content="text", meta={"title": "Travel"}, blob=PNG), ("title",), " | ")
    assert candidate.encoded_text == "Travel | text"
    assert candidate.media == (Media(PNG.data, "image/png"),)


def test_only_pictures_are_media() -> None:
    assert stored(Document(id="a", blob=PNG)).media == (Media(PNG.data, "image/png"),)
    assert stored(Document(id="a", blob=ByteStream(b"%PDF", mime_type="application/pdf"))).media == ()
    assert stored(Document(id="a", blob=ByteStream(b"?"))).media == ()


def test_tuples_become_lists() -> None:
    """As Haystack's own splitter writes them where passages overlap."""
    document = Document(id="a", content="text", meta={"_split_overlap": [{"doc_id": "b", "range": (0, 4)}]})
    assert from_chunk(stored(document)).meta == {"_split_overlap": [{"doc_id": "b", "range": [0, 4]}]}


def test_metadata_that_cannot_be_stored_are_named() -> None:
    with pytest.raises(InputError, match=r"people\[0\]: a set cannot be stored"):
        to_document(Document(content="text", meta={"people": [{"Ada"}]}))


def test_a_passage_that_something_else_wrote() -> None:
    chunk = Chunk("a#1", "a", "text", embed_text="Travel\ntext", metadata={"page": 2}, extra={"llama_index": {"x": 1}})
    assert from_chunk(chunk) == Document(id="a#1", content="text", meta={"page": 2})
    assert embedded_fields(chunk) == frozenset()
    pictured = Chunk("a#1", "a", "", media=(Media("scan.pdf", "application/pdf", 1), Media(b"\x89PNG", "image/png")))
    assert from_chunk(pictured) == Document(id="a#1", content="", blob=ByteStream(b"\x89PNG", mime_type="image/png"))


def test_a_hit_has_its_similarity_as_score() -> None:
    hit = Hit(Chunk("a#1", "a", "text", metadata={"source": "mine"}), 7.5, 0.75, source="a.md", context="more text")
    found = from_hit(hit)
    assert (found.id, found.content, found.score) == ("a#1", "text", 0.75)
    assert found.meta == {"source": "mine", "late_rag_source": "a.md", "context": "more text"}
    fields = HitFields(score="maxsim", document_id="source_id", source=None, context=None)
    assert from_hit(hit, fields).meta == {"source": "mine", "maxsim": 7.5, "source_id": "a"}


def test_what_is_found_is_the_callers() -> None:
    chunk = Chunk("a", "a", "text", metadata={"year": 2020})
    found: dict[str, Any] = from_chunk(chunk).meta
    found["year"] = 2021
    assert chunk.metadata == {"year": 2020}
