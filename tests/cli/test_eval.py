from __future__ import annotations

import json
from pathlib import Path

import pytest

KEYS = {
    *("dataset", "model", "index", "documents", "chunks", "tokens", "encode_s", "build_s"),
    *("search_p50_ms", "search_p95_ms", "query_encode_p50_ms"),
    *("ndcg@10", "recall@10", "recall@100", "mrr@10", "overlap@10", "bytes_on_disk", "peak_rss_mb"),
}
TEXTS = {
    "travel": "The head of department approves travel abroad before it is booked.",
    "leave": "Employees have thirty days of paid leave a year.",
    "office": "The office opens at seven in the morning.",
    "parking": "Parking spaces are given out by lot every January.",
}
QUERIES = {"q1": ("who approves travel?", "travel"), "q2": ("when does the office open?", "office")}


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    folder = tmp_path / "small"
    (folder / "qrels").mkdir(parents=True)
    documents = [{"_id": name, "title": name, "text": text} for name, text in TEXTS.items()]
    queries = [{"_id": name, "text": text} for name, (text, _) in QUERIES.items()]
    judgements = [f"{name}\t{document}\t1" for name, (_, document) in QUERIES.items()]
    for name, lines in (("corpus", documents), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judgements]), encoding="utf-8")
    return folder


def test_json(run, beir):
    done = run("eval", beir, "--json", "--baseline", "bm25", "--limit", "1")
    assert done.code == 0
    assert set(done.json) >= KEYS
    assert (done.json["dataset"], done.json["documents"], done.json["queries"]) == ("small", 4, 1)
    assert done.json["ndcg@10"] == done.json["mrr@10"] == 1.0
    assert done.json["baseline"]["ndcg@10"] == 1.0


def test_pool_factor(run, beir):
    whole, pooled = (run("eval", beir, "--json", "--pool-factor", factor).json for factor in (1, 2))
    assert (whole["pool_factor"], pooled["pool_factor"]) == (1, 2)
    assert pooled["tokens"] < whole["tokens"]


def test_text(run, beir):
    done = run("eval", beir, "--quiet")
    assert (done.code, done.err) == (0, "")
    figures = dict(line.split(maxsplit=1) for line in done.out.splitlines())
    assert set(figures) >= KEYS
    assert figures["ndcg@10"] == "1.0000"


@pytest.mark.parametrize(
    ("options", "code"), [(("--index", "none"), 1), (("--baseline", "tfidf"), 2), (("--limit", "0"), 2)]
)
def test_what_cannot_be(run, beir, options, code):
    assert run("eval", beir, *options).code == code


def test_no_such_folder(run, tmp_path):
    done = run("eval", tmp_path / "none")
    assert done.code == 1
    assert "none" in done.err


def test_a_comparison_has_a_row_for_each_combination(run, beir):
    rows = run("eval", beir, "--index", "exact,muvera,smve", "--rescore", "0,4", "--pool", "1,2", "--json").json
    assert [(row["pool_factor"], row["index"], row["rescored"]) for row in rows] == [
        (pool, index, rescored)
        for pool in (1, 2)
        for index, rescored in [("exact", None), *((index, n) for index in ("muvera", "smve") for n in (0, 4))]
    ]
    unpooled = [row for row in rows if row["pool_factor"] == 1]
    for row in unpooled:
        if row["rescored"] != 0:  # all four documents are scored
            assert (row["loss"], row["ndcg@10"], row["overlap@10"]) == (0, 1, 1)
    assert rows[-1]["row_bytes"] < unpooled[-1]["row_bytes"]


def test_a_comparison_is_read_as_a_table(run, beir):
    done = run("eval", beir, "--quiet", "--index", "smve", "--center", "on,off", "--rescore", "4")
    assert (done.code, done.err) == (0, "")
    header, _, *lines = [line.split("  ") for line in done.out.splitlines() if line.strip()]
    assert [name.strip() for name in header if name.strip()] == [
        *("index", "scored", "nDCG@10", "loss", "overlap", "p50 ms", "build s", "MB")
    ]
    assert [line[0].strip() for line in lines] == ["smve center=on", "smve center=off"]
    assert all("1.0000" in line for line in lines)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--rescore", "5,x"), "--rescore takes whole numbers from 0 on with commas between them, not '5,x'"),
        (("--pool", "0"), "--pool takes whole numbers from 1 on with commas between them, not '0'"),
        (("--pool", "2,2"), "--pool takes values with commas between them, each once, not '2,2'"),
        (("--storage", "int4"), "--storage takes int8, float16, not 'int4'"),
        (("--index", "exact,none"), "unknown index 'none'"),
        (("--index", "exact,smve", "--index-option", "kept=2"), "--index-option belongs to one index"),
        (("--pool", "2", "--baseline", "bm25"), "a comparison takes no --baseline, and --pool in place of"),
    ],
)
def test_comparisons_that_cannot_be(run, beir, options, message):
    done = run("eval", beir, *options)
    assert done.code == 1
    assert message in " ".join(done.err.split())
