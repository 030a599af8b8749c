"""late-rag formats, and what index says of files it cannot read whole."""

from __future__ import annotations

import subprocess
import sys

from late_rag.backends import LOADERS
from late_rag.cli import formats, left_out
from late_rag.retriever import FileOmission

JSON_LINES = '{"text": "the quay"}\n{"text": \n{"text": "the barn"}\n'


def test_formats_lists_every_extension_once(run):
    listed = run("formats", "--json").json
    extensions = [extension for row in listed for extension in row["extensions"]]
    assert sorted(extensions) == sorted(LOADERS)
    assert all(row["format"] and row["missing"] == [] for row in listed)
    text = run("formats").out
    assert all(row["format"] in text for row in listed)
    (pdf,) = [row for row in listed if row["extensions"] == [".pdf"]]
    assert pdf["libraries"] == ["pypdfium2", "spellchecker"]


def test_formats_says_how_to_get_what_is_missing(run, monkeypatch):
    real = formats.find_spec
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "mammoth" else real(name))
    (word,) = [row for row in run("formats", "--json").json if ".docx" in row["extensions"]]
    assert word["missing"] == ["mammoth"]
    assert 'missing mammoth: pip install "late-rag[office]"' in run("formats").out


def test_formats_lists_what_optional_libraries_add(run, monkeypatch):
    rows = {row["format"]: row for row in run("formats", "--json").json}
    main_content = {"library": "trafilatura", "extra": "web", "for": "main content of web pages", "installed": True}
    assert rows["web pages"]["optional"] == rows["saved web pages"]["optional"] == [main_content]
    assert [option["library"] for option in rows["pictures"]["optional"]] == ["PIL"]
    assert rows["plain text"]["optional"] == []
    lines = [" ".join(line.split()) for line in run("formats").out.splitlines()]
    assert lines[-2:] == [
        "main content of web pages trafilatura (optional)",
        "pictures and pages that are drawn PIL (optional)",
    ]
    real = formats.find_spec
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name in ("trafilatura", "PIL") else real(name))
    told = run("formats").out
    for library, extra in (("trafilatura", "web"), ("PIL", "images")):
        assert f'missing {library}: pip install "late-rag[{extra}]"' in told
    assert all(row["missing"] == [] for row in run("formats", "--json").json)


def test_a_library_of_the_core_needs_no_extra(run, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None)
    assert 'missing selectolax: pip install "late-rag"' in run("formats").out


def test_a_name_with_a_line_end_is_told_in_one_line(run, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "two\nlines.xyz").touch()
    done = run("index", tmp_path / "docs", "-c", tmp_path / "a.rag")
    assert any("two lines.xyz: there is no loader for .xyz" in line for line in done.err.splitlines())


def test_formats_imports_no_library():
    code = "import sys; from late_rag.cli.formats import list_formats; list_formats(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"mammoth", "pypdfium2", "selectolax", "pptx", "numpy"} & set(loaded)


def test_every_format_has_a_row_on_the_page(repository):
    page = (repository / "docs" / "loading.md").read_text(encoding="utf-8")
    assert [extension for extension in LOADERS if extension not in page] == []


def test_a_path_that_is_not_there_leaves_no_collection(run, tmp_path):
    done = run("index", tmp_path / "nowhere", "-c", tmp_path / "a.rag")
    assert done.code == 1
    assert "there is no file or folder" in done.err
    assert not (tmp_path / "a.rag").exists()


def test_a_bad_record_is_named_and_the_others_are_indexed(run, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.jsonl").write_text(JSON_LINES)
    done = run("index", tmp_path / "docs", "-c", tmp_path / "a.rag", "--json")
    assert done.code == 3
    assert done.json["chunks"]["written"] == 2
    (left_out,) = done.json["left_out"]
    assert left_out["what"].startswith("line 2: is not JSON")
    assert left_out["lost"] is True
    assert "a.jsonl: line 2: is not JSON" in done.err
    assert "1 incomplete" in done.err


def test_what_is_left_out_on_purpose_is_counted_and_no_problem(run, tmp_path):
    notebook = (
        '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code", "metadata": {}, '
        '"execution_count": 1, "source": "answer()", "outputs": [{"output_type": "stream", "name": "stdout", '
        '"text": "forty-two"}]}]}'
    )
    (tmp_path / "docs").mkdir()
    for name in ("a", "b"):
        (tmp_path / "docs" / f"{name}.ipynb").write_text(notebook)
    done = run("index", tmp_path / "docs", "-c", tmp_path / "a.rag")
    assert done.code == 0
    files = ", ".join(f"{tmp_path}/docs/{name}.ipynb" for name in "ab")
    assert f'left out: outputs (read with include=["outputs"] or --include outputs) (2 files: {files})' in done.err
    whole = run("index", tmp_path / "docs", "-c", tmp_path / "b.rag", "--include", "outputs", "--json")
    assert whole.json["left_out"] == []
    assert run("info", "-c", tmp_path / "b.rag", "--json").json["include"] == ["outputs"]


def test_a_page_without_text_is_skipped_by_name(run, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.html").write_text("<script>1</script>")
    done = run("index", tmp_path / "docs", "-c", tmp_path / "a.rag")
    assert done.code == 3
    assert "a.html: has no text" in done.err
    assert "1 not indexed" in done.err


def test_what_is_alike_is_left_out_in_one_line(run, tmp_path, monkeypatch):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.csv").write_text("id,text\n" + "".join(f"{n},\n" for n in range(25)) + "x,words\n")
    (docs / "b.csv").write_text("id,text\n")
    monkeypatch.chdir(tmp_path)
    done = run("index", docs, "-c", tmp_path / "a.rag")
    assert done.code == 0
    assert [line for line in done.err.splitlines() if line.startswith("left out: ")] == [
        "left out: line 2: its text is empty, and 24 like it (1 file: docs/a.csv)",
        "left out: all of it: there are no records in it (1 file: docs/b.csv)",
    ]
    named = run("index", docs, "-c", tmp_path / "b.rag", "--json").json["left_out"]
    assert [gap["what"] for gap in named][-2:] == ["line 25: its text is empty", "line 26: its text is empty"]
    assert len(named) == 26


def test_lines_of_what_is_left_out_are_few_and_short():
    gaps = [FileOmission(f"/f{number}", "x" * (number % 12 + 1), lost=False) for number in range(36)]
    lines = left_out.lines_of([*gaps, FileOmission("/last\nline", "y" * 500 + "\x1b[2J", lost=False)])
    assert len(lines) == 11
    assert lines[0] == "x (3 files: /f0, /f12, /f24)"
    assert lines[-1] == "3 more kinds of things; --json names them"
    (line,) = left_out.lines_of([FileOmission("/a\nb", "\x1b[2J" + "y" * 500, lost=False)])
    assert line == " [2J" + "y" * 196 + "… (1 file: /a b)"
    hidden = [FileOmission("/a", f"hidden sheet {name!r}", lost=False) for name in ("Data", "it's", "2")]
    assert left_out.lines_of([*hidden, FileOmission("/b", "hidden slide", lost=False)]) == [
        "hidden sheet 'Data', and 2 like it (1 file: /a)",
        "hidden slide (1 file: /b)",
    ]


def test_pictures_for_a_model_of_texts_are_left_out_and_counted(run, tmp_path, monkeypatch):
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "a.txt").write_text("the quay and the mill")
    for number in range(4):
        (docs / f"logo{number}.gif").write_bytes(b"GIF89a" + bytes(7))
    monkeypatch.chdir(docs)
    done = run("index", ".", "-c", tmp_path / "a.rag")
    assert done.code == 0
    told = done.err.splitlines()
    assert told[0] == "files: 1 added, 4 not read by the model"
    files = "4 files: logo0.gif, logo1.gif, logo2.gif, …"
    assert told[2:] == [f"left out: a picture, which the model 'minilm' does not read ({files})"]
    again = run("index", ".", "-c", tmp_path / "a.rag", "--json")
    assert again.code == 0
    assert again.json["files"] == {"added": 0, "changed": 0, "removed": 0, "unchanged": 1, "unread": 4, "failed": 0}
    assert again.json["unread"] == [f"{docs}/logo{number}.gif" for number in range(4)]
    assert {gap["what"] for gap in again.json["left_out"]} == {"a picture, which the model 'minilm' does not read"}


def test_a_picture_that_is_named_on_the_command_line_is_a_problem(run, tmp_path):
    (tmp_path / "logo.gif").write_bytes(b"GIF89a" + bytes(7))
    done = run("index", tmp_path / "logo.gif", "-c", tmp_path / "a.rag")
    assert done.code == 3
    assert done.err.splitlines()[0] == (
        f"warning: not indexed: {tmp_path}/logo.gif has no text but a picture, and the model 'minilm' reads only text; "
        "leave it out, give it a text, or take a model that reads it"
    )
    assert done.err.splitlines()[1] == "files: 1 not indexed"
