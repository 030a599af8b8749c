"""What load promises about errors, and that its page in the documentation runs."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from late_rag.backends import LOADERS, resolve
from late_rag.errors import LoadError
from late_rag.loaders import load
from late_rag.loading import LoadOptions


def test_a_folder_goes_on_past_broken_files(tmp_path, make_pdf, caplog):
    (tmp_path / "a.txt").write_text("good")
    (tmp_path / "b.txt").write_bytes(bytes(100))
    make_pdf("c.pdf", [])
    (tmp_path / "d.jsonl").write_text('{"text": "one"}\nbroken')
    (tmp_path / "e.md").write_text("good too")
    outcome = {}
    for file in load(tmp_path):
        texts = [document.text for document in file.documents]
        outcome[file.path] = (texts, file.error is not None)
    assert outcome == {
        "a.txt": (["good"], False),
        "b.txt": ([], True),
        "c.pdf": ([], True),
        "d.jsonl": (["one"], False),  # a bad line is an omission
        "e.md": (["good too"], False),
    }
    assert (caplog.text.count("not loaded: "), caplog.text.count("left out: ")) == (2, 1)


def test_strict_raises_at_the_first_problem(tmp_path):
    (tmp_path / "a.txt").write_bytes(bytes(100))
    (file,) = load(tmp_path, strict=True)
    with pytest.raises(LoadError, match=r"a\.txt: looks binary"):
        list(file.documents)


def test_a_file_that_goes_between_finding_and_reading(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("words")
    (file,) = load(tmp_path)
    path.unlink()
    assert list(file.documents) == []
    assert str(file.error) == f"{path}: No such file or directory"


def test_nothing_is_parsed_before_it_is_asked_for(tmp_path):
    (tmp_path / "a.txt").write_bytes(bytes(100))
    (file,) = load(tmp_path)
    assert file.error is None
    assert file.hash
    assert list(file.documents) == []
    assert file.error is not None


def test_documents_can_be_iterated_again(tmp_path):
    (tmp_path / "a.txt").write_text("words")
    (file,) = load(tmp_path)
    assert list(file.documents) == list(file.documents)


@pytest.mark.parametrize("suffix", sorted(LOADERS))
def test_every_row_of_the_table_is_a_loader(suffix):
    assert suffix == suffix.lower()
    assert isinstance(resolve(LOADERS, suffix, "loader").records, bool)


def test_importing_loaders_is_light():
    code = (
        "import sys, late_rag.loaders\n"
        "libraries = {'numpy', 'bs4', 'markdownify', 'pypdfium2', 'charset_normalizer', 'PIL', 'mammoth'}\n"
        "heavy = libraries & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(heavy)) or None)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_the_documentation_names_every_extension_and_runs(repository, tmp_path, monkeypatch, capsys):
    page = (repository / "docs" / "loading.md").read_text(encoding="utf-8")
    rows = {suffix for row in re.findall(r"^\| `(\.[^`]*)`", page, re.MULTILINE) for suffix in row.split()}
    assert rows == set(LOADERS)
    monkeypatch.chdir(repository)
    names: dict[str, object] = {"__name__": "loading"}
    for snippet in re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        exec(compile(snippet, "docs/loading.md", "exec"), names)
    assert "history/normans.md Normans" in capsys.readouterr().out
    card = tmp_path / "a.vcf"
    card.write_text("BEGIN:VCARD\nFN:Zoë Day\nEMAIL;TYPE=home:z@example.org\nEND:VCARD\n", encoding="utf-8")
    ((key, document),) = names["ContactLoader"]()(card, LoadOptions())
    assert (key, document.text, document.metadata["title"]) == ("", "Zoë Day\nz@example.org", "Zoë Day")


def sparse(path: Path, size: int) -> Path:
    """A file of so many bytes that takes no room."""
    with path.open("wb") as file:
        file.truncate(size)
    return path


RECORDS = {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".mbox"}


@pytest.mark.parametrize("extension", sorted(LOADERS.keys() - RECORDS))
def test_a_file_of_20_gb_is_told_and_not_looked_at(tmp_path, extension):
    path = sparse(tmp_path / f"a{extension}", 20 << 30)
    started = time.monotonic()
    (file,) = load(path)
    row = LOADERS[extension]
    assert str(file.error) == (
        f"{path}: has 21,474,836,480 bytes; at most {row.largest:,} of {row.title} are read. Split it"
    )
    assert (file.size, file.hash, list(file.documents)) == (20 << 30, "", [])
    assert time.monotonic() - started < 1


def test_the_largest_size_is_read_and_one_byte_more_is_not(tmp_path, monkeypatch):
    monkeypatch.setitem(LOADERS, ".txt", replace(LOADERS[".txt"], largest=5))  # type: ignore[index]
    (tmp_path / "a.txt").write_text("words")
    (tmp_path / "b.txt").write_text("words!")
    good, bad = load(tmp_path)
    assert [document.text for document in good.documents] == ["words"]
    assert str(bad.error) == f"{tmp_path}/b.txt: has 6 bytes; at most 5 of plain text are read. Split it"


def test_an_attachment_that_is_too_large_costs_itself_alone(tmp_path, monkeypatch):
    monkeypatch.setitem(LOADERS, ".txt", replace(LOADERS[".txt"], largest=5))  # type: ignore[index]
    mail = EmailMessage()
    mail.set_content("see below")
    for name, text in (("good.txt", "five"), ("bad.txt", "a lot")):
        mail.add_attachment(text, filename=name)
    (tmp_path / "a.eml").write_bytes(bytes(mail))
    (file,) = load(tmp_path)
    assert [document.text.strip() for document in file.documents] == ["see below", "five"]
    (omission,) = file.omissions
    assert omission.what == "attachment 'bad.txt': has 6 bytes; at most 5 of plain text are read. Split it"
