"""``Retriever.add``: what is written, what is encoded, what is refused."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from late_rag import Retriever
from late_rag.errors import CancelledError, ConflictError, InputError, UnsupportedError
from late_rag.filters.selection import Selection
from late_rag.types import AddResult, Chunk, Document, Media, Progress

LONG = " ".join(f"word{number}" for number in range(100))


def stored(retriever: Retriever) -> dict[str, str]:
    return {chunk.id: chunk.text for batch in retriever.collection.iterate() for chunk, _ in batch}


def test_documents_texts_and_chunks_in_one_call(retriever, encoder):
    result = retriever.add([Document("a", "the first"), "a bare text", Chunk("c", "d", "a chunk as it is")])
    assert result == AddResult(added=3)
    assert stored(retriever) == {
        "a#0": "the first",
        f"{Document(text='a bare text').id}#0": "a bare text",
        "c": "a chunk as it is",
    }
    assert retriever.search("bare")[0].chunk.text == "a bare text"


def test_a_long_document_becomes_chunks_that_together_are_its_text(retriever):
    retriever.add([Document("a", LONG)])
    chunks = retriever.collection.get([f"a#{number}" for number in range(100)])
    assert len(chunks) > 3
    assert " ".join(chunk.text for chunk in chunks) == LONG


def test_what_is_there_already_is_not_encoded_again(retriever, encoder):
    items = [Document("a", "one"), Document("b", "two", {"year": 1}), Chunk("c", "d", "three")]
    retriever.add(items)
    encoder.forget()
    assert retriever.add(items) == AddResult(skipped=3)
    assert encoder.documents == []


def test_changed_metadata_are_written_and_nothing_is_encoded(retriever, encoder):
    retriever.add([Document("a", "one", {"year": 1}), Chunk("c", "d", "three", metadata={"year": 1})])
    encoder.forget()
    result = retriever.add([Document("a", "one", {"year": 2}), Chunk("c", "d", "three", metadata={"year": 2})])
    assert result == AddResult(replaced=2)
    assert encoder.documents == []
    assert [chunk.metadata["year"] for chunk in retriever.collection.get(["a#0", "c"])] == [2, 2]
    assert retriever.collection.get_documents(["a"])[0].metadata == {"year": 2}


def test_a_changed_document_encodes_only_its_new_chunks(retriever, encoder):
    paragraphs = [" ".join(f"{name}{number}" for number in range(25)) for name in "abcd"]
    retriever.add([Document("a", "\n\n".join(paragraphs))])
    encoder.forget()
    result = retriever.add([Document("a", "\n\n".join(["in front", *paragraphs[:1], *paragraphs[2:]]))])
    assert result.added + result.replaced == len(stored(retriever))
    assert encoder.documents == [f"in front\n\n{paragraphs[0]}"]
    assert retriever.search("d0 d1 d2")[0].chunk.text == paragraphs[3]


def test_fewer_chunks_leave_none_behind(retriever):
    retriever.add([Document("a", LONG)])
    retriever.add([Document("a", "short")])
    assert stored(retriever) == {"a#0": "short"}


def test_the_same_id_twice_counts_once_where_the_content_is_equal(retriever, encoder):
    result = retriever.add([Document("a", "one"), Document("a", "one"), Chunk("c", "d", "x"), Chunk("c", "d", "x")])
    assert result == AddResult(added=2)
    assert sorted(encoder.documents) == ["one", "x"]


@pytest.mark.parametrize(
    ("on_conflict", "expected", "text"),
    [("replace", AddResult(added=1, replaced=1), "two"), ("skip", AddResult(added=1, skipped=1), "one")],
)
def test_the_same_id_twice_with_other_content_is_as_if_one_came_after_the_other(retriever, on_conflict, expected, text):
    assert retriever.add([Document("a", "one"), Document("a", "two")], on_conflict=on_conflict) == expected
    assert stored(retriever) == {"a#0": text}


def test_back_to_what_was_stored_before_is_written_last(retriever):
    """What the collection held when the call began must not hide the last of several versions."""
    retriever.add([Document("a", "one")])
    retriever.add([Document("a", "two"), Document("a", "one")])
    assert stored(retriever) == {"a#0": "one"}


def test_a_document_replaces_chunks_of_its_own_that_came_before_it(retriever):
    retriever.add([Chunk("mine", "a", "by hand"), Document("a", "one")])
    assert stored(retriever) == {"a#0": "one"}
    retriever.add([Document("a", "two"), Chunk("mine", "a", "by hand")])
    assert stored(retriever) == {"a#0": "two", "mine": "by hand"}


def test_skip_leaves_what_is_there_and_does_not_encode_it(retriever, encoder):
    retriever.add([Document("a", LONG), Chunk("c", "d", "x")])
    chunks = len(stored(retriever))
    encoder.forget()
    result = retriever.add([Document("a", "other"), Chunk("c", "d", "other"), "new"], on_conflict="skip")
    assert result == AddResult(added=1, skipped=chunks)
    assert encoder.documents == ["new"]


@pytest.mark.parametrize(
    "items",
    [
        ["fresh", Document("a", "other")],
        ["fresh", Chunk("c", "d", "other")],
        [Document("b", "one"), "fresh", Document("b", "two")],
    ],
)
def test_fail_writes_and_encodes_nothing(retriever, encoder, items):
    retriever.add([Document("a", "one"), Chunk("c", "d", "x")])
    before = stored(retriever)
    encoder.forget()
    with pytest.raises(ConflictError, match=r"'[abc]'.*nothing was written"):
        retriever.add(items, on_conflict="fail")
    assert stored(retriever) == before
    assert encoder.documents == []


def test_fail_writes_everything_where_nothing_is_in_the_way(retriever):
    assert retriever.add([Document("b", "one"), Chunk("x", "b", "two")], on_conflict="fail") == AddResult(added=2)


def test_documents_without_text_are_stored_and_logged(retriever, caplog):
    with caplog.at_level(logging.WARNING, "late_rag"):
        retriever.add([Document("empty", ""), Document("blank", " \n\t "), Chunk("c", "d", "")])
    assert {"empty#0", "blank#0", "c"} == set(stored(retriever))
    assert all(identity in caplog.text for identity in ("empty#0", "blank#0", "'c'"))
    assert retriever.search("anything") == []


def test_nul_becomes_a_space(retriever):
    retriever.add([Document("a", "one\0two"), Chunk("c", "d", "three\0four", embed_text="five\0six")])
    assert stored(retriever) == {"a#0": "one two", "c": "three four"}
    assert retriever.collection.get(["c"])[0].embed_text == "five six"


def test_a_million_characters(tmp_path):
    from late_rag.testing import HashEncoder

    with Retriever.create(None, HashEncoder(dim=8, document_length=512)) as retriever:
        text = "lorem ipsum " * 83_334
        retriever.add([Document("chunked", text), Chunk("whole", "whole", text)])
        assert retriever.info().chunks > 300
        (whole,) = retriever.collection.embeddings(["whole"]).values()
        assert len(whole) > 166_000


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ("one text", "put it in a list"),
        (Document("a", "one"), "put it in a list"),
        (None, "put it in a list"),
        (["good", 3], "item 1 .* not 3"),
        (["good", {"text": "x"}], "item 1 .*Document"),
        (["good \ud800"], "text 0 has a lone surrogate .U.D800. at character 5"),
        ([Document("a\udfff", "x")], "the id of item 0 has a lone surrogate"),
        ([Document("a", "x\udfff")], "document 'a' has a lone surrogate"),
        ([Document("a", 5)], "document 'a' must be a str, not int"),
        ([Chunk("", "d", "x")], "needs an id"),
        ([Chunk("c", "d", "x", embed_text="\ud800")], "the embed_text of chunk 'c' has a lone surrogate"),
    ],
)
def test_what_cannot_be_added_is_named_before_anything_happens(retriever, encoder, items, message):
    with pytest.raises(InputError, match=message):
        retriever.add(items)
    assert encoder.documents == []
    assert stored(retriever) == {}


def test_an_unknown_on_conflict(retriever):
    with pytest.raises(InputError, match="replace, skip, fail, not 'update'"):
        retriever.add(["x"], on_conflict="update")


def test_a_picture_for_a_model_of_texts(retriever, tmp_path):
    told = "has no text but a picture, and the model 'hash' reads only text; leave it out, give it a text, or take a "
    with pytest.raises(UnsupportedError, match=f"^chunk 'c' of document 'd' {told}model that reads it$"):
        retriever.add([Chunk("c", "d", "", media=(Media(b"...", "image/png"),))])
    with pytest.raises(UnsupportedError, match=r"^chunk 'd#0' of document 'd' \(.*logo\.png\) has no text"):
        retriever.add([Document("d", media=(Media(str(tmp_path / "logo.png"), "image/png"),))])


def test_a_stream_is_read_as_it_is_encoded(retriever):
    """Neither all items nor all chunks are ever in memory."""
    in_collection = []

    def documents() -> Iterator[Document]:
        for number in range(1000):
            if number % 100 == 0:
                in_collection.append(retriever.collection.count())
            yield Document(str(number), f"document number {number}")

    assert retriever.add(documents()).added == 1000
    assert all(before < after for before, after in itertools.pairwise(in_collection[1:]))


def test_what_progress_raises_stops_the_work_and_keeps_what_was_committed(retriever):
    steps: list[Progress] = []

    def stop(step: Progress) -> None:
        steps.append(step)
        if retriever.collection.count() > 100:
            raise CancelledError("enough")

    with pytest.raises(CancelledError, match="enough"):
        retriever.add([f"document number {number}" for number in range(3000)], progress=stop)
    kept = retriever.collection.count()
    assert 100 < kept < 3000
    assert retriever.add([f"document number {number}" for number in range(3000)]) == AddResult(3000 - kept, 0, kept)


def test_progress_ends_with_all_of_all(retriever):
    steps: list[Progress] = []
    retriever.add([f"document number {number}" for number in range(300)], progress=steps.append)
    assert steps[-1] == Progress("encode", 300, 300, "chunks")
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert all(step.total is not None and step.total >= step.done for step in steps)


CHUNKS = st.tuples(st.sampled_from(["a#0", "a+", "b#1", "b+"]), st.sampled_from(["three", "four"]))
ITEMS = st.one_of(
    st.builds(Document, st.sampled_from("ab"), st.sampled_from(["one", "two two", LONG])),
    CHUNKS.map(lambda chunk: Chunk(chunk[0], chunk[0][0], chunk[1])),
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ITEMS, max_size=8), st.sampled_from(["replace", "skip"]))
def test_together_is_as_one_after_the_other(encoder, items, on_conflict):
    with Retriever.create(None, encoder) as together, Retriever.create(None, encoder) as apart:
        together.add(iter(items), on_conflict=on_conflict)
        for item in items:
            apart.add([item], on_conflict=on_conflict)
        assert stored(together) == stored(apart)
        for identity, embeddings in apart.collection.embeddings(list(stored(apart))).items():
            assert (together.collection.embeddings([identity])[identity] == embeddings).all()
        assert together.delete(Selection(document_ids=("a", "b"))) == len(stored(apart))


def test_a_passage_that_is_written_again_keeps_its_place(retriever, encoder):
    words = ("one", "two", "three", "four")
    retriever.add([Chunk(word, "d", f"The {word}.") for word in words])
    retriever.add([Chunk("alone", "alone", "Nothing else.")])
    before = retriever.collection.embeddings(words)
    encoder.documents.clear()
    retriever.add([Chunk("five", "d", "The five."), Chunk("two", "d", "The second.")])
    assert sorted(encoder.documents) == ["The five.", "The second."]
    found = [chunk.id for batch in retriever.collection.iterate() for chunk, _ in batch if chunk.document_id == "d"]
    assert found == [*words, "five"]
    after = retriever.collection.embeddings(words)
    assert all((after[word] == before[word]).all() for word in words if word != "two")
    (hit,) = retriever.search("four", top_k=1, expand="document")
    assert [hit.context.index(word) for word in ("one", "second", "three", "four", "five")] == sorted(
        hit.context.index(word) for word in ("one", "second", "three", "four", "five")
    )
    assert retriever.collection.verify().ok
