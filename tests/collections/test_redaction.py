"""What was deleted or replaced is gone: from the stored text of its document, exports and copies, and the disk."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag import Retriever, open_collection
from late_rag.collections.kit.redaction import BLOT, without
from late_rag.testing import HashEncoder
from late_rag.transfer import copy_collection, export_jsonl, import_jsonl
from late_rag.types import Chunk, Document

SECRET = "zyzzyva"
PARAGRAPHS = ["The first one is open.", f"The second one tells of the {SECRET}.", "The third one is open again."]
TEXT = "---\ntitle: front\n---\n" + "\n\n".join(PARAGRAPHS)


def chunks_of(*, spans: bool) -> list[Chunk]:
    chunks = []
    for number, paragraph in enumerate(PARAGRAPHS):
        start = TEXT.index(paragraph)
        place = (start, start + len(paragraph)) if spans else (None, None)
        chunks.append(Chunk(f"d#{number}", "d", paragraph, None, *place, metadata={"number": number}))
    return chunks


def filled(location: Path, *, spans: bool = True) -> Retriever:
    retriever = Retriever.create(location, HashEncoder())
    chunks = chunks_of(spans=spans)
    retriever.collection.add(chunks, list(HashEncoder().encode_documents(chunks)), [Document("d", TEXT)])
    retriever.add([Document("other", "Something else.")])
    return retriever


def remove(retriever: Retriever, how: str) -> None:
    (before,) = retriever.collection.get(["d#1"])
    if how == "deleted":
        retriever.delete(["d#1"])
    elif how == "filtered":
        retriever.delete(filter="number == 1")
    elif how == "replaced":
        retriever.add([replace(before, text="Redacted.", start=None, end=None)])
    elif how == "overwritten":
        retriever.add([replace(before, text="The second one is redacted now.")])
    else:  # it becomes a passage of another document
        retriever.add([replace(before, document_id="other", text="Moved.")])


WAYS = ("deleted", "filtered", "replaced", "overwritten", "moved")


def everything_told(retriever: Retriever, folder: Path) -> Iterator[str]:
    """All that a collection gives back of itself."""
    collection = retriever.collection
    yield from (repr(chunk) for batch in collection.iterate() for chunk in batch)
    yield from (repr(document) for batch in collection.iterate_documents() for document in batch)
    yield repr(collection.get_documents(["d", "other"]))
    lines: list[str] = []
    export_jsonl(collection, lines.append, embeddings=True)
    yield from lines
    import_jsonl(BytesIO("".join(lines).encode()), folder / "imported.rag")
    copy_collection(collection, folder / "copied.rag")
    for name in ("imported.rag", "copied.rag"):
        with open_collection(folder / name) as other:
            yield repr(other.get_documents(["d", "other"]))


@pytest.mark.parametrize("spans", [True, False])
@pytest.mark.parametrize("how", WAYS)
def test_a_passage_that_is_gone_is_gone_from_its_document(tmp_path, how, spans):
    with filled(tmp_path / "c.rag", spans=spans) as retriever:
        assert SECRET in "".join(everything_told(retriever, tmp_path))
        remove(retriever, how)
        (tmp_path / "after").mkdir()
        assert SECRET not in "".join(everything_told(retriever, tmp_path / "after"))
        (document,) = retriever.collection.get_documents(["d"])
        assert len(document.text) == len(TEXT)
        if spans:
            assert document.text == TEXT.replace(PARAGRAPHS[1], BLOT * len(PARAGRAPHS[1]))
        assert retriever.collection.document_hashes(["d"]) == {"d": document.content_hash}
        assert retriever.collection.verify().ok


@pytest.mark.parametrize("how", WAYS)
def test_after_optimize_nothing_of_it_is_left_on_the_disk(tmp_path, how):
    with filled(tmp_path / "c.rag") as retriever:
        assert on_disk(tmp_path / "c.rag", SECRET)
        remove(retriever, how)
        retriever.collection.optimize()
        assert not on_disk(tmp_path / "c.rag", SECRET)


def on_disk(folder: Path, word: str) -> list[Path]:
    """The files that hold the word, or most of it: the full text keeps what its terms have in common once."""
    parts = [word.encode(), word[:-1].encode(), word[2:].encode()]
    return [path for path in folder.rglob("*") if path.is_file() and any(part in path.read_bytes() for part in parts)]


def test_other_metadata_or_the_same_text_blot_nothing_out(tmp_path):
    with filled(tmp_path / "c.rag") as retriever:
        retriever.update_metadata(["d#1"], {"number": 5})
        retriever.add([replace(chunk, metadata={"number": 6}) for chunk in chunks_of(spans=True)])
        assert retriever.collection.get_documents(["d"])[0].text == TEXT


def test_what_is_added_again_is_whole_again(tmp_path):
    with Retriever.create(tmp_path / "c.rag", HashEncoder(document_length=33)) as retriever:
        document = Document("d", ". ".join(f"This is sentence {number} of the document" for number in range(20)))
        retriever.add([document])
        assert retriever.collection.count() > 1
        retriever.delete(["d#1"])
        assert retriever.add([document]).skipped == 0
        assert retriever.collection.get_documents(["d"]) == [document]
        assert retriever.add([document]).added == 0


places = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=8)


@settings(max_examples=300, deadline=None)
@given(text=st.text("ab \n", max_size=60), gone=places, left=places, lost=st.booleans())
def test_every_character_of_what_is_gone_is_blotted_out_and_none_that_is_shown(text, gone, left, lost):
    def passages(spans):
        return [("d", start, start + length, text[start : start + length]) for start, length in spans]

    exact_gone = [passage for passage in passages(gone) if passage[2] <= len(text)]
    exact_left = [passage for passage in passages(left) if passage[2] <= len(text)]
    after = without(text, [*exact_gone, *([("d", None, None, "elsewhere")] if lost else [])], exact_left)
    shown = {place for _, start, end, _ in exact_left for place in range(start, end)}
    meant = set(range(len(text))) if lost else {p for _, start, end, _ in exact_gone for p in range(start, end)}
    assert len(after) == len(text)
    for place, (old, new) in enumerate(zip(text, after, strict=True)):
        if place in shown or place not in meant:
            assert new == old
        else:
            assert new == BLOT or old.isspace()


def text_of(words: list[str]) -> str:
    return ". ".join(" ".join(words[at : at + 6]) for at in range(0, len(words), 6))


def left_over(retriever: Retriever, turn: int, chance: random.Random) -> set[str]:
    """Adds a document, deletes some passages of any; the words that nothing shows and a stored text still has."""
    retriever.add([Document(f"d{turn % 7}", text_of([f"s{turn}x{number}" for number in range(300)]))])
    chunks = [chunk for batch in retriever.collection.iterate() for chunk, _ in batch]
    gone = chance.sample(chunks, min(5, len(chunks)))
    retriever.delete([chunk.id for chunk in gone])
    shown = " ".join(chunk.text for batch in retriever.collection.iterate() for chunk, _ in batch)
    stored = " ".join(document.text for batch in retriever.collection.iterate_documents() for document, _ in batch)
    return (set(" ".join(chunk.text for chunk in gone).split()) - set(shown.split())) & set(stored.split())


def test_deletes_beside_adds_leave_nothing(tmp_path):
    chance = random.Random(5)
    with Retriever.create(tmp_path / "c.rag", HashEncoder(document_length=33)) as retriever:
        for turn in range(20):
            assert not left_over(retriever, turn, chance)


@pytest.mark.slow
def test_thousands_of_deletes_beside_adds_leave_nothing(tmp_path):
    chance = random.Random(6)
    with Retriever.create(tmp_path / "c.rag", HashEncoder(document_length=33)) as retriever:
        for turn in range(600):
            assert not left_over(retriever, turn, chance)
