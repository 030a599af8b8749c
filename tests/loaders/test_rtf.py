"""Rich Text Format: letters of all scripts, notes and boxes, and what must not take long."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from late_rag.loaders import load
from late_rag.types import Document, Omission


@pytest.fixture
def rtf(tmp_path: Path, one_document: Callable[..., Document]) -> Callable[..., str]:
    def read(body: str, head: str = r"\ansi\ansicpg1252", **options: object) -> str:
        (tmp_path / "a.rtf").write_bytes(rf"{{\rtf1{head} {body}}}".encode("latin-1"))
        return one_document(tmp_path / "a.rtf", **options).text

    return read


@pytest.mark.parametrize(
    ("head", "body", "text"),
    [
        (r"\ansi\ansicpg1252", r"caf\'e9 \u8364?5 \endash  x", "café €5 – x"),
        (r"\ansi\ansicpg1251", r"\'cf\'f0\'e8\'e2\'e5\'f2", "Привет"),
        (r"\ansi\ansicpg1252{\fonttbl{\f0\fcharset204 Arial;}}", r"\f0 \'cf\'f0\'e8", "При"),
        (r"\ansi\ansicpg932{\fonttbl{\f0\fcharset128 MS;}{\f1\fcharset78 Osaka;}}", r"\f1\'83\'65\'83\'58", "テス"),
        (r"\ansi\ansicpg932", r"\'83\\", "ソ"),
        (r"\mac", r"\'8e", "é"),
        (r"\ansi", "\xe9", "é"),
        (r"\ansi", r"\u-10179?\u-8704? \u9999999? \u55357?.", "😀 � �."),
        (r"\ansi", r"\uc2\u8364\'80\'80x \uc0\u233y", "€x éy"),
        (r"\ansi", r"C:\\pict\\bin5\\header a\{b\}", r"C:\pict\bin5\header a{b}"),
    ],
)
def test_letters(rtf: Callable[..., str], head: str, body: str, text: str) -> None:
    assert rtf(body, head) == text


def test_letters_that_cannot_be_decoded_are_told(rtf: Callable[..., str], tmp_path: Path) -> None:
    font = r"\ansi\ansicpg1252{\fonttbl{\f1\fcharset128 MS;}}{\info{\title caf\'81 noir}}"
    body = "caf\xe9 \x81 and " + r"\'8d \f1 \'83 \u55357?. \u-10179?\u-9003?"
    assert rtf(body, font) == "café \ufffd and \ufffd \ufffd \ufffd. \U0001f4d5"
    (file,) = load(tmp_path / "a.rtf")
    (document,) = file.documents
    assert document.metadata == {"mime_type": "application/rtf"}
    what = "4 letters that are not in the encoding of the file or of their font: U+FFFD is there"
    assert [(gap.what, gap.lost) for gap in file.omissions] == [(what, False)]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (r"10{\super 6} units", "10^6 units"),
        (r"{10}{\rtlch\fcs1 \af0 \ltrch\fcs0 \super\insrsid7 -3}{ units", "10^-3 units"),
        (r"m\super 2\nosupersub  wide", "m^2 wide"),
        (r"the 1{\super st} of \fs20 {\super 3}", "the 1st of 3"),
        (r"10\par {\super 6} units", "10\n6 units"),
        (r"10\super0 6\supercool 6", "1066"),
    ],
)
def test_powers_are_marked(rtf: Callable[..., str], body: str, text: str) -> None:
    assert rtf(body) == text


def test_notes_boxes_links_and_tables(rtf: Callable[..., str]) -> None:
    assert rtf(r"It is so{\footnote\pard {\super\chftn} see Ada} here.").split() == [
        "It",
        "is",
        "so",
        "see",
        "Ada",
        "here.",
    ]
    box = r"{\shp{\*\shpinst\shpleft1{\sp{\sn a}{\sv 1}}{\shptxt boxed\par}}{\shprslt{\*\do{\dptxbxtext boxed}}}}"
    assert rtf(f"before {box} after").split() == ["before", "boxed", "after"]
    assert rtf(r'{\field{\*\fldinst{HYPERLINK "http://a.b"}}{\fldrslt words}} after') == "words after"
    assert rtf(r"\trowd a\cell b\cell\row\trowd c\cell d\cell\row") == "a|b|\nc|d|"


def test_pictures_and_binary_data_are_no_text(rtf: Callable[..., str]) -> None:
    picture = r"{\*\shppict{\pict{\*\picprop}\pngblip 89504e47}}{\nonshppict{\pict 0d0a}}"
    assert rtf(f"a {picture}b") == "a b"
    assert rtf(r"a {\pict\bin7 }}}}}{{}b") == "a b"


def test_margins_and_comments_are_left_out_and_told(rtf: Callable[..., str], tmp_path: Path) -> None:
    body = r"{\header Company\par}text{\*\atnid A}{\*\annotation why?}"
    assert rtf(body) == "text"
    (file,) = load(tmp_path / "a.rtf")
    list(file.documents)
    assert file.omissions == [
        Omission('headers or footers (read with include=["headers"] or --include headers)', lost=False),
        Omission('comments (read with include=["comments"] or --include comments)', lost=False),
    ]
    assert rtf(body, include=["headers", "comments"]).split() == ["Company", "text", "why?"]


def test_properties_are_metadata(tmp_path: Path, one_document: Callable[..., Document]) -> None:
    info = r"{\info{\title Caf\'e9}{\author Ada}{\creatim\yr2020\mo3\dy4\hr5\min6}{\revtim\yr0\mo0\dy0}}"
    (tmp_path / "a.rtf").write_text(rf"{{\rtf1\ansi {info} x}}")
    assert one_document(tmp_path / "a.rtf").metadata == {
        "mime_type": "application/rtf",
        "title": "Café",
        "author": "Ada",
        "created": "2020-03-04T05:06:00",
    }


def test_what_is_no_rtf_is_told(tmp_path: Path, problem_of: Callable[..., str]) -> None:
    for data, reason in (
        (b"hello", r"is no RTF file: it does not begin with {\rtf"),
        (b"%PDF-1.4", "is no RTF file, but a PDF"),
        (b"{\\rtf1}", "has no text"),
        (b"", "is empty"),
    ):
        (tmp_path / "a.rtf").write_bytes(data)
        assert problem_of(tmp_path / "a.rtf") == reason


HOSTILE = {
    "links": r'{\field{\*\fldinst{HYPERLINK "' * 16_000,
    "fonts": r"{\fonttbl" + r"\f1" * 160_000,
    "other fonts": r"{x \fonttbl" + r"\f1" * 160_000,
    "open": "{" * 500_000,
    "closed": "}" * 500_000,
    "pictures": r"{\pict" * 80_000,
    "binary": r"\bin99999" * 60_000,
    "titles": r"{\info" + r"{\title " * 60_000,
    "spaces": " " * 500_000,
    "stars": r"\*" * 250_000,
    "powers": r"1{\super 6}" * 60_000,
    "raised": r"\super " * 80_000,
    "backslashes": "\\" * 500_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_takes_long(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.rtf").write_text(r"{\rtf1 " + HOSTILE[name])
    begun = time.perf_counter()
    (file,) = load(tmp_path / "a.rtf")
    list(file.documents)
    assert time.perf_counter() - begun < 15


@given(st.text(st.characters(exclude_categories=("C", "Z")), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_comes_back(rtf: Callable[..., str], text: str) -> None:
    units = text.encode("utf-16-le")
    numbers = [int.from_bytes(units[at : at + 2], "little", signed=True) for at in range(0, len(units), 2)]
    assert rtf("".join(rf"\u{number}?" for number in numbers)) == text
