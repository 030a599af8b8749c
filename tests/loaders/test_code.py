"""Source code, configuration and data read by lines: as it is, with a mime type that says the language."""

from __future__ import annotations

from pathlib import Path

import pytest

from late_rag.backends import LOADERS
from late_rag.loaders import load
from late_rag.loaders.code import LANGUAGES, MIME_TYPES, mime_type

PYTHON = "def f(x):\n\treturn x  # größer\n\n\nclass A:\n    pass\n"
CODE = sorted(suffix for suffix, read_by in LOADERS.items() if read_by.name == "CodeLoader")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.py", "text/x-python"),
        ("a.PY", "text/x-python"),
        ("a.tsx", "text/x-typescript"),
        ("a.go", "text/x-go"),
        ("a.rs", "text/x-rust"),
        ("a.hpp", "text/x-c++"),
        ("a.sql", "text/x-sql"),
        ("a.yml", "application/yaml"),
        ("a.toml", "application/toml"),
        ("a.conf", "text/x-ini"),
        ("a.properties", "text/x-properties"),
    ],
)
def test_code_is_text_as_it_is_with_its_language(tmp_path, one_document, name, expected):
    path = tmp_path / name
    path.write_bytes(PYTHON.replace("\n", "\r\n").encode())
    document = one_document(path)
    assert document.text == PYTHON
    assert document.metadata == {"mime_type": expected}


def test_extensions_and_languages_belong_together():
    assert len(CODE) > 60
    assert {extension for extension in (*LANGUAGES, *MIME_TYPES) if f".{extension}" not in LOADERS} == set()
    assert ".env" not in LOADERS
    assert all(mime_type(Path(f"a{suffix}")).partition("/")[2] for suffix in CODE)


def test_another_encoding(tmp_path, one_document):
    path = tmp_path / "a.py"
    path.write_bytes("# Der Käse schmeckt süß, sagte er auf der Straße.\n".encode("cp1252"))
    assert one_document(path).text == "# Der Käse schmeckt süß, sagte er auf der Straße.\n"


def test_what_is_no_code_is_told(tmp_path, problem_of):
    (tmp_path / "a.ts").write_bytes(b"G\x40\x11\x10" + bytes(range(256)) * 4)
    assert problem_of(tmp_path / "a.ts").startswith("looks binary")
    (tmp_path / "b.yaml").write_text("")
    assert problem_of(tmp_path / "b.yaml") == "is empty"


def test_names_without_an_extension_have_their_reason(tmp_path):
    for name in ("Makefile", "README"):
        (tmp_path / name).write_text("all:\n")
    assert [str(file.error).partition(": ")[2] for file in load(tmp_path)] == [
        "there is no loader for files without an extension"
    ] * 2
