"""Archives that hold documents: their limits, what they are told to be, and their parts."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from late_rag.errors import LoadError
from late_rag.loaders import load
from late_rag.loaders.archive import MOST_MEMBERS, open_archive

KINDS = {
    "a.pptx": "a PowerPoint file (.pptx)",
    "a.xlsx": "an Excel file (.xlsx)",
    "a.ods": "a spreadsheet (.ods)",
    "a.odt": "a text document (.odt)",
    "a.odp": "a presentation (.odp)",
    "a.epub": "a book (.epub)",
}


def pack(path: Path, **parts: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_what_is_no_archive_is_told(tmp_path: Path, problem_of: Callable[..., str], name: str, kind: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"x")
    assert problem_of(path) == f"is not {kind}: it begins with b'x'"
    path.write_bytes(b"<html><body>a table</body></html>")
    assert problem_of(path) == f"is not {kind}, but a text, HTML or XML by its first letter"
    path.write_bytes(b"%PDF-1.7")
    assert problem_of(path) == f"is not {kind}, but a PDF"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    assert problem_of(path).startswith(f"is cut off, or not {kind}")
    path.write_bytes(b"")
    assert problem_of(path) == "is empty"


@pytest.mark.parametrize("name", KINDS)
def test_another_document_under_this_name_is_told(tmp_path: Path, problem_of: Callable[..., str], name: str) -> None:
    path = pack(tmp_path / name, **{"word/document.xml": b"<w/>"})
    assert problem_of(path) == f"is not {KINDS[name]}, but a Word document (.docx)"


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"a.xlsx", "a.ods"}))
def test_a_file_protected_by_a_password_is_told(tmp_path: Path, problem_of: Callable[..., str], name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage\0".encode("utf-16-le"))
    assert "protected by a password" in problem_of(path)


def test_too_many_parts_are_refused(tmp_path: Path, problem_of: Callable[..., str]) -> None:
    path = pack(tmp_path / "a.epub", **{str(number): b"" for number in range(MOST_MEMBERS + 1)})
    assert problem_of(path) == "holds 20,001 parts; the limit is 20,000"


def test_a_part_that_grows_too_much_is_refused(tmp_path: Path, problem_of: Callable[..., str]) -> None:
    path = pack(tmp_path / "a.pptx", **{"ppt/presentation.xml": bytes(64 << 20)})
    assert "times (ppt/presentation.xml); the limit is 250 times" in problem_of(path)


def test_all_parts_together_are_bounded(tmp_path: Path, problem_of: Callable[..., str]) -> None:
    path = pack(tmp_path / "a.odt", **{str(number): bytes(30 << 20) for number in range(36)})
    assert problem_of(path) == "holds 1,132,462,080 bytes in all; the limit is 1,073,741,824"


def test_a_part_is_never_longer_than_it_claims(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.odt", **{"content.xml": b"<a>" + b"x" * 1000 + b"</a>"})
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02") + 24
    data[place : place + 4] = (7).to_bytes(4, "little")
    path.write_bytes(data)
    with (
        open_archive(path, "a text document (.odt)") as archive,
        pytest.raises(LoadError, match=r"content\.xml cannot be read"),
    ):
        archive.read("content.xml")


def test_entities_are_refused(tmp_path: Path, problem_of: Callable[..., str]) -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>'
    assert "defines entities of its own" in problem_of(pack(tmp_path / "a.odt", **{"content.xml": bomb}))
    assert "defines entities of its own" in problem_of(pack(tmp_path / "a.epub", **{"META-INF/container.xml": bomb}))
    assert "defines entities" in problem_of(pack(tmp_path / "a.pptx", **{"ppt/presentation.xml": bomb}))
    assert "defines entities" in problem_of(
        pack(tmp_path / "b.pptx", **{"ppt/presentation.xml": bomb.decode().encode("utf-16")})
    )


def test_the_cases_with_a_wrong_name_are_told() -> None:
    folder = Path(__file__).parents[1] / "cases" / "skip"
    for name in ("d.epub", "e.pptx", "f.xlsx", "m.odt"):
        (file,) = load(folder / name)
        assert not list(file.documents)
        assert f"{name}: is not " in str(file.error)
