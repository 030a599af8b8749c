"""Which metadata stand in front of what is encoded of a chunk, as the retriever asks before it changes them."""

from __future__ import annotations

from typing import Any

import pytest

from late_rag.chunkers.encoded import encoded_keys, possible_keys
from late_rag.protocols import CollectionSettings
from late_rag.types import Chunk


def settings(**options: Any) -> CollectionSettings:
    return CollectionSettings(model="m", model_id="m-1", dim=8, **options)


def keys(metadata: dict[str, Any], embed_text: str | None, *, headings: bool = True) -> set[str]:
    made = settings(chunking={"kind": "auto", "headings": headings})
    return set(encoded_keys(Chunk("a", "d", "text", embed_text, metadata=metadata), made))


def test_metadata_that_are_always_in_front():
    made = settings(embed_metadata=("year",), chunking={"headings": False})
    assert encoded_keys(Chunk("a", "d", "text", metadata={"title": "t"}), made) == possible_keys(made) == {"year"}


@pytest.mark.parametrize(
    ("front", "metadata", "key"),
    [
        ("The Title\n", {"title": "The Title"}, "title"),
        ("Two\nlines\n", {"title": "Two\nlines"}, "title"),
        ("A very long title\n", {"title": "A very  long title that was shortened"}, "title"),
        ("year: 1\nThe Title\n", {"title": "The Title", "heading": 7}, "title"),
        ("Travel > Approval\n", {"heading": "Travel > Approval", "title": "Travel"}, "heading"),
        ("Travel\n", {"heading": "Travel > Approval", "title": "Travel"}, "heading"),
        ("Approval\n", {"heading": "Travel > Approval", "title": "Approval of"}, "heading"),
    ],
)
def test_the_heading_in_front_of_the_text(front: str, metadata: dict[str, Any], key: str):
    assert keys(metadata, f"{front}text") == {key}
    assert key in possible_keys(settings())


@pytest.mark.parametrize(
    ("headings", "embed_text"),
    [
        (False, "The Title\ntext"),
        (True, None),
        (True, "Another\ntext"),
        (True, "title: The Title\ntext"),
        (True, "The Title text"),
        (True, "The Title\nother"),
    ],
)
def test_a_title_that_is_not_in_front_of_the_text(headings: bool, embed_text: str | None):
    assert keys({"title": "The Title"}, embed_text, headings=headings) == set()
