"""``Retriever.update_metadata``: what is encoded again, and what keeps its place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from late_rag import Retriever, Selection
from late_rag.errors import InputError
from late_rag.types import Chunk, Document


@pytest.fixture
def topical(tmp_path, encoder) -> Iterator[Retriever]:
    """A collection that encodes the topic in front of the text."""
    with Retriever.create(tmp_path / "topical.rag", encoder, embed_metadata=["topic"]) as retriever:
        retriever.add(
            [Document("a", "one two", {"topic": "wind", "year": 1}), Document("b", "three", {"topic": "wind"})]
        )
        encoder.forget()
        yield retriever


def test_what_is_not_encoded_changes_without_the_model(topical, encoder):
    assert topical.update_metadata(["a#0"], {"year": 2, "new": True}) == 1
    assert encoder.documents == []
    assert topical.collection.get(["a#0"])[0].metadata == {"topic": "wind", "year": 2, "new": True}
    assert topical.search("one", filter="year == 2")


def test_what_is_encoded_is_encoded_again(topical, encoder):
    assert topical.update_metadata(Selection(document_ids=("a",)), {"topic": "sun"}) == 1
    assert encoder.documents == ["topic: sun\none two"]
    (chunk,) = topical.collection.get(["a#0"])
    assert (chunk.text, chunk.embed_text) == ("one two", "topic: sun\none two")
    assert chunk.metadata == {"topic": "sun", "year": 1}
    assert topical.collection.get_documents(["a"])[0].metadata == {"topic": "sun", "year": 1}
    hit = topical.search("sun", 1)[0]
    assert (hit.chunk.id, hit.similarity > 0.4) == ("a#0", True)


def test_it_is_as_if_added_with_the_new_metadata(topical, encoder):
    topical.update_metadata(None, {"topic": "rain"})
    with Retriever.create(None, encoder, embed_metadata=["topic"]) as fresh:
        documents = [Document("a", "one two", {"topic": "rain", "year": 1}), Document("b", "three", {"topic": "rain"})]
        fresh.add(documents)
        for identity in ("a#0", "b#0"):
            assert topical.collection.get([identity]) == fresh.collection.get([identity])
            rows = [each.collection.embeddings([identity])[identity] for each in (topical, fresh)]
            assert (rows[0] == rows[1]).all()
        encoder.forget()
        assert topical.add(documents).skipped == 2
        assert encoder.documents == []


def test_a_filter_on_what_changes_means_what_it_meant_at_first(topical):
    assert topical.update_metadata(Selection(filter='topic == "wind"'), {"topic": "sun", "seen": 1}) == 2
    assert [chunk.metadata["seen"] for chunk in topical.collection.get(["a#0", "b#0"])] == [1, 1]


def test_a_key_that_goes_and_one_that_comes(topical, encoder):
    topical.update_metadata(["a#0"], {"year": 3}, mode="replace")
    assert encoder.documents == ["one two"]
    assert topical.collection.get(["a#0"])[0].embed_text is None
    topical.update_metadata(["a#0"], {"topic": "fog"})
    assert encoder.documents[1:] == ["topic: fog\none two"]


def test_the_same_value_encodes_nothing(topical, encoder):
    assert topical.update_metadata(None, {"topic": "wind"}) == 2
    assert encoder.documents == []


def test_a_text_that_was_not_made_of_its_metadata_is_kept(topical, encoder):
    topical.add([Chunk("c", "d", "four", "My template: four", metadata={"topic": "wind"})])
    encoder.forget()
    topical.update_metadata(["c"], {"topic": "sun"})
    (chunk,) = topical.collection.get(["c"])
    assert (chunk.embed_text, chunk.metadata) == ("My template: four", {"topic": "sun"})
    assert encoder.documents == []


def test_a_chunk_of_a_file_stays_of_its_file(topical, files, encoder):
    folder = files(
        {"c.jsonl": '{"id": 1, "text": "alpha", "topic": "wind"}\n{"id": 2, "text": "beta", "topic": "wind"}'}
    )
    topical.sync(folder)
    topical.update_metadata(Selection(filter='topic == "wind"'), {"topic": "sun"})
    hit = topical.search("alpha")[0]
    assert (hit.chunk.metadata["topic"], hit.source) == ("sun", f"{folder}/c.jsonl")
    encoder.forget()
    assert len(topical.sync(folder).unchanged) == 1
    files({"c.jsonl": None})
    topical.sync(folder)
    assert topical.search("alpha", filter='topic == "sun" and $id != "a#0" and $id != "b#0"') == []


def test_many_at_once(topical, encoder):
    topical.add([Document(f"n{number}", f"number {number}", {"topic": "wind"}) for number in range(600)])
    encoder.forget()
    assert topical.update_metadata(Selection(filter='topic == "wind"'), {"topic": "sun"}) == 602
    assert len(encoder.documents) == 602
    assert topical.collection.count(Selection(filter='topic == "sun"')) == 602
    assert not topical.collection.verify().problems


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"changes": {"topic": object()}}, "topic"),
        ({"changes": {"big": 2**70}}, "big"),
        ({"mode": "add"}, 'mode must be "merge" or "replace", not \'add\''),
        ({"selection": "a#0"}, "ids"),
    ],
)
def test_what_cannot_be(topical, arguments, message):
    with pytest.raises(InputError, match=message):
        topical.update_metadata(**({"selection": ["a#0"], "changes": {"year": 1}} | arguments))


GUIDE = """# Travel

Trains first.

## Approval

Ask early. {}

## Costs

Keep receipts.
""".format("Words and more words go on. " * 12)


@pytest.fixture
def headed(retriever, encoder) -> Retriever:
    """One document whose chunks have its title in front, one whose chunks have headings."""
    retriever.add(
        [
            Document("plain", "one two three " * 20, {"title": "Old title", "year": 1}),
            Document("guide", GUIDE, {"title": "Travel", "mime_type": "text/markdown"}),
        ]
    )
    encoder.forget()
    return retriever


def test_a_title_is_encoded_again_as_if_added_with_it(headed, encoder):
    plain = Selection(document_ids=("plain",))
    count = headed.update_metadata(plain, {"title": "New name"})
    assert len(encoder.documents) == count > 1
    assert all(text.startswith(("New name\none", "New name\nt")) for text in encoder.documents)
    encoder.forget()
    assert headed.add([Document("plain", "one two three " * 20, {"title": "New name", "year": 1})]).skipped == count
    with Retriever.create(None, encoder) as fresh:
        fresh.add([Document("plain", "one two three " * 20, {"title": "New name", "year": 1})])
        for (given, rows), (made, made_rows) in zip(stored(headed, plain), stored(fresh, plain), strict=True):
            assert given == made
            assert (rows == made_rows).all()


def stored(retriever, selection):
    return [pair for batch in retriever.collection.iterate(selection, with_embeddings=True) for pair in batch]


def test_a_title_goes(headed, encoder):
    count = headed.update_metadata(Selection(document_ids=("plain",)), {"year": 1}, mode="replace")
    assert len(encoder.documents) == count
    assert {chunk.embed_text for chunk, _ in stored(headed, Selection(document_ids=("plain",)))} == {None}


def test_a_title_that_stands_in_front_of_nothing_encodes_nothing(headed, encoder):
    assert headed.update_metadata(Selection(document_ids=("guide",)), {"title": "Journeys", "year": 2}) > 3
    assert headed.update_metadata(None, {"year": 3}) > 6
    assert encoder.documents == []


def test_a_heading_changes_in_front_of_what_is_below_it(headed, encoder):
    approval = Selection(filter='heading == "Travel > Approval"')
    before = [chunk.embed_text for chunk, _ in stored(headed, approval)]
    assert before[0].startswith("Travel\n## Approval")
    assert len(before) > 2
    assert before[1].startswith("Travel > Approval\n")
    headed.update_metadata(approval, {"heading": "Trips > Consent"})
    after = [chunk.embed_text for chunk, _ in stored(headed, Selection(filter='heading == "Trips > Consent"'))]
    expected = [before[0].replace("Travel", "Trips", 1)]
    expected += [text.replace("Travel > Approval", "Trips > Consent", 1) for text in before[1:]]
    assert (after, encoder.documents) == (expected, expected)
    assert not headed.collection.verify().problems


def test_metadata_and_title_in_front_change_together(topical, encoder):
    topical.add([Document("t", "five", {"topic": "wind", "title": "Old"})])
    encoder.forget()
    topical.update_metadata(["t#0"], {"topic": "sun", "title": "New title " * 30})
    (text,) = encoder.documents
    assert text.startswith("topic: sun\nNew title New title")
    topical.update_metadata(["t#0"], {"title": "Short"})
    assert encoder.documents[1:] == ["topic: sun\nShort\nfive"]


def test_a_passage_that_is_encoded_again_keeps_its_place(topical):
    topical.add([Chunk(f"d{number}", "d", f"text {number}", metadata={"topic": "wind"}) for number in range(4)])
    before = {identity: rows.tolist() for identity, rows in topical.collection.embeddings(["d0", "d2", "d3"]).items()}
    topical.update_metadata(["d1"], {"topic": "sun"})
    (batch,) = topical.collection.iterate(Selection(document_ids=("d",)))
    assert [(chunk.id, chunk.metadata["topic"]) for chunk, _ in batch] == [
        ("d0", "wind"),
        ("d1", "sun"),
        ("d2", "wind"),
        ("d3", "wind"),
    ]
    after = topical.collection.embeddings(["d0", "d2", "d3"])
    assert {identity: rows.tolist() for identity, rows in after.items()} == before
