"""The node parser, the reader, and what becomes of pictures and pages."""

from __future__ import annotations

import base64
import copy
import pickle
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.readers import SimpleDirectoryReader
from llama_index.core.readers.base import ReaderConfig
from llama_index.core.schema import Document, ImageDocument, ImageNode, MetadataMode, TextNode
from llama_index.core.storage.docstore import SimpleDocumentStore

from late_rag import load
from late_rag.chunkers import load_chunker
from late_rag.chunkers.tokens import TokenCounter
from late_rag.encoders import load_encoder
from late_rag.errors import InputError, LoadError
from late_rag.types import Document as CoreDocument
from llama_index.indices.late_rag import LateInteractionIndex
from llama_index.node_parser.late_rag import LateInteractionNodeParser
from llama_index.readers.late_rag import LateInteractionReader
from llama_index.retrievers.late_rag import LateInteractionRetriever
from llama_index.vector_stores.late_rag import LateInteractionVectorStore, PlaceholderEmbedding

GUIDE = "# Leave\n\n" + "Thirty days of leave a year. " * 20 + "\n\n# Parking\n\n" + "Parking is free. " * 20
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def parse(document: Document, **options: Any) -> list[TextNode]:
    found = LateInteractionNodeParser(**options).get_nodes_from_documents([document])
    assert all(isinstance(node, TextNode) for node in found)
    return found  # type: ignore[return-value]


@pytest.mark.parametrize("kind", ["auto", "recursive", "markdown", "whole"])
def test_the_parser_gives_the_cores_passages(kind: str) -> None:
    options: dict[str, Any] = {"kind": kind} | ({} if kind == "whole" else {"max_tokens": 64, "overlap": 16})
    document = CoreDocument(text=GUIDE, metadata={"mime_type": "text/markdown"})
    chunks = list(load_chunker(options, load_encoder("minilm"))(document))
    known = Document(text=GUIDE, metadata={"file_type": "text/markdown"})
    nodes = parse(known, include_metadata=False, **options)
    assert [(node.text, node.start_char_idx, node.end_char_idx) for node in nodes] == [
        (chunk.text, chunk.start, chunk.end) for chunk in chunks
    ]
    assert len(nodes) == 1 if kind == "whole" else len(nodes) > 4


def test_places_are_right_where_the_same_words_come_again() -> None:
    text = "Yes. " * 200
    nodes = parse(Document(text=text), max_tokens=32, overlap=8)
    assert len(nodes) > 3
    places = [(node.start_char_idx or 0, node.end_char_idx or 0) for node in nodes]
    assert all(text[start:end] == node.text for node, (start, end) in zip(nodes, places, strict=True))
    assert places[0][0] == 0
    assert text[places[-1][1] :].strip() == ""
    assert all(before[1] + 2 >= after[0] for before, after in pairwise(places))


@pytest.mark.parametrize("model_sees", [True, False])
def test_a_node_fits_with_the_metadata_in_front_of_it(model_sees: bool) -> None:
    encoder, metadata = load_encoder("minilm"), {"summary": "All that is known of leave. " * 12}
    hidden = [] if model_sees else ["summary", "mime_type"]
    text = "Thirty days of leave a year. " * 200
    nodes = parse(Document(text=text, metadata=metadata, excluded_embed_metadata_keys=hidden))
    sizes = [TokenCounter(encoder.tokenizer).count(node.get_content(MetadataMode.EMBED)) for node in nodes]
    assert max(sizes) <= encoder.document_capacity
    assert max(sizes) > encoder.document_capacity * 0.8
    assert "".join(node.text for node in nodes).replace(" ", "") == text.replace(" ", "")


def test_metadata_too_long_for_the_model_leave_a_little_room() -> None:
    (node, *_) = parse(Document(text=GUIDE, metadata={"summary": "Long. " * 500}))
    assert TokenCounter(load_encoder("minilm").tokenizer).count(node.text) <= 32


def test_nodes_have_relations_headings_and_a_copy_of_the_metadata() -> None:
    document = Document(id_="guide", text=GUIDE, metadata={"mime_type": "text/markdown", "tags": ["a"]})
    before = copy.deepcopy(document)
    first, second, *rest = parse(document, max_tokens=64)
    assert {node.ref_doc_id for node in (first, second, *rest)} == {"guide"}
    assert first.metadata == {"heading": "Leave", "mime_type": "text/markdown", "tags": ["a"]}
    assert rest[-1].metadata["heading"] == "Parking"
    assert first.next_node is not None
    assert (first.next_node.node_id, second.prev_node.node_id) == (second.node_id, first.node_id)  # type: ignore[union-attr]
    assert document == before


def test_an_empty_text_is_one_node() -> None:
    assert [node.text for node in parse(Document(text=""))] == [""]


async def test_the_parser_has_what_llama_indexs_have(tmp_path: Path) -> None:
    options: dict[str, Any] = {"max_tokens": 64, "overlap": 16, "headings": False, "include_prev_next_rel": False}
    parser = LateInteractionNodeParser(id_func=_numbered, **options)
    document = Document(id_="guide", text=GUIDE)
    nodes = parser([document])
    assert [node.node_id for node in nodes[:2]] == ["guide-0", "guide-1"]
    assert await parser.acall([document]) == nodes
    assert parser.split_text(GUIDE) == [node.get_content() for node in nodes]
    assert parser.split_texts([GUIDE, "Short."]) == [*parser.split_text(GUIDE), "Short."]
    assert len(parser.split_text_metadata_aware(GUIDE, "summary: " + "word " * 20)) > len(nodes)
    for same in (pickle.loads(pickle.dumps(parser)), copy.deepcopy(parser)):
        assert same([document]) == nodes
    plain = LateInteractionNodeParser(**options)
    again = LateInteractionNodeParser.from_dict(plain.to_dict())
    assert again.to_dict() == plain.to_dict()
    assert [node.hash for node in again([document])] == [node.hash for node in plain([document])]
    assert IngestionPipeline(transformations=[parser]).run(documents=[document]) == nodes


def _numbered(number: int, document: Any) -> str:
    return f"{document.node_id}-{number}"


@pytest.mark.parametrize("wrong", [{"max_tokens": 3}, {"overlap": -1}, {"chunk_size": 512}])
def test_a_parser_refuses_what_cannot_be_before_a_model_is_loaded(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LateInteractionNodeParser(model="no such model", **wrong)
    assert issubclass(InputError, ValueError)


async def test_the_reader_gives_the_cores_documents(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Leave\n\nThirty days.")
    (tmp_path / "b.csv").write_text("text,year\nParking is free.,2020\nLunch is at noon.,2021\n")
    expected = [(file.location, document) for file in load(tmp_path) for document in file.documents]
    reader = LateInteractionReader()
    found = reader.load_data(tmp_path)
    assert [(item.metadata.pop("source"), item.id_, item.text, item.metadata) for item in found] == [
        (location, document.id, document.text, document.metadata) for location, document in expected
    ]
    assert len(found) == 3
    again = reader.load_data([tmp_path / "a.md"], extra_info={"title": "Mine", "owner": "Ann"})[0]
    assert again.id_ == found[0].id_
    assert (again.metadata["title"], again.metadata["owner"]) == ("Leave", "Ann")
    assert await reader.aload_data(tmp_path) == await reader.alazy_load_data(tmp_path) == reader.load_data(tmp_path)


def test_no_model_sees_where_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Leave\n\nThirty days.")
    (document,) = LateInteractionReader(as_="handbook").load_data(tmp_path)
    assert document.metadata["source"] == "handbook/a.md"
    (node,) = LateInteractionNodeParser()([document])
    for mode in (MetadataMode.EMBED, MetadataMode.LLM):
        assert document.get_content(mode) == "title: Leave\n\n# Leave\n\nThirty days."
        assert "handbook" not in node.get_content(mode)
        assert "text/markdown" not in node.get_content(mode)


def test_the_reader_is_lazy_and_keeps_a_source_of_the_documents_own(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"text": "Parking is free.", "source": "the landlord"}]')
    (tmp_path / "b.txt").write_text("Second.")
    documents = LateInteractionReader(as_="handbook").lazy_load_data(tmp_path)
    first = next(documents)
    assert first.metadata["source"] == "the landlord"
    assert first.metadata["late_rag_source"] == "handbook/a.json"
    (tmp_path / "b.txt").write_text("Changed before it was its turn.")
    assert next(documents).text == "Changed before it was its turn."


def test_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    (tmp_path / "b.txt").write_text("Second.")
    assert [document.text for document in LateInteractionReader().load_data(tmp_path)] == ["Second."]
    with pytest.raises(LoadError, match=r"a\.json"):
        LateInteractionReader(strict=True).load_data(tmp_path)
    with pytest.raises(InputError, match="not-there"):
        LateInteractionReader().load_data(tmp_path / "not-there")


def test_the_reader_where_llama_index_takes_readers(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Leave\n\nThirty days.")
    reader = LateInteractionReader.from_dict(LateInteractionReader(strict=True).to_dict())
    assert reader == LateInteractionReader(strict=True)
    config = ReaderConfig(reader=reader, reader_args=[str(tmp_path)])
    assert [document.text for document in config.read()] == ["# Leave\n\nThirty days."]
    theirs = SimpleDirectoryReader(str(tmp_path), file_extractor={".md": reader})
    (document,) = theirs.load_data()
    assert document.text == "# Leave\n\nThirty days."
    assert document.metadata["file_name"] == "a.md"


async def test_files_are_parsed_in_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from late_rag.loaders.text import TextLoader
    from late_rag.loading import LoadOptions

    (tmp_path / "a.txt").write_text("First.")
    threads, read = set(), TextLoader.__call__

    def watched(self: TextLoader, path: Path, options: LoadOptions) -> object:
        threads.add(threading.get_ident())
        return read(self, path, options)

    monkeypatch.setattr(TextLoader, "__call__", watched)
    assert [document.text for document in await LateInteractionReader().alazy_load_data(tmp_path)] == ["First."]
    assert threads
    assert threading.get_ident() not in threads


@pytest.mark.parametrize("way", ["from_nodes", "from_documents", "pipeline"])
def test_a_picture_that_the_model_does_not_read_is_kept_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    (tmp_path / "pixel.png").write_bytes(PIXEL)
    (picture,) = LateInteractionReader().load_data(tmp_path)
    assert isinstance(picture, ImageDocument)
    assert picture.resolve_image().read() == PIXEL
    documents = [picture, Document(id_="text", text="Thirty days of leave.")]
    parser, location = LateInteractionNodeParser(), tmp_path / "made.rag"
    if way == "from_nodes":
        LateInteractionRetriever.from_nodes(parser(documents), location)
    elif way == "from_documents":
        LateInteractionIndex.from_documents(documents, collection=location, transformations=[parser])
    else:
        store = LateInteractionVectorStore(location)
        pipeline = IngestionPipeline(transformations=[parser, PlaceholderEmbedding()], vector_store=store)
        pipeline.run(documents=documents)
    (warning,) = [record.getMessage() for record in caplog.records if "no search will find it" in record.getMessage()]
    assert f"of document {picture.node_id!r}" in warning
    assert "pixel.png" in warning
    found = {node.ref_doc_id: node for node in LateInteractionVectorStore(location).get_nodes()}
    kept = found[picture.node_id]
    assert isinstance(kept, ImageNode)
    assert kept.image_path == picture.image_path
    (hit,) = LateInteractionRetriever(location).retrieve("leave")
    assert hit.node.ref_doc_id == "text"


def test_dates_of_a_file_can_be_persisted_and_filtered_by(tmp_path: Path) -> None:
    """LlamaIndex's docstore writes JSON, which has no dates."""
    (tmp_path / "a.md").write_text("---\ndate: 2024-05-01\nseen: [2024-05-02T10:00:00Z]\n---\n# Travel\n\nA page.\n")
    documents = LateInteractionReader().load_data(tmp_path / "a.md")
    assert documents[0].metadata["date"] == "2024-05-01"
    assert documents[0].metadata["seen"] == ["2024-05-02T10:00:00+00:00"]
    pipeline = IngestionPipeline(
        transformations=[], docstore=SimpleDocumentStore(), docstore_strategy=DocstoreStrategy.DUPLICATES_ONLY
    )
    pipeline.run(documents=documents)
    pipeline.persist(str(tmp_path / "state"))
    index = LateInteractionIndex.from_documents(documents, transformations=[LateInteractionNodeParser()])
    for filters, count in (("date > 2024-04-30 and date < 2024-05-02", 1), ("date > 2024-05-01", 0)):
        assert len(index.as_retriever(filters=filters).retrieve("page")) == count
