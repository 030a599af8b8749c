"""The main paths with the real model: files in, answers out."""

from __future__ import annotations

import json

import pytest

from late_rag import Reranker, Retriever
from late_rag.explain import matched_words
from late_rag.types import Chunk

HANDBOOK = {
    "travel.md": "# Travel\n\n## Approval\n\nEvery trip needs the consent of the head of department.\n\n"
    "## Expenses\n\nReceipts are handed in within thirty days.",
    "kitchen.txt": "The coffee machine is cleaned on Fridays. Whoever empties the fridge labels the boxes.",
    "people.jsonl": '{"id": "ada", "text": "Ada Byron leads the engineering team.", "floor": 3}\n'
    '{"id": "bob", "text": "Bob Kahn looks after the network.", "floor": 1}\n',
}


@pytest.fixture(scope="module")
def handbook(tmp_path_factory) -> Retriever:
    folder = tmp_path_factory.mktemp("handbook")
    for name, text in HANDBOOK.items():
        (folder / name).write_text(text)
    with Retriever.open(folder.with_name("handbook.rag"), create=True) as retriever:
        assert retriever.sync(folder).chunks == 5
        yield retriever


@pytest.mark.parametrize(
    ("question", "answer", "source"),
    [
        ("who approves business trips?", "consent of the head", "travel.md"),
        ("when do I hand in my receipts?", "thirty days", "travel.md"),
        ("who is responsible for the network?", "Bob Kahn", "people.jsonl"),
        ("when is the coffee machine cleaned?", "Fridays", "kitchen.txt"),
    ],
)
def test_questions_find_their_answers(handbook, question, answer, source):
    hit = handbook.search(question, top_k=1)[0]
    assert answer in hit.chunk.text
    assert hit.source.endswith(f"/{source}")
    assert 0.3 < hit.similarity <= 1


def test_filters_and_documents(handbook):
    assert [hit.chunk.metadata["floor"] for hit in handbook.search("who?", filter="floor <= 1")] == [1]
    documents = [hit.chunk.document_id for hit in handbook.search("travel expenses", group_by="document")]
    assert len(documents) == len(set(documents)) == 4


def test_explanation_adds_up_and_shows_the_words(handbook):
    question = "when is the coffee machine cleaned?"
    hit = handbook.search(question, top_k=1)[0]
    matches = handbook.explain(question, hit)
    assert sum(match.similarity for match in matches) == pytest.approx(hit.score, rel=0.01)
    words = [hit.chunk.text[word.start : word.end] for word in matched_words(matches, hit.chunk.text)]
    assert words[:3] == ["coffee", "machine", "cleaned"]
    assert "The" not in words


def test_headings_take_part_and_point_nowhere(handbook):
    hit = handbook.search("approval", top_k=1)[0]
    assert hit.chunk.metadata["heading"] == "Travel > Approval"
    match = max(handbook.explain("approval", hit), key=lambda match: match.similarity * (match.query_token != ""))
    assert (match.query_token, match.region) == ("approval", None) or "approval" in hit.chunk.text.lower()


def test_the_rerankers_scores_are_the_collections(handbook):
    hits = handbook.search("who approves business trips?", top_k=5)
    with_rows = Reranker(collection=handbook.collection).rerank("who approves business trips?", reversed(hits))
    assert [hit.chunk.id for hit in with_rows] == [hit.chunk.id for hit in hits]
    assert [hit.score for hit in with_rows] == pytest.approx([hit.score for hit in hits], rel=1e-4)
    anew = Reranker().rerank("who approves business trips?", [hit.chunk for hit in hits])
    assert [hit.score for hit in anew] == pytest.approx([hit.score for hit in hits], rel=0.01)


def test_an_over_long_chunk_is_found_by_its_end(handbook):
    with Retriever.create() as retriever:
        text = "nothing of interest here, " * 400 + "the treasure lies under the old oak"
        retriever.add([Chunk("long", "long", text), "short and about gardens"])
        assert retriever.search("where is the treasure?", top_k=1)[0].chunk.id == "long"
        matches = retriever.explain("where is the treasure?", retriever.search("treasure", top_k=1)[0])
        assert "treasure" in {text[word.start : word.end] for word in matched_words(matches, text)}


def test_pooled_rows_are_fewer_and_find_the_same(tmp_path, data_folder):
    with (data_folder / "xquad-en" / "corpus.jsonl").open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for _, line in zip(range(40), lines, strict=False)]
    with Retriever.create(None) as whole, Retriever.create(None, pool_factor=2) as pooled:
        for retriever in (whole, pooled):
            retriever.add(texts)
        assert 0.45 < pooled.info().tokens / whole.info().tokens < 0.55
        questions = [text[:80] for text in texts]
        best = [[hits[0].chunk.id for hits in each.search_batch(questions, 1)] for each in (whole, pooled)]
        assert best[0] == best[1]
