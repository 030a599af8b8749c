"""The document splitter and the converter."""

from __future__ import annotations

import copy
import logging
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from haystack import Document
from haystack.components.preprocessors import DocumentSplitter
from haystack.dataclasses import ByteStream
from haystack.document_stores.in_memory import InMemoryDocumentStore

from haystack_integrations.components.converters.late_rag import LateInteractionConverter
from haystack_integrations.components.preprocessors.late_rag import LateInteractionDocumentSplitter
from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from late_rag import load
from late_rag.chunkers import load_chunker
from late_rag.encoders import load_encoder
from late_rag.errors import InputError, LoadError
from late_rag.types import Document as CoreDocument

GUIDE = "# Leave\n\n" + "Thirty days of leave a year. " * 20 + "\n\n# Parking\n\n" + "Parking is free. " * 20
MARKDOWN = {"mime_type": "text/markdown"}
PAGES = "First page. " * 30 + "\f" + "Second page. " * 30 + "\f\f" + "Fourth page. " * 30
PIXEL = bytes.fromhex("89504e470d0a1a0a")


def split(document: Document, **options: Any) -> list[Document]:
    return LateInteractionDocumentSplitter(**options).run([document])["documents"]


def test_the_splitter_gives_the_cores_passages() -> None:
    chunks = load_chunker({"kind": "auto", "max_tokens": 64}, load_encoder("minilm"))(
        CoreDocument("guide", GUIDE, MARKDOWN)
    )
    passages = split(Document(id="guide", content=GUIDE, meta=MARKDOWN), max_tokens=64)
    assert [((passage.content or "").strip(), passage.meta["split_idx_start"]) for passage in passages] == [
        (chunk.text, chunk.start) for chunk in chunks
    ]
    assert [passage.id for passage in passages] == [f"guide#{number}" for number in range(len(passages))]
    assert {passage.meta["heading"] for passage in passages} == {"Leave", "Parking"}
    assert len(passages) > 4


def test_passages_say_where_they_are_as_those_of_haystacks_splitter_do() -> None:
    document = Document(id="pages", content=PAGES, meta={"year": 2020, "tags": ["a"]})
    theirs = DocumentSplitter(split_by="word", split_length=20, split_overlap=5).run([document])["documents"]
    ours = split(document, max_tokens=40, overlap=10)
    assert len(ours) > 5
    for passage in ours:
        start = passage.meta["split_idx_start"]
        assert PAGES[start:][: len(passage.content or "")] == passage.content
        assert passage.meta["page_number"] == 1 + PAGES[:start].count("\f")
        assert theirs[0].meta.keys() <= passage.meta.keys()
        assert (passage.meta["source_id"], passage.meta["year"]) == ("pages", 2020)
    assert [passage.meta["split_id"] for passage in ours] == list(range(len(ours)))
    assert {passage.meta["page_number"] for passage in ours} == {1, 2, 4}
    assert all("page" not in passage.meta for passage in ours)


def test_overlaps_are_told_on_both_sides() -> None:
    passages = split(Document(id="leave", content="Thirty days of leave a year. " * 40), max_tokens=48, overlap=16)
    texts = {passage.id: passage.content or "" for passage in passages}
    shared = 0
    for one, following in pairwise(passages):
        (before,) = [each for each in following.meta["_split_overlap"] if each["doc_id"] == one.id]
        (after,) = [each for each in one.meta["_split_overlap"] if each["doc_id"] == following.id]
        text = texts[one.id][slice(*before["range"])]
        assert text == texts[following.id][slice(*after["range"])] != ""
        shared += 1
    assert shared > 3
    assert "_split_overlap" not in split(Document(content=GUIDE))[0].meta


async def test_documents_stay_as_they_are_and_the_async_twin_gives_the_same() -> None:
    documents = [Document(content=GUIDE, meta={"tags": ["a"]}), Document(content="Short.")]
    before = copy.deepcopy(documents)
    splitter = LateInteractionDocumentSplitter(max_tokens=64)
    found = splitter.run(documents)["documents"]
    assert await splitter.run_async(documents) == {"documents": found}
    found[0].meta["tags"].append("b")
    assert documents == before
    assert found[1].meta["tags"] == ["a"]
    assert found[-1].content == "Short."


def test_what_cannot_be_split(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert split(Document(id="empty", content="")) == []
    assert "'empty'" in caplog.text
    with pytest.raises(InputError, match="max_tokens"):
        LateInteractionDocumentSplitter("no such model", max_tokens=3)


async def test_the_converter_gives_the_cores_documents(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Leave\n\nThirty days.")
    (tmp_path / "b.csv").write_text("text,year\nParking is free.,2020\nLunch is at noon.,2021\n")
    expected = [document for file in load(tmp_path) for document in file.documents]
    converter = LateInteractionConverter()
    found = converter.run([tmp_path])["documents"]
    assert [(document.id, document.content) for document in found] == [(each.id, each.text) for each in expected]
    assert [document.meta["file_path"] for document in found] == ["a.md", "b.csv", "b.csv"]
    assert [document.meta.get("year") for document in found] == [None, 2020, 2021]
    assert await converter.run_async([str(tmp_path / "a.md"), tmp_path / "b.csv"]) == {"documents": found}
    (first, *_) = LateInteractionConverter(store_full_path=True).run([str(tmp_path / "a.md")])["documents"]
    assert first.meta["file_path"] == str(tmp_path / "a.md")


def test_metadata_of_all_and_of_each(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text(name)
    sources: list[str | Path | ByteStream] = [tmp_path / "a.txt", tmp_path / "b.txt"]
    converter = LateInteractionConverter()
    given = {"mime_type": "mine"}
    assert [each.meta["mime_type"] for each in converter.run(sources, given)["documents"]] == ["mine", "mine"]
    assert [each.meta.get("n") for each in converter.run(sources, [{"n": 1}, {}])["documents"]] == [1, None]
    assert given == {"mime_type": "mine"}
    with pytest.raises(ValueError, match="length"):
        converter.run(sources, [{}])


@pytest.mark.parametrize(
    "stream",
    [
        ByteStream(b"# Leave\n\nThirty days.", mime_type="text/markdown"),
        ByteStream(b"# Leave\n\nThirty days.", meta={"file_path": "/elsewhere/a.md"}),
        ByteStream(b"# Leave\n\nThirty days.", meta={"file_name": "a.md"}, mime_type="application/octet-stream"),
    ],
)
def test_bytes(stream: ByteStream) -> None:
    (found,) = LateInteractionConverter().run([stream], {"n": 1})["documents"]
    assert found.content == "# Leave\n\nThirty days."
    assert (found.meta["mime_type"], found.meta["title"], found.meta["n"]) == ("text/markdown", "Leave", 1)
    assert found.meta.get("file_path") in (None, "a.md")
    assert found == LateInteractionConverter().run([stream], {"n": 1})["documents"][0]


def test_a_pdf_has_form_feeds_between_its_pages_and_passages_know_theirs(repository: Path) -> None:
    path = repository / "cookbooks/data/xquad-en/articles/science/force.pdf"
    stream = ByteStream.from_file_path(path, mime_type="application/pdf")
    (from_file,), (from_bytes,) = (LateInteractionConverter().run([each])["documents"] for each in (path, stream))
    assert from_file.content == from_bytes.content
    assert from_file.blob is None
    pages = {passage.meta["page_number"] for passage in split(from_file)}
    assert pages == set(range(1, 2 + (from_file.content or "").count("\f")))
    assert len(pages) > 1


def test_a_picture_is_a_blob(tmp_path: Path) -> None:
    (tmp_path / "pixel.png").write_bytes(PIXEL)
    stream = ByteStream(PIXEL, mime_type="image/png")
    for source in (tmp_path / "pixel.png", stream):
        (picture,) = LateInteractionConverter().run([source])["documents"]
        assert picture.content is None
        assert picture.blob == ByteStream(PIXEL, mime_type="image/png")


def test_what_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.txt").write_text("Second.")
    sources: list[str | Path | ByteStream] = [tmp_path / "a.json", tmp_path / "gone.txt", ByteStream(b"?"), tmp_path]
    with caplog.at_level(logging.WARNING):
        assert [each.content for each in LateInteractionConverter().run(sources)["documents"]] == ["Second."]
    for named in ("a.json", "gone.txt", "mime_type None"):
        assert named in caplog.text
    for source, kind in zip(sources, (LoadError, InputError, InputError, LoadError), strict=True):
        with pytest.raises(kind):
            LateInteractionConverter(raise_on_failure=True).run([source])


def test_fields_of_records(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"q": "Who?", "a": "The head.", "n": 1}\n')
    fields = {"text": ["q", "a"], "metadata": ["n"]}
    (found,) = LateInteractionConverter(record_fields=fields).run([tmp_path / "a.jsonl"])["documents"]
    assert found.content == "Who?\nThe head."
    assert found.meta["n"] == 1
    with pytest.raises(InputError, match="text"):
        LateInteractionConverter(record_fields={"text": [3]})


def test_both_are_what_their_dictionary_says() -> None:
    splitter = LateInteractionDocumentSplitter("minilm", kind="recursive", max_tokens=64, overlap=8, headings=False)
    converter = LateInteractionConverter(store_full_path=True, record_fields={"key": "n"})
    for made in (splitter, converter):
        data = made.to_dict()
        assert type(made).from_dict(copy.deepcopy(data)).to_dict() == data
        assert copy.deepcopy(made).to_dict() == data
    assert splitter.to_dict()["init_parameters"]["overlap"] == 8


def test_dates_of_a_file_are_texts_that_haystack_filters(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("---\ndate: 2024-05-01\n---\n# Travel\n\nA page.\n")
    documents = LateInteractionConverter().run([tmp_path / "a.md"])["documents"]
    after = {"field": "meta.date", "operator": ">", "value": "2024-04-30"}
    ours, haystacks = LateInteractionDocumentStore(), InMemoryDocumentStore()
    for store in (ours, haystacks):
        store.write_documents(documents)
        assert len(store.filter_documents(after)) == 1
    haystacks.save_to_disk(str(tmp_path / "saved.json"))
    assert len(ours.filter_documents({**after, "value": datetime(2024, 5, 2)})) == 0
