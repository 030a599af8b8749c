from __future__ import annotations

import subprocess
import sys

import pytest

HIT_KEYS = ["rank", "id", "document_id", "source", "score", "similarity", "text", "start", "end", "metadata"]


def test_json_has_exactly_its_shape(run, indexed):
    folder, collection = indexed
    done = run("search", "who approves travel?", "-c", collection, "-k", 2, "--json")
    assert (done.code, done.err) == (0, "")
    answer = done.json
    assert list(answer) == ["query", "hits"]
    assert answer["query"] == "who approves travel?"
    assert [list(hit) for hit in answer["hits"]] == [HIT_KEYS] * 2
    first, second = answer["hits"]
    assert (first["rank"], second["rank"]) == (1, 2)
    assert first["score"] > second["score"]
    assert 0 < first["similarity"] <= 1
    assert first["source"] == f"{folder.resolve()}/travel.md"
    assert "head of department" in first["text"]
    assert (folder / "travel.md").read_text()[first["start"] : first["end"]] == first["text"]
    assert first["metadata"]["heading"] == "Travel > Approval"


def test_text_output_is_plain_where_no_terminal_is(run, indexed):
    done = run("search", "who approves travel?", "-c", indexed[1], "-k", 1)
    assert done.code == 0
    assert "\x1b" not in done.out
    first, *rest = done.out.splitlines()
    assert first.split()[0] == "1"
    assert first.endswith("travel.md · Travel > Approval")
    assert "The head of department approves travel abroad" in done.out
    assert all(line == line.rstrip() for line in rest)


def test_matches_are_highlighted_where_colours_are(spawn, indexed):
    coloured = spawn("search", "who approves travel?", "-c", indexed[1], "-k", 1, FORCE_COLOR="1")
    assert "\x1b[1;33mapproves\x1b[0m" in coloured.out
    plain = spawn("search", "who approves travel?", "-c", indexed[1], "-k", 1, FORCE_COLOR="1", NO_COLOR="1")
    assert "approves" in plain.out
    assert "33m" not in plain.out


def test_sources_are_shown_as_seen_from_the_working_folder(run, indexed, monkeypatch):
    folder, collection = indexed
    whole = f"{folder.resolve()}/travel.md"
    for place, shown in ((folder, "travel.md"), (folder.parent, "handbook/travel.md"), (folder.anchor, whole)):
        monkeypatch.chdir(place)
        first = run("search", "who approves travel?", "-c", collection, "-k", 1).out.splitlines()[0]
        assert first.split()[2] == shown


def test_a_search_loads_only_what_it_needs(environment, indexed):
    program = (
        "import sys\nfrom late_rag.cli import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    arguments = ("search", "who approves travel?", "-c", str(indexed[1]))
    done = subprocess.run([sys.executable, "-c", program, *arguments], env=environment, capture_output=True, check=True)
    assert b"travel.md" in done.stdout
    loaded = set(done.stderr.decode().split())
    assert "late_rag.cli.passages" in loaded
    needless = {"rich.console", "rich.text", "asyncio", "email", "http", "late_rag.loaders", "late_rag.explain"}
    assert not loaded & (needless | {"late_rag.chunkers.auto", "late_rag.pooling", "late_rag.evaluation"})


def test_narrow_terminals(spawn, indexed):
    done = spawn("search", "who approves travel?", "-c", indexed[1], "-k", 1, COLUMNS="30")
    assert all(len(line) <= 30 for line in done.out.splitlines()[1:])


def test_output_is_utf8_in_every_locale(run, environment, tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("Ünïcödé — 休假由组长批准。", encoding="utf-8")
    assert run("index", file, "-c", tmp_path / "a.rag").code == 0
    twice = (
        "import contextlib, sys\nfrom late_rag.cli import main\n"
        "for more in ([], ['--json']):\n    sys.argv = ['late-rag', *sys.argv[1:], *more]\n"
        "    with contextlib.suppress(SystemExit):\n        main()\n"
    )
    command = [sys.executable, "-c", twice, "search", "leave", "-c", str(tmp_path / "a.rag")]
    for variables in ({"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}):
        done = subprocess.run(command, env=environment | variables, capture_output=True, check=True)
        text, _, json = done.stdout.decode("utf-8").partition("{")
        assert "休假由组长批准" in text
        assert "休假由组长批准" in json


def test_control_characters_of_a_document_do_not_reach_the_terminal(run, tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("before \x1b[31mred\x07 after", encoding="utf-8")
    assert run("index", file, "-c", tmp_path / "a.rag").code == 0
    done = run("search", "red", "-c", tmp_path / "a.rag")
    assert "red" in done.out
    assert "\x1b" not in done.out
    assert "\x07" not in done.out


def test_no_hits_is_no_error(run, indexed):
    arguments = ("search", "travel", "-c", indexed[1], "--filter", 'topic == "nothing"')
    assert run(*arguments, "--json").json == {"query": "travel", "hits": []}
    done = run(*arguments)
    assert (done.code, done.out, done.err) == (0, "", "no hits\n")


def test_filter_threshold_and_by_document(run, indexed):
    def hits(*options):
        return run("search", "travel costs", "-c", indexed[1], "-k", 50, "--json", *options).json["hits"]

    assert {hit["metadata"]["topic"] for hit in hits("--filter", 'topic in ["office", "parking"]')} == {
        "office",
        "parking",
    }
    everything = hits()
    bar = everything[1]["similarity"]
    assert hits("--threshold", bar) == everything[:2]
    documents = [hit["document_id"] for hit in hits("--by", "document")]
    assert len(documents) == len(set(documents)) == 4 < len(everything)


def test_hybrid_context_and_diversity(run, indexed):
    def hits(*options):
        return run("search", "travel costs", "-c", indexed[1], "-k", 3, "--json", *options).json["hits"]

    plain = hits()
    assert all("fused" not in hit and "context" not in hit for hit in plain)
    assert all(0 < hit["fused"] <= 2 / 61 for hit in hits("--mode", "hybrid"))
    assert all(hit["text"] in hit["context"] for hit in hits("--expand", "1"))
    whole = hits("--expand", "document")
    assert all(len(hit["context"]) >= len(hit["text"]) for hit in whole)
    assert hits("--lambda", "1", "--fetch-k", "9") == plain
    shown = run("search", "travel costs", "-c", indexed[1], "-k", 1, "--expand", "document").out
    assert " ".join(whole[0]["context"].split())[-20:] in " ".join(shown.split())


@pytest.mark.parametrize(
    ("options", "code", "word"),
    [
        (("   ",), 1, "query"),
        (("x", "-k", "0"), 1, "top_k"),
        (("x", "-k", "five"), 2, "--top-k"),
        (("x", "--filter", "year >="), 1, ">="),
        (("x", "--by", "page"), 2, "page"),
        (("x", "--threshold", "nan"), 1, "threshold"),
        (("x", "--mode", "bm25"), 2, "--mode"),
        (("x", "--expand", "parent"), 1, "expand"),
        (("x", "--lambda", "2"), 1, "lambda"),
        (("x", "--fetch-k", "9"), 1, "lambda"),
    ],
)
def test_what_cannot_be_is_said(run, indexed, options, code, word):
    done = run("search", *options, "-c", indexed[1])
    assert (done.code, done.out) == (code, "")
    assert word in done.err


def test_no_collection(run, tmp_path):
    done = run("search", "x", "-c", tmp_path / "none.rag")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"error: there is no collection at {tmp_path / 'none.rag'}\n"


def test_debug_shows_the_traceback(run, tmp_path):
    done = run("search", "x", "-c", tmp_path / "none.rag", "--debug")
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1].startswith("error: ")


def test_verbose_logs_to_stderr(spawn, handbook, tmp_path):
    loud = spawn("index", handbook, "-c", tmp_path / "a.rag", "-v", "--json")
    assert loud.json["files"]["added"] == 3
    assert "info: " in loud.err
    assert "info: " not in spawn("index", handbook, "-c", tmp_path / "b.rag").err
