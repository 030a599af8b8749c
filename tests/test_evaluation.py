"""An evaluation on small collections made here, and what it says about broken ones."""

from __future__ import annotations

import json
import logging
import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from late_rag.errors import CancelledError, InputError
from late_rag.evaluation import evaluate, load_beir
from late_rag.evaluation.overlap import ExactTop
from late_rag.evaluation.searching import DEPTH, _document_ranking
from late_rag.specs import PoolingSpec
from late_rag.testing import HashEncoder
from late_rag.types import Chunk, Hit, Progress

WORDS = ("harbour", "lantern", "orchard", "violin", "glacier", "pepper", "saddle", "marble", "thunder", "willow")


def write(folder: Path, corpus: Sequence[Any], queries: Sequence[Any], qrels: Sequence[str]) -> Path:
    """A folder in BEIR layout; texts stand as they are, everything else as JSON."""
    (folder / "qrels").mkdir(parents=True)
    for name, lines in (("corpus", corpus), ("queries", queries)):
        text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text, "utf-8")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "\n".join(qrels) + "\n", "utf-8")
    return folder


def document(identity: str, text: str, **more: str) -> dict[str, str]:
    return {"_id": identity, "text": text, **more}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten documents about a word each, and a query for every word; the last two are not judged."""
    corpus = [
        document(word, f"{word} and more about it", title=f"the title of {number}") for number, word in enumerate(WORDS)
    ]
    queries = [document(f"q-{word}", f"{word} please") for word in WORDS]
    return write(tmp_path / "words", corpus, queries, [f"q-{word}\t{word}\t1" for word in WORDS[:-2]])


def test_a_collection_that_is_easy(folder: Path) -> None:
    seen: list[Progress] = []
    report = evaluate(folder, model=HashEncoder(), baseline="bm25", progress=seen.append)
    found = report.to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["dataset"], found["model"], found["index"]) == ("words", "hash", "exact")
    assert (found["documents"], found["chunks"], found["queries"], found["tokens"]) == (10, 10, 8, 60)
    assert [found[name] for name in ("ndcg@10", "recall@10", "recall@100", "mrr@10", "overlap@10")] == [1.0] * 5
    for name in ("encode_s", "build_s", "search_p50_ms", "query_encode_p50_ms", "bytes_on_disk", "peak_rss_mb"):
        assert found[name] > 0
    assert found["search_p95_ms"] >= found["search_p50_ms"]
    assert found["baseline"]["name"] == "bm25"
    assert [found["baseline"][name] for name in ("ndcg@10", "recall@10", "recall@100", "mrr@10")] == [1.0] * 4
    assert (seen[0].stage, seen[0].done, seen[0].total) == ("encode", 10, 10)
    assert [step.done for step in seen if step.stage == "text search"] == list(range(1, 9))


def test_a_limit_is_of_queries_never_of_documents(folder: Path) -> None:
    found = evaluate(folder, model=HashEncoder(), limit=3).to_dict()
    assert (found["queries"], found["documents"], found["chunks"]) == (3, 10, 10)
    assert "baseline" not in found


def test_titles_are_read_only_when_asked(folder: Path) -> None:
    texts = [document.text for document in load_beir(folder).documents()]
    assert texts[0] == "harbour and more about it"
    titled = [document.text for document in load_beir(folder).documents(titles=True)]
    assert titled[0] == "the title of 0\nharbour and more about it"
    plain, more = (evaluate(folder, model=HashEncoder(), titles=titles, limit=1).to_dict() for titles in (False, True))
    assert more["tokens"] == plain["tokens"] + 10 * 4


def test_pooling_keeps_fewer_tokens_and_shows_in_the_overlap(folder: Path) -> None:
    found = evaluate(folder, model=HashEncoder(), pool_factor=3, limit=2).to_dict()
    assert found["pool_factor"] == 3
    stated = PoolingSpec("hierarchical", pool_factor=3)
    assert evaluate(folder, model=HashEncoder(), pooling=stated, limit=2).pool_factor == 3
    assert found["tokens"] < 60
    assert found["overlap@10"] == 1.0  # of ten chunks the first ten are all


def test_the_collection_takes_all_options_of_one(folder: Path) -> None:
    long = {"_id": "long", "text": " ".join(WORDS * 20)}
    with (folder / "corpus.jsonl").open("a", encoding="utf-8") as corpus:
        corpus.write(json.dumps(long) + "\n")
    whole, parts = (
        evaluate(folder, model=HashEncoder(), limit=1, chunking=chunking)
        for chunking in ("whole", {"max_tokens": 32, "kind": "recursive"})
    )
    assert (whole.chunks, parts.chunks) == (11, 10 + 7)
    with pytest.raises(TypeError, match="unknown collection option 'poolfactor'; there are: chunking, pool_factor"):
        evaluate(folder, poolfactor=2)  # type: ignore[call-arg]


def test_a_document_scores_as_its_best_chunk(tmp_path: Path) -> None:
    filler = " ".join(f"{first}{second}" for first in WORDS for second in WORDS)
    corpus = [document("long", f"{filler}\n\n{filler}\n\nviolin glacier pepper"), document("short", "violin alone")]
    write(tmp_path / "two", corpus, [document("q", "violin glacier pepper")], ["q\tlong\t1"])
    found = evaluate(tmp_path / "two", model=HashEncoder()).to_dict()
    assert found["chunks"] >= 3
    assert found["mrr@10"] == 1.0


def hits(documents: Sequence[str]) -> list[Hit]:
    return [Hit(Chunk(f"c{place}", name, ""), 1.0, 1.0) for place, name in enumerate(documents)]


def test_chunks_are_fetched_until_there_are_enough_documents() -> None:
    chunks = hits(["a"] * 250 + [f"d{number}" for number in range(300)])
    asked: list[int] = []

    def search(top_k: int) -> list[Hit]:
        asked.append(top_k)
        return chunks[:top_k]

    assert _document_ranking(search, 301) == ["a", *(f"d{number}" for number in range(DEPTH - 1))]
    assert asked == [100, 200, 400]
    assert _document_ranking(lambda top_k: hits(["a", "b", "a"])[:top_k], 3) == ["a", "b"]


def test_no_more_is_asked_for_than_documents_there_are() -> None:
    chunks = hits([f"d{number % 98}" for number in range(10_000)])
    asked: list[int] = []

    def search(top_k: int) -> list[Hit]:
        asked.append(top_k)
        return chunks[:top_k]

    assert len(_document_ranking(search, 98)) == 98
    assert asked == [100]


def test_the_exact_top_is_that_of_all_embeddings_at_once() -> None:
    random = np.random.default_rng(5)
    queries = [random.standard_normal((4, 8), dtype=np.float32) for _ in range(3)]
    lengths = [0 if number % 17 == 3 else number % 6 + 1 for number in range(60)]
    embeddings = [random.standard_normal((length, 8), dtype=np.float32) for length in lengths]
    embeddings[40:44] = [embeddings[7]] * 4
    exact = ExactTop(queries)
    for start in range(0, 60, 13):
        exact.add([f"c{number}" for number in range(60)][start : start + 13], embeddings[start : start + 13])
    naive = []
    for query in queries:
        scores = [
            sum(max(float(row @ token) for token in rows) for row in query) if len(rows) else -math.inf
            for rows in embeddings
        ]
        naive.append(sorted(range(60), key=lambda number, scores=scores: -round(scores[number], 4))[:10])  # type: ignore[misc]
    everything = [[Hit(Chunk(f"c{number}", "d", ""), 1, 1) for number in best] for best in naive]
    assert exact.overlap(everything) == 1.0
    assert (
        exact.overlap([[replace(hit, chunk=replace(hit.chunk, id="x")) for hit in some] for some in everything]) == 0.0
    )
    assert exact.overlap([some[:5] for some in everything]) == 0.5


def test_judged_documents_that_are_missing_count_as_not_found(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with (folder / "qrels" / "test.tsv").open("a", encoding="utf-8") as file:
        file.write("q-harbour\tgone\t1\n")
    with caplog.at_level(logging.WARNING, "late_rag"):
        found = evaluate(folder, model=HashEncoder(), limit=1).to_dict()
    assert found["recall@100"] == 0.5
    assert "1 judged documents are not in the corpus" in caplog.text


def test_stopping_leaves_nothing_behind(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    def stop(progress: Progress) -> None:
        assert list((tmp_path / "temporary").iterdir())
        raise CancelledError("enough")

    with pytest.raises(CancelledError, match="enough"):
        evaluate(folder, model=HashEncoder(), progress=stop)
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0}, "limit must be a whole number of at least 1, not 0"),
        ({"limit": "5"}, "limit must be"),
        ({"baseline": "tfidf"}, "baseline must be 'bm25' or None, not 'tfidf'"),
        ({"pool_factor": 0}, "pool_factor"),
        ({"index": "nothing"}, "unknown index 'nothing'"),
    ],
)
def test_arguments_that_cannot_be(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(folder, model=HashEncoder(), **options)


GOOD = document("1", "a text")


@pytest.mark.parametrize(
    ("corpus", "queries", "qrels", "message"),
    [
        ([GOOD, "{"], [GOOD], ["1\t1\t1"], r"corpus.jsonl, line 2: not JSON"),
        ([GOOD, "[1]"], [GOOD], ["1\t1\t1"], r"corpus.jsonl, line 2: expected a JSON object, got '\[1\]'"),
        (
            [{"text": "a"}],
            [GOOD],
            ["1\t1\t1"],
            r'corpus.jsonl, line 1: "_id" must be a text that is not empty, not None',
        ),
        ([{"_id": "1"}], [GOOD], ["1\t1\t1"], r'corpus.jsonl, line 1: "text" must be a text, not None'),
        ([GOOD, "", GOOD], [GOOD], ["1\t1\t1"], r"corpus.jsonl, line 3: the id '1' is there twice"),
        ([], [GOOD], ["1\t1\t1"], r"corpus.jsonl: holds no documents"),
        ([GOOD], [GOOD, GOOD], ["1\t1\t1"], r"queries.jsonl, line 2: the id '1' is there twice"),
        ([GOOD], [document("1", " ")], ["1\t1\t1"], r"queries.jsonl, line 1: the query '1' has no text"),
        ([GOOD], [GOOD], ["2\t1\t1"], r"queries.jsonl: none of its 1 queries has a judgement"),
        (
            [GOOD],
            [GOOD],
            ["1\t1\t1", "1 1 1"],
            r"test.tsv, line 3: expected query-id, corpus-id and score, got '1 1 1'",
        ),
        ([GOOD], [GOOD], ["1\t1\tmany"], r"test.tsv, line 2: the score 'many' is not a whole number"),
        ([GOOD], [GOOD], ["1\t1\t1", "1\t1\t2"], r"test.tsv, line 3: .* have another score above"),
    ],
    ids=range(12),
)
def test_broken_files_are_named_with_the_line(
    tmp_path: Path, corpus: list[Any], queries: list[Any], qrels: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load_beir(write(tmp_path / "broken", corpus, queries, qrels))


def test_missing_files_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such folder"):
        load_beir(tmp_path / "nowhere")
    judgements = folder / "qrels" / "test.tsv"
    judgements.rename(folder / "qrels" / "dev.tsv")
    assert len(load_beir(folder).queries) == 8
    (folder / "qrels" / "train.tsv").write_bytes((folder / "qrels" / "dev.tsv").read_bytes())
    with pytest.raises(InputError, match=r"qrels: expected test.tsv, or one file alone; there is dev.tsv, train.tsv"):
        load_beir(folder)
    (folder / "qrels" / "train.tsv").rename(judgements)
    (folder / "queries.jsonl").write_bytes(b'{"_id": "\xff"}')
    with pytest.raises(InputError, match=r"queries.jsonl, after line 0: not UTF-8"):
        load_beir(folder)
    (folder / "queries.jsonl").unlink()
    with pytest.raises(InputError, match=r"queries.jsonl: No such file"):
        load_beir(folder)


def test_the_collections_that_the_figures_are_of(data_folder: Path) -> None:
    cranfield, xquad = (load_beir(data_folder / name) for name in ("cranfield", "xquad-en"))
    assert (cranfield.document_count, len(cranfield.queries)) == (1398, 225)
    assert (xquad.document_count, len(xquad.queries)) == (240, 1190)
    assert sum(1 for _ in cranfield.documents()) == 1398


def test_a_real_collection_end_to_end(data_folder: Path) -> None:
    found = evaluate(data_folder / "xquad-en", model=HashEncoder(), limit=30, baseline="bm25").to_dict()
    assert (found["documents"], found["queries"]) == (240, 30)
    assert found["chunks"] >= 240
    assert found["ndcg@10"] > 0.6  # words in common find most paragraphs
    assert found["baseline"]["ndcg@10"] > 0.9
    assert found["overlap@10"] >= 0.95
