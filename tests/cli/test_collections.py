"""info, verify, delete, export, import, copy."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

INFO_KEYS = [
    *("location", "documents", "chunks", "tokens", "sources", "staged", "bytes_on_disk"),
    *("model", "model_id", "variant", "dim", "storage", "pooling", "chunking", "embed_metadata", "language"),
    *("content", "include"),
    *("index", "index_options", "indexed", "index_reason", "fields"),
]


def chunks(run, collection) -> int:
    return run("info", "-c", collection, "--json").json["chunks"]


def test_info(run, indexed):
    told = run("info", "-c", indexed[1], "--json").json
    assert list(told) == INFO_KEYS
    assert (told["documents"], told["sources"], told["model"], told["dim"]) == (4, 3, "minilm", 128)
    assert told["fields"]["number"] == ["text"] or "number" in told["fields"]
    text = run("info", "-c", indexed[1])
    assert text.code == 0
    assert "minilm" in text.out
    assert f"{told['tokens']:,}" in text.out


def test_verify(run, collection):
    assert run("verify", "-c", collection).code == 0
    assert run("verify", "-c", collection, "--json").json["ok"] is True
    with sqlite3.connect(collection / "collection.sqlite") as database:
        database.execute("DELETE FROM embeddings WHERE row = 1")
    database.close()
    done = run("verify", "-c", collection, "--json")
    assert done.code == 3
    assert done.json["ok"] is False
    assert done.json["problems"]
    assert set(done.json) == {"ok", "checked", "problems"}


def test_optimize(run, collection):
    first = run("info", "-c", collection, "--json").json
    some = run("export", "-c", collection).out.splitlines()[-1]
    assert run("delete", "-c", collection, "--id", json.loads(some)["id"]).code == 0
    done = run("optimize", "-c", collection, "--json")
    assert done.code == 0
    told = run("info", "-c", collection, "--json").json
    assert told["chunks"] == first["chunks"] - 1
    assert {name: told[name] for name in ("index", "index_reason", "indexed")}.items() <= done.json.items()
    assert done.json["bytes_on_disk"] == told["bytes_on_disk"]
    assert done.json["bytes_before"] >= first["bytes_on_disk"]
    done = run("optimize", "-c", collection)
    assert done.out.startswith(f"index: {told['index']} (")
    assert " MB, before " in done.out
    assert run("optimize", "-c", collection / "none").code == 1


def test_repair(run, collection):
    assert run("repair", "-c", collection, "--json").json == {"ok": True, "mended": [], "problems": []}
    with sqlite3.connect(collection / "collection.sqlite") as database:
        database.execute("DELETE FROM facets")
        database.execute("UPDATE state SET tokens = 0")
    database.close()
    assert run("verify", "-c", collection).code == 3
    done = run("repair", "-c", collection)
    assert done.code == 0
    assert "mended: state: says" in done.out
    assert done.out.splitlines()[-1] == "nothing is wrong"
    assert run("verify", "-c", collection).code == 0
    with sqlite3.connect(collection / "collection.sqlite") as database:
        database.execute("UPDATE chunks SET text = 'forged' WHERE row = 1")
    database.close()
    done = run("repair", "-c", collection)
    assert done.code == 3
    assert done.out.splitlines()[-1] == "2 problems left"  # the chunk, and that it is not in the full text


def test_verify_names_what_there_is_to_check(run, collection):
    checked = run("verify", "-c", collection, "--json").json["checked"]
    assert checked["indexes"] == 0
    *rows, end = run("verify", "-c", collection).out.splitlines()
    there = {what: f"{count} checked" for what, count in checked.items() if count}
    assert dict(row.split(maxsplit=1) for row in rows) == there
    assert end == "nothing is wrong"


def test_delete_by_id_and_document(run, collection):
    before = chunks(run, collection)
    hits = run("search", "travel", "-c", collection, "-k", 50, "--json").json["hits"]
    travel = [hit for hit in hits if (hit["source"] or "").endswith("travel.md")]
    assert run("delete", "-c", collection, "--id", travel[0]["id"], "--json").json == {"removed": 1}
    rest = len(travel) - 1
    assert run("delete", "-c", collection, "--document", travel[0]["document_id"], "--json").json == {"removed": rest}
    assert run("delete", "-c", collection, "--id", "unknown", "--json").json == {"removed": 0}
    assert chunks(run, collection) == before - len(travel)


@pytest.mark.parametrize("selection", [("--filter", 'topic == "office"'), ("--all",), ("--source", "")])
def test_what_may_mean_much_needs_yes_where_nobody_can_be_asked(run, collection, indexed, selection):
    if selection[0] == "--source":
        selection = ("--source", indexed[0] / "faq.csv")
    before = chunks(run, collection)
    refused = run("delete", "-c", collection, *selection)
    assert (refused.code, refused.out) == (1, "")
    assert "--yes" in refused.err
    assert chunks(run, collection) == before
    done = run("delete", "-c", collection, *selection, "--yes", "--json")
    assert done.code == 0
    assert done.json["removed"] == before - chunks(run, collection) > 0


def test_a_removed_file_is_indexed_again(run, collection, indexed):
    faq = indexed[0] / "faq.csv"
    assert run("delete", "-c", collection, "--source", faq, "--yes").code == 0
    done = run("index", indexed[0], "-c", collection, "--json").json
    assert done["added"] == [str(faq.resolve())]


def test_delete_says_what_it_cannot_do(run, collection):
    assert run("delete", "-c", collection).code == 2
    assert run("delete", "-c", collection, "--all", "--id", "x").code == 2
    nowhere = run("delete", "-c", collection, "--source", "nowhere", "--yes")
    assert nowhere.code == 1
    assert "nowhere" in nowhere.err


@pytest.mark.parametrize("embeddings", [True, False])
def test_export_import_and_index_again(run, indexed, tmp_path, embeddings):
    folder, collection = indexed
    file, restored = tmp_path / "handbook.jsonl", tmp_path / "restored.rag"
    options = ("--embeddings",) if embeddings else ()
    assert run("export", "-c", collection, "-o", file, *options).code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["handbook.jsonl"]
    done = run("import", file, "-c", restored, "--json")
    assert done.code == 0
    count = chunks(run, collection)
    assert done.json == {"sources": 3, "documents": 4, "chunks": count, "encoded": 0 if embeddings else count}
    again = run("index", folder, "-c", restored, "--json").json
    assert again["files"]["unchanged"] == 3
    assert again["chunks"]["encoded"] == 0
    question = ("search", "who approves travel?", "--json", "-k", 50, "-c")
    assert run(*question, restored).json == run(*question, collection).json


def test_only_what_has_no_embeddings_is_encoded(run, indexed, tmp_path):
    lines = [json.loads(line) for line in run("export", "-c", indexed[1], "--embeddings").out.splitlines()]
    without = [line for line in lines if line["kind"] == "chunk"][:2]
    for line in without:
        del line["embeddings"]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = run("import", "-", "-c", tmp_path / "b.rag", "--json", stdin=text)
    assert done.json["encoded"] == 2
    question = ("search", "who approves travel?", "--json", "-k", 50, "-c")
    assert run(*question, tmp_path / "b.rag").json == run(*question, indexed[1]).json


def test_export_to_stdout_is_lines_of_json_and_nothing_else(run, indexed):
    done = run("export", "-c", indexed[1])
    kinds = [json.loads(line)["kind"] for line in done.out.splitlines()]
    assert kinds[0] == "settings"
    assert set(kinds) == {"settings", "source", "document", "chunk"}
    assert done.err.startswith("exported: 3 files, 4 documents")


def test_a_file_that_cannot_be_written_or_read(run, indexed, tmp_path):
    done = run("export", "-c", indexed[1], "-o", tmp_path / "none" / "a.jsonl")
    assert done.code == 1
    assert "cannot be written" in done.err
    done = run("import", tmp_path / "none.jsonl", "-c", tmp_path / "b.rag")
    assert done.code == 1
    assert "none.jsonl: cannot be read" in done.err


def test_a_broken_file_leaves_no_collection(run, indexed, tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(run("export", "-c", indexed[1]).out[:-20], encoding="utf-8")
    done = run("import", file, "-c", tmp_path / "b.rag")
    assert done.code == 1
    assert f"{file}, line " in done.err
    assert not (tmp_path / "b.rag").exists()


def test_copy(run, indexed, tmp_path):
    folder, collection = indexed
    done = run("copy", collection, tmp_path / "b.rag", "--json")
    assert done.json["chunks"] == chunks(run, collection)
    assert done.json["encoded"] == 0
    assert (
        run("export", "-c", collection, "--embeddings").out
        == run("export", "-c", tmp_path / "b.rag", "--embeddings").out
    )
    assert run("index", folder, "-c", tmp_path / "b.rag", "--json").json["files"]["unchanged"] == 3
    twice = run("copy", collection, tmp_path / "b.rag")
    assert twice.code == 1
    assert run("copy", collection, tmp_path / "b.rag", "--merge").code == 0


def test_reading_commands_leave_the_collection_as_it_is(run, collection):
    def state():
        return {path.name: path.read_bytes() for path in Path(collection).iterdir() if path.is_file()}

    run("info", "-c", collection)  # the first reader may leave an empty log beside the database
    before = state()["collection.sqlite"]
    for command in (("search", "travel"), ("info",), ("verify",), ("export",)):
        assert run(*command, "-c", collection).code == 0
    assert state()["collection.sqlite"] == before
