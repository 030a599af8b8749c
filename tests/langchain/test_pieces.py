"""The text splitter, the loader, and what becomes of pictures and pages."""

from __future__ import annotations

import base64
import inspect
import threading
from datetime import date
from pathlib import Path

import pytest
from langchain_core.documents import Document
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_text_splitters import TextSplitter

from langchain_late_rag import (
    HitFields,
    LateInteractionLoader,
    LateInteractionRetriever,
    LateInteractionTextSplitter,
    LateInteractionVectorStore,
)
from langchain_late_rag.blocks import content_blocks, media_of
from langchain_late_rag.documents import from_hit, to_document
from langchain_late_rag.inputs import prepared
from late_rag import Retriever, Selection, load
from late_rag.chunkers import load_chunker
from late_rag.encoders import load_encoder
from late_rag.errors import InputError, LoadError
from late_rag.testing import PictureEncoder
from late_rag.types import Chunk, Hit, Media
from late_rag.types import Document as CoreDocument

GUIDE = "# Leave\n\n" + "Thirty days of leave a year. " * 20 + "\n\n# Parking\n\n" + "Parking is free. " * 20
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def test_the_splitter_gives_the_cores_passages() -> None:
    options = {"kind": "auto", "max_tokens": 64, "overlap": 16}
    chunks = list(load_chunker(options, load_encoder("minilm"))(CoreDocument(text=GUIDE)))
    splitter = LateInteractionTextSplitter(max_tokens=64, overlap=16, add_start_index=True)
    assert splitter.split_text(GUIDE) == [chunk.text for chunk in chunks]
    passages = splitter.split_documents([Document(page_content=GUIDE)])
    assert [passage.metadata["start_index"] for passage in passages] == [chunk.start for chunk in chunks]
    assert len(passages) > 4
    for passage in passages:
        start = passage.metadata["start_index"]
        assert GUIDE[start:][: len(passage.page_content)] == passage.page_content


def test_passages_have_a_copy_of_the_metadata_and_an_id_where_the_document_has_one() -> None:
    document = Document(id="guide", page_content=GUIDE, metadata={"tags": ["a"]})
    first, *rest = LateInteractionTextSplitter(max_tokens=64).split_documents([document])
    first.metadata["tags"].append("b")
    assert document.metadata == {"tags": ["a"]}
    assert all(passage.metadata["tags"] == ["a"] for passage in rest)
    assert [first.id, rest[0].id] == ["guide#0", "guide#1"]
    plain = LateInteractionTextSplitter(add_start_index=False).split_documents([document])
    assert "start_index" not in plain[0].metadata
    named = LateInteractionTextSplitter().create_documents(["One.", "Two."], [{"n": 1}, {"n": 2}])
    assert [(passage.id, passage.page_content, passage.metadata["n"]) for passage in named] == [
        (None, "One.", 1),
        (None, "Two.", 2),
    ]


async def test_the_splitter_has_what_langchains_have(tmp_path: Path) -> None:
    public = {"split_text", "create_documents", "split_documents", "transform_documents", "atransform_documents"}
    for name in public:
        theirs = inspect.signature(getattr(TextSplitter, name)).parameters
        ours = inspect.signature(getattr(LateInteractionTextSplitter, name)).parameters
        assert [p.kind for p in ours.values()] == [p.kind for p in theirs.values()], name
    splitter, document = LateInteractionTextSplitter(max_tokens=64), Document(page_content=GUIDE)
    assert await splitter.atransform_documents([document]) == splitter.split_documents([document])
    (tmp_path / "guide.md").write_text(GUIDE)
    loader = LateInteractionLoader(tmp_path)
    assert loader.load_and_split(splitter) == splitter.split_documents(loader.load())  # type: ignore[arg-type]


def test_a_splitter_refuses_what_cannot_be_before_a_model_is_loaded() -> None:
    with pytest.raises(InputError, match="max_tokens"):
        LateInteractionTextSplitter("no such model", max_tokens=3)


async def test_the_loader_gives_the_cores_documents(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Leave\n\nThirty days.")
    (tmp_path / "b.csv").write_text("text,year\nParking is free.,2020\nLunch is at noon.,2021\n")
    loader = LateInteractionLoader(tmp_path)
    expected = [(file.location, document) for file in load(tmp_path) for document in file.documents]
    found = loader.load()
    assert [(document.metadata["source"], document.id, document.page_content) for document in found] == [
        (location, document.id, document.text) for location, document in expected
    ]
    assert len(found) == 3
    assert await loader.aload() == found
    assert LateInteractionLoader([tmp_path / "a.md"]).load()[0].page_content == found[0].page_content


def test_the_loader_is_lazy_and_keeps_a_source_of_the_documents_own(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"text": "Parking is free.", "source": "the landlord"}]')
    (tmp_path / "b.txt").write_text("Second.")
    documents = LateInteractionLoader(tmp_path, as_="handbook").lazy_load()
    first = next(documents)
    assert first.metadata["source"] == "the landlord"
    assert first.metadata["late_rag_source"] == "handbook/a.json"
    (tmp_path / "b.txt").write_text("Changed before it was its turn.")
    assert next(documents).page_content == "Changed before it was its turn."


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.txt").write_text("Second.")
    assert [document.page_content for document in LateInteractionLoader(tmp_path).load()] == ["Second."]
    with pytest.raises(LoadError, match=r"a\.json"):
        LateInteractionLoader(tmp_path, strict=True).load()
    with pytest.raises(InputError, match="not-there"):
        LateInteractionLoader(tmp_path / "not-there").load()


async def test_files_are_parsed_in_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from late_rag.loaders.text import TextLoader
    from late_rag.loading import LoadOptions

    (tmp_path / "a.txt").write_text("First.")
    threads, parse = set(), TextLoader.__call__

    def watched(self: TextLoader, path: Path, options: LoadOptions) -> object:
        threads.add(threading.get_ident())
        return parse(self, path, options)

    monkeypatch.setattr(TextLoader, "__call__", watched)
    assert [document.page_content async for document in LateInteractionLoader(tmp_path).alazy_load()] == ["First."]
    assert threads
    assert threading.get_ident() not in threads


def test_what_is_loaded_has_metadata_of_json(tmp_path: Path) -> None:
    front = "---\ndate: 2024-05-01\nseen: [2024-05-02T10:00:00Z]\nby: {on: 2024-05-03}\n---\n# Leave\n\nThirty days.\n"
    (tmp_path / "leave.md").write_text(front)
    (document,) = loaded = LateInteractionLoader(tmp_path).load()
    assert document.metadata["date"] == "2024-05-01"
    assert document.metadata["seen"] == ["2024-05-02T10:00:00+00:00"]
    assert document.metadata["by"] == {"on": "2024-05-03"}
    records = InMemoryRecordManager("tests")
    records.create_schema()
    with LateInteractionVectorStore() as store:
        assert index(loaded, records, store, key_encoder="blake2b")["num_added"] == 1
        assert store.similarity_search("leave", filter="date > 2024-04-30 and by.on < 2024-06-01")
        assert store.similarity_search("leave", filter={"date": {"$gt": date(2024, 5, 1)}}) == []


def test_a_picture_is_a_content_block(tmp_path: Path) -> None:
    (tmp_path / "pixel.png").write_bytes(PIXEL)
    (picture,) = LateInteractionLoader(tmp_path).load()
    (block,) = picture.metadata["content_blocks"]
    assert (block["type"], block["mime_type"], base64.b64decode(block["base64"])) == ("image", "image/png", PIXEL)
    (media,) = media_of(picture.metadata)
    assert media.read() == PIXEL
    assert "content_blocks" not in to_document(picture).metadata


@pytest.mark.parametrize("way", ["store", "async", "retriever", "split"])
async def test_a_picture_that_the_model_does_not_read_is_kept_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    (tmp_path / "pixel.png").write_bytes(PIXEL)
    (picture,) = LateInteractionLoader(tmp_path).load()
    documents, location = [picture, Document(id="text", page_content="Thirty days of leave.")], tmp_path / "made.rag"
    store = LateInteractionVectorStore(location)
    if way == "split":
        documents = LateInteractionTextSplitter().split_documents(documents)
    if way == "async":
        await store.aadd_documents(documents)
    elif way == "retriever":
        LateInteractionRetriever.from_documents(documents, location)
    else:
        store.add_documents(documents)
    (warning,) = [message for message in caplog.messages if "no search will find it" in message]
    assert f"chunk {documents[0].id!r}" in warning
    assert "pixel.png" in warning
    assert store.get_by_ids([str(documents[0].id)]) == [documents[0]]
    assert [document.page_content for document in store.similarity_search("leave")] == ["Thirty days of leave."]
    caplog.clear()
    store.add_documents(store.get_by_ids([str(document.id) for document in documents]))
    assert caplog.messages == []  # nothing is changed by writing back what was read
    assert store.get_by_ids([str(documents[0].id)]) == [documents[0]]


def test_a_picture_is_for_the_model_where_that_reads_pictures() -> None:
    picture = Document("", id="a", metadata={"content_blocks": content_blocks([Media(PIXEL, "image/png")])})
    text = Document("Thirty days of leave.", id="b")
    with Retriever.create(None, PictureEncoder()) as core:
        (stored, _) = prepared(core, [to_document(picture), to_document(text)])
        assert stored.media == (Media(PIXEL, "image/png"),)
        assert "base64" not in repr(stored.extra)


def test_pictures_beside_a_text_are_stored_and_found_again() -> None:
    blocks = content_blocks([Media(PIXEL, "image/png")])
    page = Document(page_content="The plan of the car park.", metadata={"floor": 1, "content_blocks": blocks})
    plain = LateInteractionRetriever.from_documents([page])
    assert "content_blocks" not in plain.invoke("car park")[0].metadata
    shown = LateInteractionRetriever(collection=plain.collection, fields=HitFields(media="content_blocks"))
    (found,) = shown.invoke("car park")
    assert found.metadata["content_blocks"] == blocks
    assert found.metadata["floor"] == 1


def test_pages_of_a_pdf_are_pictures_where_they_are_asked_for(repository: Path) -> None:
    pages = repository / "cookbooks/data/xquad-en/articles/science/force.pdf"
    (plain,) = LateInteractionLoader(pages).load()
    (shown,) = LateInteractionLoader(pages, content_blocks=True).load()
    assert "content_blocks" not in plain.metadata
    blocks = shown.metadata["content_blocks"]
    assert len(blocks) > 1
    assert {(block["type"], block["mime_type"]) for block in blocks} == {("image", "image/png")}
    assert all(base64.b64decode(block["base64"]).startswith(b"\x89PNG") for block in blocks)


def test_a_picture_of_a_page_goes_with_the_passages_of_the_page(repository: Path) -> None:
    pages = repository / "cookbooks/data/xquad-en/articles/science/force.pdf"
    (document,) = LateInteractionLoader(pages, content_blocks=True).load()
    blocks = document.metadata["content_blocks"]
    assert [block["extras"] for block in blocks] == [{"page": 1}, {"page": 2}, {"page": 3}]
    split = LateInteractionTextSplitter(max_tokens=200).split_documents([document])
    assert {passage.metadata["page"] for passage in split} == {1, 2, 3}
    for passage in split:
        assert passage.metadata["content_blocks"] == [blocks[passage.metadata["page"] - 1]]
    with LateInteractionVectorStore.from_documents(split[:1]) as store:
        assert store.get_by_ids([str(split[0].id)]) == store.similarity_search("force") == split[:1]
    scanned = Document("", id="scan", metadata={"mime_type": "application/pdf", "content_blocks": blocks})
    parts = LateInteractionTextSplitter().split_documents([scanned])
    assert [part.metadata["content_blocks"] for part in parts] == [[block] for block in blocks]


def test_other_pictures_go_with_the_first_passage() -> None:
    large = {"type": "image", "base64": base64.b64encode(PIXEL * 1000).decode(), "mime_type": "image/png"}
    words = {"type": "text", "text": "said"}
    document = Document(GUIDE, id="d", metadata={"content_blocks": [words, large]})
    first, *others = LateInteractionTextSplitter(max_tokens=64).split_documents([document])
    assert first.metadata["content_blocks"] == [words, large]
    assert others
    assert all(passage.metadata["content_blocks"] == [words] for passage in others)
    assert document.metadata["content_blocks"] == [words, large]


def test_blocks_come_back_as_they_were() -> None:
    said, url = {"type": "text", "text": "A plan."}, {"type": "image", "url": "https://x.org/a.png"}
    picture = content_blocks([Media(PIXEL, "image/png")])[0] | {"id": "mine", "extras": {"detail": "high", "n": [1]}}
    sound = {"type": "audio", "base64": "c291bmQ=", "mime_type": "audio/mpeg"}
    mixed = Document("A plan of the car park.", id="mixed", metadata={"content_blocks": [picture, said, sound, url]})
    alone = Document("", id="alone", metadata={"content_blocks": [picture, url, sound]})
    with LateInteractionVectorStore() as store:
        store.add_documents([mixed, alone])
        assert store.get_by_ids(["mixed", "alone"]) == [mixed, alone]
        assert store.similarity_search("car park") == [mixed]
        (found,) = LateInteractionRetriever(
            collection=store._holder.retriever().collection, fields=HitFields(media="shown"), k=1
        ).invoke("car park")
        assert [block["type"] for block in found.metadata["shown"]] == ["image", "audio"]
        store._holder.retriever().collection.update_metadata(Selection(ids=("mixed",)), {"content_blocks": []})
        assert store.get_by_ids(["mixed"])[0].metadata["content_blocks"] == [picture, sound]


@pytest.mark.parametrize(
    "beside", [3, {"content_blocks": 3}, {"content_blocks": [3]}, {"content_blocks": [{"type": "image"}] * 2}]
)
def test_what_others_wrote_beside_a_chunk_hides_no_picture(beside: object) -> None:
    """A collection may come from anywhere, and one chunk of it must not end a search."""
    picture = Media(b"x", "image/png")
    chunk = Chunk("a", "a", "text", media=(picture,), extra={"langchain": beside})
    (block,) = from_hit(Hit(chunk, 1.0, 1.0), HitFields(media="content_blocks")).metadata["content_blocks"]
    assert (block["base64"], block["mime_type"]) == ("eA==", "image/png")
    bare = Chunk("a", "a", "text", extra={"langchain": beside})
    assert "content_blocks" not in from_hit(Hit(bare, 1.0, 1.0), HitFields(media="content_blocks")).metadata


def test_content_blocks_of_every_kind(tmp_path: Path) -> None:
    (tmp_path / "sound.mp3").write_bytes(b"sound")
    media = [
        Media(str(tmp_path / "sound.mp3"), "audio/mpeg"),
        Media(b"film", "video/mp4"),
        Media(b"pages", "application/pdf"),
    ]
    blocks = content_blocks(media)
    assert [block["type"] for block in blocks] == ["audio", "video", "file"]
    assert [base64.b64decode(block["base64"]) for block in blocks] == [b"sound", b"film", b"pages"]
    assert content_blocks(media) == blocks
    with pytest.raises(LoadError, match="gone"):
        content_blocks([Media(str(tmp_path / "gone.png"), "image/png")])


def test_a_content_block_without_data_is_metadata_and_one_with_broken_data_is_refused() -> None:
    block = {"type": "image", "url": "https://x.org/a.png"}
    elsewhere = Document(page_content="A plan.", id="plan", metadata={"content_blocks": [block]})
    assert to_document(elsewhere).metadata == {"content_blocks": [block]}
    with LateInteractionVectorStore() as store:
        store.add_documents([elsewhere])
        assert store.get_by_ids(["plan"]) == store.similarity_search("plan") == [elsewhere]
    for data in ("???", None, 1):
        broken = Document(page_content="", metadata={"content_blocks": [{**block, "base64": data}]})
        with pytest.raises(InputError, match=r"x\.org/a\.png'} needs its data as base64, and a mime_type"):
            to_document(broken)
    other = Document(page_content="Mine.", metadata={"content_blocks": "of my own"})
    assert to_document(other).metadata == {"content_blocks": "of my own"}


def test_ids_of_documents() -> None:
    one, two = (Document(page_content="Same.", metadata={"n": n}) for n in (1, 2))
    assert to_document(one).id == to_document(Document(page_content="Same.", metadata={"n": 1})).id
    assert to_document(one).id != to_document(two).id
    assert to_document(Document(id="own", page_content="Same.")).id == "own"
    assert to_document(Document(id="own", page_content="Same."), "given").id == "given"


def test_a_hit_says_where_its_text_came_from(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "leave.md").write_text("# Leave\n\nThirty days.\n\n# Parking\n\nIt is free.\n")
    location = tmp_path / "rules.rag"
    with Retriever.open(location, create=True) as filled:
        filled.sync(tmp_path / "rules", as_="rules")
    (found,) = LateInteractionRetriever(collection=location, k=1, expand="document").invoke("days of leave")
    assert found.metadata["source"] == "rules/leave.md"
    assert found.metadata["context"].endswith("It is free.\n")
    assert "It is free." not in found.page_content
    assert found.metadata["document_id"] != found.metadata["chunk_id"] == found.id


def test_none_leaves_a_field_out() -> None:
    hit = Hit(Chunk("c", "d", "Text.", metadata={"n": 1}), 2.0, 0.5, context="Around.", fused=0.1)
    everything_off = HitFields(score=None, similarity=None, chunk_id=None, document_id=None, source=None, context=None)
    assert from_hit(hit, everything_off).metadata == {"n": 1}
    assert from_hit(hit).metadata.keys() == {"n", "chunk_id", "document_id", "context"}
    assert hit.chunk.metadata == {"n": 1}
