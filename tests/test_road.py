"""One road for documents: whoever stores them gets the same rows, also of an encoder that reads a chunk's document."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from late_rag import Retriever, road
from late_rag.chunkers import load_chunker
from late_rag.cli.demo_run import _index
from late_rag.evaluation import load_beir
from late_rag.evaluation.filling import fill
from late_rag.evaluation.overlap import ExactTop
from late_rag.filters.selection import Selection
from late_rag.pooling import load_pooling
from late_rag.protocols import Collection
from late_rag.testing import ContextualEncoder
from late_rag.transfer import export_jsonl, import_jsonl
from late_rag.types import Chunk, Document, TokenEmbeddings

TEXTS = {
    "harbour": "the boats come in. " * 24,
    "orchard": "apples and pears. " * 20,
    "empty": "",
    "glacier": "ice, and no boats.",
}
DOCUMENTS = [Document(identity, text) for identity, text in TEXTS.items()]
OPTIONS = {"pool_factor": 2}


class ContextEncoder(ContextualEncoder):
    """Reads some chunks ahead."""

    def __init__(
        self, dim: int = 64, query_length: int = 64, document_length: int = 33, model: str = "context"
    ) -> None:
        super().__init__(dim, query_length, document_length, model)

    def encode_documents(
        self, chunks: Iterable[Chunk], documents: Mapping[str, Document] | None = None
    ) -> Iterator[TokenEmbeddings]:
        source = iter(chunks)
        while ahead := list(itertools.islice(source, 3)):
            yield from super().encode_documents(ahead, documents)


def by_hand() -> dict[str, TokenEmbeddings]:
    """What is right: each document alone through chunker, encoder and pooling."""
    encoder, found = ContextEncoder(), {}
    chunker, pooling = load_chunker(None, encoder), load_pooling({"kind": "hierarchical", "pool_factor": 2})
    assert pooling is not None
    for document in DOCUMENTS:
        chunks = list(chunker(document))
        for chunk, rows in zip(chunks, encoder.encode_documents(chunks, {document.id: document}), strict=True):
            found[chunk.id] = pooling(rows)
    return found


def stored(collection: Collection) -> dict[str, TokenEmbeddings]:
    return {
        chunk.id: rows
        for batch in collection.iterate(with_embeddings=True)
        for chunk, rows in batch
        if rows is not None
    }


def assert_right(collection: Collection) -> None:
    expected, found = by_hand(), stored(collection)
    assert len(expected) > 6
    assert list(found) == list(expected)
    for identity, rows in expected.items():
        np.testing.assert_allclose(found[identity], rows, atol=0.01, err_msg=identity)


def retriever_at(folder: Path) -> Retriever:
    return Retriever.create(folder, ContextEncoder(), **OPTIONS)


def test_adding(tmp_path: Path) -> None:
    with retriever_at(tmp_path / "a.rag") as retriever:
        retriever.add(DOCUMENTS)
        assert_right(retriever.collection)


def test_evaluating(tmp_path: Path) -> None:
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    lines = [f'{{"_id": "{identity}", "text": "{text}"}}\n' for identity, text in TEXTS.items()]
    (folder / "corpus.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "boats"}\n', encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text("q\tharbour\t1\n", encoding="utf-8")
    with retriever_at(tmp_path / "a.rag") as retriever:
        encoder = ContextEncoder()
        exact = ExactTop(encoder.encode_queries(["boats"]))
        fill(retriever.collection, encoder, load_beir(folder), False, exact, lambda _: None)
        assert_right(retriever.collection)


def test_importing_without_embeddings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("late_rag.encoders.load_encoder", lambda *_, **__: ContextEncoder())
    monkeypatch.setattr("late_rag.retriever.stages.load_encoder", lambda *_, **__: ContextEncoder())
    lines: list[str] = []
    with retriever_at(tmp_path / "a.rag") as retriever:
        retriever.add(DOCUMENTS)
        export_jsonl(retriever.collection, lines.append)
    for window in (512, 2):
        monkeypatch.setattr("late_rag.transfer.writing.RECORDS_AT_ONCE", window)
        stream = io.BytesIO("".join(lines).encode())
        assert import_jsonl(stream, tmp_path / f"{window}.rag", model="context").encoded == len(by_hand())
        with Retriever(tmp_path / f"{window}.rag", ContextEncoder()) as imported:
            assert_right(imported.collection)


@pytest.mark.parametrize("records", [True, False])
def test_files(tmp_path: Path, records: bool) -> None:
    texts = {identity: text for identity, text in TEXTS.items() if text}
    files = tmp_path / "files"
    files.mkdir()
    if records:
        lines = (f'{{"id": "{identity}", "text": "{text}"}}\n' for identity, text in texts.items())
        (files / "all.jsonl").write_text("".join(lines), encoding="utf-8")
    else:
        for identity, text in texts.items():
            (files / f"{identity}.txt").write_text(text, encoding="utf-8")
    with retriever_at(tmp_path / "a.rag") as retriever, retriever_at(tmp_path / "b.rag") as demo:
        retriever.sync(files)
        _index(demo, files, lambda _: None)
        encoder = ContextEncoder()
        for collection in (retriever.collection, demo.collection):
            documents = {each.id: each for batch in collection.iterate_documents() for each, _ in batch}
            assert len(documents) == len(texts)
            for batch in collection.iterate(with_embeddings=True):
                for chunk, rows in batch:
                    assert rows is not None
                    assert max(rows @ encoder.marker(chunk, documents[chunk.document_id])) > 0.5


def test_what_is_given_without_its_document_finds_the_one_that_is_stored(tmp_path: Path) -> None:
    with Retriever.create(tmp_path / "a.rag", ContextEncoder(), embed_metadata=["team"]) as retriever:
        retriever.add(DOCUMENTS)
        retriever.add([Chunk("new", "glacier", "a moraine")])
        retriever.update_metadata(Selection(ids=("orchard#0",)), {"team": "north"})
        encoder = ContextEncoder()
        for chunk in retriever.collection.get(["new", "orchard#0"]):
            (rows,) = retriever.collection.embeddings([chunk.id]).values()
            document = Document(chunk.document_id, TEXTS[chunk.document_id])
            assert rows[0] @ encoder.marker(chunk, document) > 0.9
        assert "north" in (retriever.collection.get(["orchard#0"])[0].embed_text or "")


def test_only_documents_of_chunks_that_are_read_ahead_are_held() -> None:
    seen: list[int] = []

    class Watching(ContextEncoder):
        def encode_documents(
            self, chunks: Iterable[Chunk], documents: Mapping[str, Document] | None = None
        ) -> Iterator[TokenEmbeddings]:
            assert documents is not None
            assert "a stranger" not in documents
            for rows in super().encode_documents(chunks, documents):
                seen.append(len(documents))
                assert len(list(documents)) == len(documents)
                yield rows

    passages = [(Chunk(str(number), str(number), "a"), Document(str(number), "a")) for number in range(20)]
    found = list(road.encode(passages, Watching(), stored=lambda _: pytest.fail("all came with their documents")))
    assert [chunk.id for chunk, _ in found] == [str(number) for number in range(20)]
    assert max(seen) == 3
