"""On a terminal no text of a document, name or database is a command; a pipe gets all as it is."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from late_rag import Document, Retriever
from late_rag.cli.output import printable, single_line

SIGNS = [chr(code) for code in (*range(9), *range(11, 32), *range(127, 160))]
TURNS = [chr(code) for code in (0x61C, 0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))]
FORBIDDEN = set(SIGNS) | set(TURNS)
HOSTILE = "title \x1b]0;owned\x07 \x9b31m \x9d8;;http://evil\x9c \u202etxt.exe\u2066 \u2028line \x85next"
FORGED = "\nwarning: all is well\r\nerror: none"


def on_terminal(*arguments: str, **options: str) -> str:
    """What a terminal is sent, stdout and stderr together, without what our own drawing sends."""
    parent, child = pty.openpty()
    environment = os.environ | {"TERM": "dumb", "COLUMNS": "2000", "NO_COLOR": "1"} | options
    command = [sys.executable, "-m", "late_rag", *arguments]
    with subprocess.Popen(command, stdin=child, stdout=child, stderr=child, env=environment) as process:
        os.close(child)
        sent = b""
        while True:
            try:
                block = os.read(parent, 65536)
            except OSError:  # the other end is closed
                break
            sent += block
            if not block:
                break
        process.wait()
    os.close(parent)
    return sent.decode("utf-8").replace("\r\n", "\n")


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    location = tmp_path_factory.mktemp("terminal") / "c.rag"
    with Retriever.create(location) as made:
        hostile = {"heading": HOSTILE + FORGED, HOSTILE + FORGED: HOSTILE}
        made.add([Document("d" + HOSTILE + FORGED, f"the annual leave {HOSTILE}", metadata=hostile)])
    return location


def assert_harmless(sent: str) -> None:
    assert set(sent) & FORBIDDEN == set()
    assert "leave" in sent or "title" in sent
    assert not re.search(r"^(warning: all is well|error: none)", sent, re.MULTILINE)


@pytest.mark.parametrize("command", ["search leave", "search leave --json", "export", "info", "info --json"])
def test_nothing_commands_the_terminal(collection: Path, command: str) -> None:
    sent = on_terminal(*command.split(), "-c", str(collection))
    assert_harmless(sent)


def test_json_means_the_same_on_a_terminal_and_in_a_pipe(collection: Path) -> None:
    arguments = ["search", "leave", "--json", "-c", str(collection)]
    command = [sys.executable, "-m", "late_rag", *arguments]
    piped = subprocess.run(command, capture_output=True, check=True).stdout.decode("utf-8")
    assert json.loads(on_terminal(*arguments)) == json.loads(piped)
    assert "\u202e" in piped
    assert HOSTILE in json.loads(piped)["hits"][0]["text"]


def test_an_export_to_a_terminal_can_be_read_back(collection: Path) -> None:
    lines = [json.loads(line) for line in on_terminal("export", "-q", "-c", str(collection)).splitlines()]
    assert [line["kind"] for line in lines] == ["settings", "document", "chunk"]
    assert HOSTILE in lines[1]["text"]


def test_problems_that_verify_finds_are_one_line_each(collection: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.rag"
    shutil.copytree(collection, damaged)
    with sqlite3.connect(damaged / "collection.sqlite") as database:
        database.execute("UPDATE chunks SET content_hash = 'x'")
    database.close()
    for sent in (on_terminal("verify", "-c", str(damaged)), on_terminal("verify", "--json", "-c", str(damaged))):
        assert_harmless(sent)
        assert "title" in sent


def test_names_of_files_in_log_lines_and_errors(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / f"title \x1b[31m\u202e{FORGED.replace('/', '')}.json").write_text("{broken")
    (folder / "title \x9b31m \u2066.docx").write_text("no document")
    sent = on_terminal("index", str(folder), "-c", str(tmp_path / "c.rag"), "-vv", "-q")
    assert_harmless(sent)
    assert sent.count("title") >= 2
    for debug in ([], ["--debug"]):
        name = tmp_path / f"title \x1b[31m\u202e{FORGED}.rag"
        assert_harmless(on_terminal("info", "-c", str(name), *debug))


def test_each_such_character_becomes_one_that_is_none() -> None:
    text = "".join(SIGNS + TURNS)
    assert len(printable(text)) == len(text)
    assert set(printable(text)) == {" ", "\N{WORD JOINER}"}
    assert printable("a\nb\tç 日本 👩\u200d💻") == "a\nb\tç 日本 👩\u200d💻"
    assert single_line("a\r\nb\u2028c\x85d\x0be") == "a  b c d e"
