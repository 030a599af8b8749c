"""A damaged part of an archive costs itself alone, and is named."""

from __future__ import annotations

import functools
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from late_rag.loaders import load
from tests.loaders.office_files import MAKERS, pack, parts_of, spoiled

ESSENTIAL = {
    "a.docx": {"word/document.xml"},
    "a.pptx": {"ppt/presentation.xml"},
    "a.xlsx": {"xl/workbook.xml", "xl/_rels/workbook.xml.rels"},
    "a.xlsb": {"xl/workbook.bin", "xl/_rels/workbook.bin.rels"},
    "a.odt": {"content.xml"},
    "a.odp": {"content.xml"},
    "a.ods": {"content.xml"},
    "a.epub": {"b/c.opf"},
}
"""What nothing can be read without."""

COSTS = {
    ("a.docx", "word/_rels/document.xml.rels"): {"in-header", "in-footer", "in-chart"},
    **{("a.docx", f"word/{kind}s.xml"): {f"in-{kind}"} for kind in ("footnote", "endnote", "comment")},
    ("a.docx", "word/comments.xml"): {"in-comment", "Comment"},
    ("a.docx", "word/h.xml"): {"in-header"},
    ("a.docx", "word/f.xml"): {"in-footer"},
    ("a.docx", "word/chart.xml"): {"in-chart"},
    ("a.pptx", "ppt/slides/slide1.xml"): {"first"},
    ("a.pptx", "ppt/slides/slide2.xml"): {"second", "in-notes", "in-chart", "in-comments", "series"},
    ("a.pptx", "ppt/slides/_rels/slide2.xml.rels"): {"in-notes", "in-chart", "in-comments", "series"},
    ("a.pptx", "ppt/notesSlides/notesSlide1.xml"): {"in-notes"},
    ("a.pptx", "ppt/charts/chart1.xml"): {"in-chart", "series"},
    ("a.pptx", "ppt/comments/comment1.xml"): {"in-comments"},
    ("a.xlsx", "xl/worksheets/sheet1.xml"): {"in-one", "comment-one"},
    ("a.xlsx", "xl/worksheets/sheet2.xml"): {"in-two", "comment-two", "2023-03-15"},
    ("a.xlsx", "xl/worksheets/sheet3.xml"): {"4711", "4712"},
    ("a.xlsx", "xl/comments1.xml"): {"comment-one"},
    ("a.xlsx", "xl/comments2.xml"): {"comment-two"},
    ("a.xlsx", "xl/worksheets/_rels/sheet1.xml.rels"): {"comment-one"},
    ("a.xlsx", "xl/worksheets/_rels/sheet2.xml.rels"): {"comment-two"},
    ("a.xlsx", "xl/sharedStrings.xml"): {"in-one", "in-two", "comment-one", "comment-two", "comment", "2023-03-15"},
    ("a.xlsx", "xl/styles.xml"): {"2023-03-15"},
    ("a.xlsb", "xl/worksheets/sheet1.bin"): {"in-one", "in-comment", "comment"},
    ("a.xlsb", "xl/worksheets/sheet2.bin"): {"in-two"},
    ("a.xlsb", "xl/worksheets/_rels/sheet1.bin.rels"): {"in-comment", "comment"},
    ("a.xlsb", "xl/comments1.bin"): {"in-comment", "comment"},
    ("a.odt", "styles.xml"): {"in-header"},
    ("a.odt", "Object 1/content.xml"): {"in-formula"},
    ("a.odp", "Object 1/content.xml"): {"in-formula"},
    ("a.epub", "b/nav.xhtml"): {"in-contents"},
    ("a.epub", "b/one.xhtml"): {"in-one", "in-contents"},
    ("a.epub", "b/two.xhtml"): {"in-two"},
}
"""The words that go with a part; all other parts cost none."""

_WORD = re.compile(r"[\w-]{4,}")


def _zeroed(path: Path, name: str) -> Path:
    parts = parts_of(path)
    return pack(path, parts | {name: bytes(len(parts[name]))})


def _cut(path: Path, name: str) -> Path:
    parts = parts_of(path)
    return pack(path, parts | {name: parts[name][: len(parts[name]) // 2]})


def _missing(path: Path, name: str) -> Path:
    parts = parts_of(path)
    del parts[name]
    return pack(path, parts)


DAMAGES: dict[str, Callable[[Path, str], Path]] = {
    "zeroed": _zeroed,
    "cut": _cut,
    "missing": _missing,
    "of another checksum": spoiled,
}


@functools.cache
def _made(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return MAKERS[name](Path(folder) / name).read_bytes()


def _cases() -> Iterator[tuple[str, str]]:
    for name in MAKERS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(_made(name))
            yield from ((name, part) for part in parts_of(path))


def _read(path: Path) -> tuple[set[str], list[str], str]:
    """Words and authors, what is lost, and the error."""
    (file,) = load(path, include=["comments", "headers", "hidden"])
    documents = list(file.documents)
    words = {word for document in documents for word in _WORD.findall(document.text)}
    words |= {f"by {document.metadata['author']}" for document in documents if "author" in document.metadata}
    return words, [gap.what for gap in file.omissions if gap.lost], str(file.error or "")


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(("name", "part"), list(_cases()))
def test_a_damaged_part_costs_itself_and_is_named(tmp_path: Path, name: str, part: str, damage: str) -> None:
    path = tmp_path / name
    path.write_bytes(_made(name))
    whole, told, error = _read(path)
    assert not error
    DAMAGES[damage](path, part)
    words, lost, error = _read(path)
    if part in ESSENTIAL[name]:
        assert error.startswith(f"{path}: ")
        return
    assert not error
    gone = whole - words
    assert gone <= COSTS.get((name, part), set()) | ({"by Ada"} if "core" in part or part == "meta.xml" else set())
    if gone:
        named = [what for what in lost if what not in told]
        assert named
        assert damage == "missing" or any(part in what or "sheet '" in what for what in named), named


def test_the_files_have_all_words_and_lose_nothing(tmp_path: Path) -> None:
    for name in MAKERS:
        path = tmp_path / name
        path.write_bytes(_made(name))
        words, lost, _ = _read(path)
        assert {word for (file, _), cost in COSTS.items() if file == name for word in cost} <= words
        assert lost == (["1 × chart of a sheet, whose titles are not read"] if name == "a.xlsx" else [])
