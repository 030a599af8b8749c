from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from late_rag import backends
from late_rag.errors import LoadError

KEYS = {"left_out", "collection", "files", "chunks", "seconds", "added", "changed", "removed", "unread", "failed"}


def test_json_has_its_shape(run, handbook, tmp_path):
    done = run("index", handbook, "-c", tmp_path / "a.rag", "--json")
    assert done.code == 0
    assert set(done.json) == KEYS
    assert done.json["files"] == {"added": 3, "changed": 0, "removed": 0, "unchanged": 0, "unread": 0, "failed": 0}
    assert done.json["chunks"]["encoded"] == done.json["chunks"]["written"] > 3
    assert sorted(Path(place).name for place in done.json["added"]) == ["faq.csv", "leave.txt", "travel.md"]


def test_second_time_encodes_nothing(run, handbook, tmp_path):
    run("index", handbook, "-c", tmp_path / "a.rag")
    again = run("index", handbook, "-c", tmp_path / "a.rag", "--json")
    assert again.json["files"]["unchanged"] == 3
    assert again.json["chunks"] == {"written": 0, "encoded": 0, "reused": 0}


def test_a_changed_file_replaces_its_chunks(run, handbook, tmp_path):
    run("index", handbook, "-c", tmp_path / "a.rag")
    (handbook / "leave.txt").write_text("Employees have forty days of paid leave a year.\n", encoding="utf-8")
    again = run("index", handbook, "-c", tmp_path / "a.rag", "--json")
    assert [Path(place).name for place in again.json["changed"]] == ["leave.txt"]
    texts = [
        hit["text"] for hit in run("search", "days of leave", "-c", tmp_path / "a.rag", "-k", 99, "--json").json["hits"]
    ]
    assert "forty days" in texts[0]
    assert not any("thirty days" in text for text in texts)


def test_sync_removes_what_is_gone_and_index_alone_does_not(run, handbook, tmp_path):
    run("index", handbook, "-c", tmp_path / "a.rag")
    (handbook / "leave.txt").unlink()
    assert run("index", handbook, "-c", tmp_path / "a.rag", "--json").json["removed"] == []
    removed = run("index", handbook, "-c", tmp_path / "a.rag", "--sync", "--json").json["removed"]
    assert [Path(place).name for place in removed] == ["leave.txt"]


def test_skipped_files_are_named_with_the_reason_and_the_rest_goes_on(run, handbook, tmp_path):
    (handbook / "broken.pdf").write_bytes(b"%PDF-1.7 cut off")
    (handbook / "data.bin").write_bytes(bytes(range(256)))
    done = run("index", handbook, "-c", tmp_path / "a.rag", "--json")
    assert done.code == 3
    assert done.json["files"]["added"] == 3
    failed = {Path(item["source"]).name: item["reason"] for item in done.json["failed"]}
    assert set(failed) == {"broken.pdf", "data.bin"}
    for name, reason in failed.items():
        assert name in reason
        assert sum(name in line for line in done.err.splitlines()) == 1, done.err


def test_no_isolation_reads_pdfs_in_this_process(run, handbook, tmp_path, monkeypatch):
    def refused(loader: object, path: Path, *_: object) -> None:
        raise LoadError(f"{path}: in another process")

    monkeypatch.setattr("late_rag.loaders.isolation.read_isolated", refused)
    article = Path(__file__).parents[2] / "cookbooks/data/xquad-en/articles/history/genghis-khan.pdf"
    shutil.copy(article, handbook / "article.pdf")
    failed = run("index", handbook, "-c", tmp_path / "a.rag", "--json").json["failed"]
    assert [item["reason"] for item in failed] == [f"{handbook / 'article.pdf'}: in another process"]
    assert run("index", handbook, "-c", tmp_path / "a.rag", "--no-isolation").code == 0


def test_strict_stops_at_the_first_broken_file(run, handbook, tmp_path):
    (handbook / "broken.pdf").write_bytes(b"%PDF-1.7 cut off")
    done = run("index", handbook, "-c", tmp_path / "a.rag", "--strict")
    assert done.code == 1
    last = done.err.splitlines()[-1]
    assert last.startswith("error: ")
    assert "broken.pdf" in last


def test_as_names_the_root(run, handbook, tmp_path):
    done = run("index", handbook, "-c", tmp_path / "a.rag", "--as", "wiki", "--json")
    assert sorted(done.json["added"]) == ["wiki/faq.csv", "wiki/leave.txt", "wiki/travel.md"]


def test_a_name_for_several_roots_leaves_no_collection_behind(run, handbook, tmp_path):
    (tmp_path / "other").mkdir()
    assert run("index", handbook, tmp_path / "other", "-c", tmp_path / "a.rag", "--as", "wiki").code == 1
    assert not (tmp_path / "a.rag").exists()


def test_record_fields(run, tmp_path):
    file = tmp_path / "faq.jsonl"
    record = {"n": "7", "question": "When?", "answer": "At seven in the morning.", "topic": "office", "note": "x"}
    file.write_text(json.dumps(record) + "\n", encoding="utf-8")
    options = ("--text-field", "question", "--text-field", "answer", "--key-field", "n", "--metadata-field", "topic")
    assert run("index", file, "-c", tmp_path / "a.rag", *options).code == 0
    (hit,) = run("search", "when", "-c", tmp_path / "a.rag", "--json").json["hits"]
    assert "When?" in hit["text"]
    assert "At seven" in hit["text"]
    assert hit["metadata"]["topic"] == "office"
    assert "note" not in hit["metadata"]


@pytest.mark.parametrize(
    ("made_with", "asked_for", "both"),
    [
        ((), ("--pool-factor", "2"), ("pool_factor", "2")),
        (("--pool-factor", "2"), ("--pool-factor", "3"), ("2", "3")),
        (("--language", "german"), ("--language", "french"), ("german", "french")),
        (("--chunk-tokens", "64"), ("--chunk-tokens", "100"), ("64", "100")),
        (("--overlap", "8"), ("--overlap", "4"), ("8", "4")),
        (("--embed-metadata", "topic"), ("--embed-metadata", "number"), ("topic", "number")),
    ],
)
def test_settings_that_contradict_the_collection_are_an_error_with_both(
    run, handbook, tmp_path, made_with, asked_for, both
):
    collection = tmp_path / "a.rag"
    assert run("index", handbook / "leave.txt", "-c", collection, *made_with).code == 0
    assert run("index", handbook / "leave.txt", "-c", collection, *made_with).code == 0
    done = run("index", handbook / "leave.txt", "-c", collection, *asked_for)
    assert done.code == 1
    assert all(word in done.err for word in both), done.err


def test_a_path_that_is_not_there(run, tmp_path):
    done = run("index", tmp_path / "nowhere", "-c", tmp_path / "a.rag")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: ")
    assert "nowhere" in done.err


def test_quiet_says_nothing(run, handbook, tmp_path):
    done = run("index", handbook, "-c", tmp_path / "a.rag", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_names_in_other_scripts_and_outside_unicode(spawn, handbook, tmp_path):
    (handbook / "отпуск – 休假.txt").write_text("Vacation is granted by the team lead.", encoding="utf-8")
    odd = os.fsencode(handbook) + b"/caf\xe9.txt"
    try:
        Path(os.fsdecode(odd)).write_bytes(b"The cafe opens at nine.")
    except OSError:
        pytest.skip("this file system takes no such name")
    done = spawn("index", handbook, "-c", tmp_path / "a.rag", "--json", LC_ALL="C")
    assert done.code in (0, 3)
    assert any("отпуск – 休假.txt" in place for place in done.json["added"])


def test_an_index_with_options(run, handbook, tmp_path, monkeypatch):
    row = backends.Backend("late_rag.testing.lossy", "LossyIndex", options="LossyOptions")
    monkeypatch.setitem(backends.INDEXES, "lossy", row)
    chosen = ("--index", "lossy", "--index-option", "loss=0", "--index-option", "delay=.5")
    assert run("index", handbook, "-c", tmp_path / "a.rag", *chosen).code == 0
    told = run("info", "-c", tmp_path / "a.rag", "--json").json
    assert (told["index"], told["index_options"]) == ("lossy", {"loss": 0, "delay": 0.5})
    other = run("index", handbook, "-c", tmp_path / "a.rag", "--index", "lossy", "--index-option", "loss=.1")
    assert "index option loss is 0.1, but the collection" in other.err
    unknown = run("index", handbook, "-c", tmp_path / "b.rag", "--index", "lossy", "--index-option", "lost=1")
    assert "no option 'lost'; there are: loss (a number, 0.05 if not given): The share of the rows" in unknown.err
    alone = run("index", handbook, "-c", tmp_path / "b.rag", "--index-option", "loss=1")
    assert "--index-option needs --index" in alone.err
    assert not (tmp_path / "b.rag").exists()
