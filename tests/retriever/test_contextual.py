"""An encoder that reads documents: embeddings are used again in the same state of the same document, and nowhere else.

What is stored must be what encoding anew gives, and what need not be encoded must not be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from late_rag import Reranker, Retriever
from late_rag.testing import ContextualEncoder
from late_rag.types import Chunk, Document, TokenEmbeddings

Files = Callable[[Mapping[str, str | None]], Path]

FIRST = "The committee approves travel above five hundred pounds, and says so in a letter that two members sign. "
SECOND = "A boundary layer is the thin layer of fluid next to a surface in which viscosity matters, not outside. "
OTHER = "Apples and pears of the orchard are kept in the cellar below the house until spring comes and frost goes. "


class CountingEncoder(ContextualEncoder):
    """Remembers which texts it encoded."""

    def __init__(self) -> None:
        super().__init__(document_length=33)
        self.encoded: list[str] = []

    def encode_documents(
        self, chunks: Iterable[Chunk], documents: Mapping[str, Document] | None = None
    ) -> Iterator[TokenEmbeddings]:
        for chunk in chunks:
            self.encoded.append(chunk.text)
            yield from super().encode_documents([chunk], documents)


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture
def retriever(tmp_path: Path, encoder: CountingEncoder) -> Iterator[Retriever]:
    with Retriever.create(tmp_path / "contextual.rag", encoder) as made:
        yield made


def assert_as_encoded_anew(retriever: Retriever, *ids: str) -> None:
    """That the first row of the chunks, of all without ids, says their document as it is now and their place in it."""
    collection, encoder = retriever.collection, ContextualEncoder()
    documents = {each.id: each for batch in collection.iterate_documents() for each, _ in batch}
    for batch in collection.iterate(with_embeddings=True):
        for chunk, rows in batch:
            assert rows is not None
            if not ids or chunk.id in ids:
                assert rows[0] @ encoder.marker(chunk, documents[chunk.document_id]) > 0.9, chunk


def test_the_same_text_in_two_documents(retriever: Retriever, encoder: CountingEncoder) -> None:
    for documents in ([Document("a", FIRST + SECOND)], [Document("a", OTHER + FIRST), Document("b", FIRST + OTHER)]):
        retriever.add(documents)
        assert_as_encoded_anew(retriever)
    assert encoder.encoded.count(FIRST.strip()) == 3


def test_a_neighbour_that_changes(retriever: Retriever, encoder: CountingEncoder) -> None:
    retriever.add([Document("a", FIRST + SECOND)])
    encoder.encoded.clear()
    retriever.add([Document("a", FIRST + OTHER)])
    assert [text.strip() for text in encoder.encoded] == [FIRST.strip(), OTHER.strip()]
    assert_as_encoded_anew(retriever)


def test_what_did_not_change_is_not_encoded_again(retriever: Retriever, encoder: CountingEncoder) -> None:
    document = Document("a", FIRST + SECOND)
    retriever.add([document])
    encoder.encoded.clear()
    retriever.add([document])
    retriever.add([Document("a", document.text, metadata={"team": "north"})])
    chunk, *_ = retriever.collection.get(["a#0"])
    retriever.add([Chunk(chunk.id, "a", chunk.text, start=chunk.start, end=chunk.end, metadata={"seen": True})])
    assert encoder.encoded == []
    assert retriever.collection.get(["a#0"])[0].metadata == {"seen": True}
    assert_as_encoded_anew(retriever)


def test_the_same_text_at_another_place_of_the_document(retriever: Retriever) -> None:
    repeated = Document("a", (FIRST + SECOND) * 2)
    retriever.add([repeated])
    retriever.add([Document("a", repeated.text, metadata={"team": "north"})])
    assert_as_encoded_anew(retriever)


def test_a_chunk_that_moves_to_another_document(retriever: Retriever) -> None:
    retriever.add([Document("a", FIRST + SECOND), Document("b", OTHER)])
    chunk, *_ = retriever.collection.get(["a#0"])
    retriever.add([Chunk(chunk.id, "b", chunk.text, start=chunk.start, end=chunk.end)])
    (moved,) = retriever.collection.get(["a#0"])
    assert moved.document_id == "b"
    assert_as_encoded_anew(retriever, "a#0")


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_files(retriever: Retriever, encoder: CountingEncoder, files: Files, name: str) -> None:
    def content(text: str) -> str:
        return f'{{"id": "1", "text": "{text}"}}\n' if name == "a.jsonl" else text

    folder = files({name: content(FIRST + SECOND)})
    retriever.sync(folder)
    moved = retriever.sync(files({name: None, f"b/{name}": content(FIRST + SECOND)}))
    assert (moved.encoded, moved.reused) == (0, 2)
    assert_as_encoded_anew(retriever)
    changed = retriever.sync(files({f"b/{name}": content(FIRST + OTHER)}))
    assert (changed.encoded, changed.reused) == (2, 0)
    copied = retriever.sync(files({name: content(FIRST + OTHER), f"c/{name}": content(SECOND + FIRST)}))
    assert (copied.encoded, copied.reused) == (2, 2)
    assert_as_encoded_anew(retriever)


def test_reranking_scores_each_chunk_by_its_own_rows(retriever: Retriever, encoder: CountingEncoder) -> None:
    retriever.add([Document(name, text) for name, text in (("a", FIRST + SECOND), ("b", FIRST + OTHER))])
    chunks = [retriever.collection.get([f"{name}#0"])[0] for name in "ab"]
    assert chunks[0].content_hash == chunks[1].content_hash
    (query,) = encoder.encode_queries(["travel"])
    reranker = Reranker(collection=retriever.collection, encoder=encoder)
    scores = {hit.chunk.id: hit.score for hit in reranker.rerank("travel", chunks)}
    for identity, rows in retriever.collection.embeddings(["a#0", "b#0"]).items():
        assert scores[identity] == pytest.approx((query @ rows.T).max(axis=1).sum(), abs=1e-4)
    assert scores["a#0"] != scores["b#0"]
    assert len(Reranker(encoder=encoder).rerank("travel", chunks)) == 2  # without documents: by content


def test_explaining_reads_the_document(retriever: Retriever) -> None:
    retriever.add([Document("a", FIRST + SECOND)])
    (hit,) = retriever.search("committee travel", top_k=1)
    assert sum(match.similarity for match in retriever.explain("committee travel", hit)) == pytest.approx(
        hit.score, abs=0.01
    )
