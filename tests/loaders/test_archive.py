"""Archives that hold documents: their limits, what they are told to be, and their parts."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from late_rag.errors import LoadError
from late_rag.loaders import archive, load
from late_rag.loaders.archive import MOST_MEMBERS, Limits, open_archive
from tests.loaders.office_files import MAKERS, parts_of

KINDS = {
    "a.pptx": "a PowerPoint file (.pptx)",
    "a.xlsx": "an Excel file (.xlsx)",
    "a.ods": "a spreadsheet (.ods)",
    "a.odt": "a text document (.odt)",
    "a.odp": "a presentation (.odp)",
    "a.epub": "a book (.epub)",
}


def pack(path: Path, **parts: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in parts.items():
            made.writestr(name, data)
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
    path = pack(tmp_path / "a.odt", **{f"{number:02}": b"x" for number in range(36)})
    data = bytearray(path.read_bytes())
    for found in list(re.finditer(rb"PK\x01\x02", data)):  # the entries of the directory, and what each claims
        data[found.start() + 24 : found.start() + 28] = (30 << 20).to_bytes(4, "little")
        data[found.start() + 20 : found.start() + 24] = (1 << 20).to_bytes(4, "little")
    path.write_bytes(data)
    assert problem_of(path) == "holds 1,132,462,080 bytes in all; the limit is 1,073,741,824"


DENSE = {
    "a.docx": ("word/document.xml", "<w:p/>"),
    "a.pptx": ("ppt/slides/slide1.xml", "<a:p/>"),
    "a.odt": ("content.xml", "<text:p/>"),
    "a.odp": ("content.xml", "<text:p/>"),
    "a.ods": ("content.xml", "<text:p/>"),
    "a.epub": ("b/one.xhtml", "<p>"),
    "a.xlsx": ("xl/worksheets/sheet1.xml", "<c/>"),
}


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.parametrize(
    ("limits", "told"),
    [(Limits(900, 1 << 20), r"\d,\d{3} elements"), (Limits(9000, 20_000), r"\d\d,\d{3} bytes of markup")],
)
def test_a_small_file_of_many_elements_or_bytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, limits: Limits, told: str
) -> None:
    path = MAKERS[name](tmp_path / name)
    monkeypatch.setattr(archive, "USUAL", limits)
    monkeypatch.setattr(archive, "LIMITS", {})
    (file,) = load(path, isolated=False)  # where the limits are those of this test
    assert list(file.documents)
    assert not any("the limit is" in gap.what for gap in file.omissions)
    part, element = DENSE[name]
    parts = parts_of(path)
    dense = re.sub(rb"</", element.encode() * (1000 if "elements" in told else 0) + b"</", parts[part], count=1)
    dense = dense.replace(b"</", b"<!--%s--></" % (b"x" * (20_000 if "bytes" in told else 0)), 1)
    pack(path, **(parts | {part: dense}))
    list(file.documents)
    problems = [str(file.error), *(gap.what for gap in file.omissions if gap.lost)]
    problem = next(problem for problem in problems if "the limit is" in problem)
    found = re.search(
        rf"its part {part} has {told}(?:, [\d,]+ with the parts before it)?; the limit is [\d,]+$", problem
    )
    assert found, problem


def test_attributes_count_as_elements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "USUAL", Limits(100, 1 << 20))
    attributes = " ".join(f"a{number}=''" for number in range(1000)).encode()
    path = pack(tmp_path / "a.odt", **{"content.xml": b"<a " + attributes + b"/>"})
    with (
        open_archive(path, "a drawing") as opened,
        pytest.raises(LoadError, match="has 125 elements; the limit is 100"),
    ):
        opened.xml("content.xml")


def test_a_part_that_is_read_again_counts_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "USUAL", Limits(5, 1 << 20))
    path = pack(tmp_path / "a.odt", **{"content.xml": b"<a><b/></a>"})
    with open_archive(path, "a drawing") as opened:
        opened.xml("content.xml"), opened.xml("content.xml")
        with pytest.raises(LoadError, match="has 2 elements, 6 with the parts before it; the limit is 5"):
            opened.xml("content.xml")


def test_other_compression_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.odt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as made:
        made.writestr("content.xml", "<a/>")
    with open_archive(path, "a drawing") as opened, pytest.raises(LoadError, match="is compressed as no such file is"):
        opened.xml("content.xml")


def test_a_part_is_never_longer_than_it_claims(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.odt", **{"content.xml": b"<a>" + b"x" * 1000 + b"</a>"})
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02") + 24
    data[place : place + 4] = (7).to_bytes(4, "little")
    path.write_bytes(data)
    with (
        open_archive(path, "a text document (.odt)") as opened,
        pytest.raises(LoadError, match=r"content\.xml cannot be read"),
    ):
        opened.read("content.xml")


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
