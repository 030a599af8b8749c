from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

FILES = ("culture/super-bowl-50.txt", "science/ctenophora.md", "science/immune-system.pdf", "places/warsaw.html")


@pytest.fixture(scope="module")
def corpus(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An article of each format, with its questions."""
    whole, folder = repository / "cookbooks" / "data" / "xquad-en", tmp_path_factory.mktemp("demo")
    for file in FILES:
        (folder / "articles" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(whole / "articles" / file, folder / "articles" / file)
    lines = (whole / "questions.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    questions = [line for line in lines if json.loads(line)["file"] in FILES]
    (folder / "questions.jsonl").write_text("".join(questions), encoding="utf-8")
    return folder


def test_json(run, corpus, tmp_path):
    done = run("demo", corpus, "-c", tmp_path / "demo.rag", "--json")
    assert done.code == 0
    told = done.json
    assert told["documents"] == 4
    assert told["questions"] == len((corpus / "questions.jsonl").read_text().splitlines())
    assert list(told["seconds"]) == ["load", "chunk", "encode", "store"]
    for engine in ("late_interaction", "bm25"):
        quality = told[engine]
        assert 0.8 < quality["success@1"] <= quality["mrr@10"] <= 1
        assert quality["success@1"] <= quality["success@5"]
    assert len(told["examples"]) == 4
    assert all(answer["hits"] for answer in told["examples"])
    # what it made is a collection like any other: indexing the same folder finds nothing to do
    again = run("index", corpus / "articles", "-c", tmp_path / "demo.rag", "--json").json
    assert again["files"] == {"added": 0, "changed": 0, "removed": 0, "unchanged": 4, "unread": 0, "failed": 0}


def test_text_shows_questions_passages_pages_quality_and_times(spawn, corpus):
    done = spawn("demo", corpus, COLUMNS="100")
    assert done.code == 0
    for part in (
        "expected: ",
        "super-bowl-50.txt",
        " · page ",
        "late interaction",
        "BM25",
        "ndcg@10",
        "encode",
        "search",
    ):
        assert part in done.out, part
    assert "\x1b" not in done.out


def test_matches_are_highlighted(spawn, corpus):
    assert "\x1b[1;33m" in spawn("demo", corpus, "-q", FORCE_COLOR="1").out


def test_a_folder_without_a_corpus(run, tmp_path):
    done = run("demo", tmp_path)
    assert done.code == 1
    assert "questions.jsonl" in done.err


def test_broken_questions(run, tmp_path):
    (tmp_path / "questions.jsonl").write_text('{"id": "1"}\n', encoding="utf-8")
    assert "not questions as the demonstration needs them" in run("demo", tmp_path).err


def test_outside_a_checkout_it_says_where_the_documents_are(run, tmp_path, monkeypatch):
    import late_rag

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(late_rag, "__file__", str(tmp_path / "site-packages" / "late_rag" / "__init__.py"))
    done = run("demo")
    assert done.code == 1
    assert "part of the repository" in done.err


def test_what_is_relevant(repository):
    from late_rag.cli.demo_corpus import Question, normalised

    question = Question("1", "How far?", "a.txt", ("five  miles", "8 km"))
    assert question.is_answered_by(normalised("It is five\n miles away."))
    assert not question.is_answered_by(normalised("It is fivemiles away."))


def test_questions_without_a_relevant_chunk_are_counted_in_words():
    from late_rag.cli.demo import _relevance

    assert _relevance(0).endswith("that contains an answer.")
    assert _relevance(1).endswith("; for 1 question there is none.")
    assert _relevance(1200).endswith("; for 1,200 questions there is none.")
