"""OpenDocument texts and presentations."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from late_rag.loaders import load, odf
from late_rag.types import Document, Omission

SPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{full}:1.0"'
    for name, full in {
        **{name: name for name in ("office", "table", "text", "style", "presentation", "meta")},
        "draw": "drawing",
        "svg": "svg-compatible",
    }.items()
)
SPACES += ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"'


def document(path: Path, body: str, *, styles: str = "", **parts: str) -> Path:
    kind = {".odt": "text", ".odp": "presentation"}[path.suffix]
    content = (
        f"<office:document-content {SPACES}><office:automatic-styles>{styles}</office:automatic-styles><office:body>"
        f"<office:{kind}>{body}</office:{kind}></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
        archive.writestr("content.xml", content)
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


@pytest.fixture
def odt(tmp_path: Path, one_document: Callable[..., Document]) -> Callable[..., str]:
    def read(body: str, styles: str = "", include: tuple[str, ...] = (), **parts: str) -> str:
        return one_document(document(tmp_path / "a.odt", body, styles=styles, **parts), include=include).text

    return read


def omissions(path: Path) -> list[Omission]:
    (file,) = load(path)
    list(file.documents)
    return file.omissions


def test_a_text_keeps_its_form(odt: Callable[..., str]) -> None:
    body = """<text:p text:style-name="P1">Pumps</text:p><text:h text:outline-level="2">Parts</text:h>
    <text:p>A <text:span>b</text:span>old<text:s text:c="999999999"/>word<text:tab/>and<text:line-break/>a line</text:p>
    <text:list text:style-name="L1"><text:list-item><text:p>one</text:p><text:list><text:list-item><text:p>in</text:p>
    </text:list-item></text:list></text:list-item><text:list-item><text:p>two</text:p></text:list-item></text:list>
    <text:p># 1 &lt;b&gt;</text:p>"""
    styles = """<style:style style:name="P1" style:family="paragraph" style:parent-style-name="Title"/>
    <text:list-style style:name="L1">
    <text:list-level-style-number text:level="1" style:num-format="1"/></text:list-style>"""
    expected = "# Pumps\n\n## Parts\n\nA bold word and\na line\n\n1. one\n   - in\n2. two\n\n\\# 1 <b>\n"
    assert odt(body, styles).replace("1. in", "- in") == expected


@pytest.mark.parametrize(("position", "text"), [("super 58%", "10^6"), ("33% 58%", "10^6"), ("sub 58%", "106")])
def test_powers_are_marked(odt: Callable[..., str], position: str, text: str) -> None:
    properties = f'<style:text-properties style:text-position="{position}"/>'
    styles = f'<style:style style:name="T1" style:family="text">{properties}</style:style>'
    assert odt('<text:p>10<text:span text:style-name="T1">6</text:span> units</text:p>', styles) == f"{text} units\n"


@pytest.mark.parametrize(("position", "text"), [("", "10^6 units\n"), ("0% 100%", "106 units\n")])
def test_powers_are_marked_whose_style_builds_on_another(odt: Callable[..., str], position: str, text: str) -> None:
    def style(name: str, parent: str, position: str) -> str:
        properties = f'<style:text-properties style:text-position="{position}"/>' if position else ""
        named = f'style:name="{name}" style:parent-style-name="{parent}" style:family="text"'
        return f"<style:style {named}>{properties}</style:style>"

    common = style("Power", "Round", "super 58%") + style("Round", "Power", "")
    styles = f"<office:document-styles {SPACES}><office:styles>{common}</office:styles></office:document-styles>"
    body = '<text:p>10<text:span text:style-name="T1">6</text:span> units</text:p>'
    assert odt(body, style("T1", "Round", position), **{"styles.xml": styles}) == text


def test_styles_that_build_on_each_other_in_a_circle_end(odt: Callable[..., str]) -> None:
    style = '<style:style style:name="{}" style:family="paragraph" style:parent-style-name="{}"/>'.format
    assert odt('<text:p text:style-name="A">x</text:p>', style("A", "B") + style("B", "A")) == "x\n"
    assert odt('<text:p text:style-name="A">x</text:p>', style("A", "B") + style("B", "Title")) == "# x\n"


def test_tables_keep_their_columns(odt: Callable[..., str]) -> None:
    cell = "<table:table-cell{}><text:p>{}</text:p></table:table-cell>".format
    rows = [
        cell("", "a|b") + cell(' table:number-columns-repeated="2"', "x"),
        cell(' table:number-columns-spanned="2"', "wide") + "<table:covered-table-cell/>" + cell("", "last"),
    ]
    table = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    expected = "| a\\|b | x | x |\n| --- | --- | --- |\n| wide | | last |\n"
    assert odt(f"<table:table>{table}</table:table>") == expected


def test_notes_boxes_links_and_ruby(odt: Callable[..., str]) -> None:
    note = "<text:note-citation>1</text:note-citation><text:note-body><text:p>so it is</text:p></text:note-body>"
    assert odt(f"<text:p>True<text:note>{note}</text:note>.</text:p>") == "True ( so it is ) .\n"
    box = "<draw:frame><draw:text-box><text:p>boxed</text:p></draw:text-box></draw:frame>"
    assert odt(f"<text:p>before {box} after</text:p>").split() == ["before", "boxed", "after"]
    assert odt('<text:p><text:a xlink:href="http://a.b">words</text:a></text:p>') == "words\n"
    ruby = "<text:ruby><text:ruby-base>漢字</text:ruby-base><text:ruby-text>かんじ</text:ruby-text></text:ruby>"
    assert odt(f"<text:p>{ruby}</text:p>") == "漢字\n"
    described = "<draw:frame><draw:image/><svg:title>t</svg:title><svg:desc>A red pump</svg:desc></draw:frame>"
    assert odt(f"<text:p>{described}</text:p>") == "A red pump\n"


def test_deleted_text_is_gone_and_what_is_left_out_is_told(odt: Callable[..., str], tmp_path: Path) -> None:
    body = """<text:tracked-changes><text:changed-region><text:deletion><text:p>gone</text:p></text:deletion>
    </text:changed-region></text:tracked-changes><text:p>here<office:annotation><dc:creator>Bob</dc:creator>
    <dc:date>2020-01-01T00:00:00</dc:date><text:p>why?</text:p></office:annotation></text:p>
    <text:section text:display="none"><text:p>secret</text:p></text:section>"""
    styles = f"<s {SPACES}><style:header><text:p>Company</text:p></style:header></s>"
    assert odt(body, **{"styles.xml": styles}) == "here\n"
    told = omissions(tmp_path / "a.odt")
    assert not any(omission.lost for omission in told)
    assert {omission.what.split(" (")[0] for omission in told} == {
        "1 × comment",
        "1 × hidden section",
        "1 × header or footer",
    }
    everything = odt(body, include=("comments", "hidden", "headers"), **{"styles.xml": styles})
    assert everything.split() == ["Company", "here", "(Bob", "why?", ")", "secret"]


def test_formulas_are_text_and_other_objects_are_told(odt: Callable[..., str], tmp_path: Path) -> None:
    objects = "".join(f'<draw:frame><draw:object xlink:href="./Object {n}"/></draw:frame>' for n in (1, 2, 3))
    math = (
        '<math xmlns="http://www.w3.org/1998/Math/MathML"><semantics><mi>x</mi><mo>&lt;</mo><mn>2</mn>'
        "<annotation>x &lt; 2</annotation></semantics></math>"
    )
    parts = {"Object 1/content.xml": math, "Object 2/content.xml": f"<office:d {SPACES}/>"}
    assert odt(f"<text:p>where {objects} holds</text:p>", **parts) == "where x < 2 holds\n"
    assert omissions(tmp_path / "a.odt") == [
        Omission("its part Object 3/content.xml is missing"),
        Omission("1 × embedded object (a chart or another document)", lost=False),
    ]
    parts["Object 3/content.xml"] = f"<office:d {SPACES}><text:p>Tides</text:p></office:d>"
    odt(f"<text:p>where {objects} holds</text:p>", **parts)
    assert [omission.lost for omission in omissions(tmp_path / "a.odt")] == [False, True]
    del parts["Object 3/content.xml"]
    odt(f"<text:p>where {objects} holds</text:p>", **parts, **{"Object 3": "a file of another program"})
    assert [omission.lost for omission in omissions(tmp_path / "a.odt")] == [False, True]


def test_properties_are_metadata(tmp_path: Path, one_document: Callable[..., Document]) -> None:
    meta = f"""<office:document-meta {SPACES}><office:meta><dc:title> Pumps </dc:title>
    <meta:initial-creator>Ada</meta:initial-creator><dc:creator>Bob</dc:creator>
    <meta:creation-date>2020-01-02T03:04:05.123456789</meta:creation-date><dc:date>no date</dc:date>
    </office:meta></office:document-meta>"""
    metadata = one_document(document(tmp_path / "a.odt", "<text:p>x</text:p>", **{"meta.xml": meta})).metadata
    assert metadata == {
        "mime_type": "application/vnd.oasis.opendocument.text",
        "title": "Pumps",
        "author": "Ada",
        "created": "2020-01-02T03:04:05",
    }


def test_slides_are_pages(tmp_path: Path, one_document: Callable[..., Document]) -> None:
    def slide(title: str, style: str = "") -> str:
        return f"""<draw:page draw:style-name="{style}">
        <draw:frame presentation:class="title"><draw:text-box><text:p>{title}</text:p>
        <text:p>more</text:p></draw:text-box>
        </draw:frame><draw:frame presentation:class="page-number"><draw:text-box><text:p>7</text:p></draw:text-box>
        </draw:frame><draw:g><draw:custom-shape><text:p>shape</text:p></draw:custom-shape></draw:g>
        <presentation:notes><draw:page-thumbnail/><draw:frame presentation:class="notes"><draw:text-box>
        <text:p>said</text:p></draw:text-box></draw:frame></presentation:notes></draw:page>"""

    style = (
        '<style:style style:name="H"><style:drawing-page-properties presentation:visibility="hidden"/></style:style>'
    )
    path = document(tmp_path / "a.odp", slide("One") + slide("Two", "H") + slide("Three"), styles=style)
    assert one_document(path).text.split("\f") == ["# One more\n\nshape\n\nsaid", "", "# Three more\n\nshape\n\nsaid"]
    assert one_document(path).metadata["title"] == "One more"
    what = '1 × hidden slide (read with include=["hidden"] or --include hidden)'
    assert omissions(path) == [Omission(what, lost=False)]
    assert "# Two more" in one_document(path, include=["hidden"]).text


def test_slides_beyond_the_limit_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(odf, "MOST_SLIDES", 2)
    path = document(tmp_path / "a.odp", "<draw:page><text:p>x</text:p></draw:page>" * 5)
    (file,) = load(path, isolated=False)
    assert [document.text for document in file.documents] == ["x\fx"]
    assert file.omissions == [Omission("3 slides after the first 2, which is the limit")]


def test_a_password_is_told(tmp_path: Path, problem_of: Callable[..., str]) -> None:
    manifest = "<manifest:manifest><manifest:encryption-data/></manifest:manifest>"
    for name in ("a.odt", "a.odp"):
        path = document(tmp_path / name, "", **{"META-INF/manifest.xml": manifest})
        assert problem_of(path) == "is protected by a password; save it without one"


@pytest.mark.parametrize(
    ("start", "end", "depth"),
    [
        ("<text:section>", "</text:section>", 50_000),
        ("<text:p>", "</text:p>", 10_000),
        ("<text:list><text:list-item>", "</text:list-item></text:list>", 5_000),
    ],
)
def test_depth_ends_nothing(odt: Callable[..., str], start: str, end: str, depth: int) -> None:
    begun = time.perf_counter()
    assert odt(start * depth + "<text:p>deep</text:p>" + end * depth).strip().endswith("deep")
    assert time.perf_counter() - begun < 10


def test_repeated_cells_inside_each_other_are_bounded(odt: Callable[..., str]) -> None:
    start = '<table:table><table:table-row><table:table-cell table:number-columns-repeated="90">'
    assert (
        len(odt(start * 50 + "<text:p>x</text:p>" + "</table:table-cell></table:table-row></table:table>" * 50)) < 10**6
    )


def test_what_is_no_xml_is_told(tmp_path: Path, problem_of: Callable[..., str]) -> None:
    assert "content.xml is no XML" in problem_of(document(tmp_path / "a.odt", "<text:p>"))
    assert problem_of(document(tmp_path / "b.odt", "")) == "has no text"
