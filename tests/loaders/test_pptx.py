"""PowerPoint files: slides as pages, with all their words."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pptx
import pytest

from late_rag.loaders import load
from late_rag.types import Document, Omission

EMPTY, TITLE_ONLY, CONTENT = 6, 5, 1


@pytest.fixture
def deck() -> Any:
    return pptx.Presentation()


@pytest.fixture
def pages(tmp_path: Path, deck: Any, one_document: Callable[..., Document]) -> Callable[..., list[str]]:
    def read(**options: object) -> list[str]:
        deck.save(tmp_path / "deck.pptx")
        return one_document(tmp_path / "deck.pptx", **options).text.split("\f")

    return read


def add(deck: Any, layout: int, title: str = "") -> Any:
    slide = deck.slides.add_slide(deck.slide_layouts[layout])
    if title:
        slide.shapes.title.text = title
    return slide


def test_titles_are_headings_and_levels_are_lists(deck: Any, pages: Callable[..., list[str]]) -> None:
    frame = add(deck, CONTENT, "Cooling & <pumps>").placeholders[1].text_frame
    frame.text = "First"
    for words, level in (("Nested", 1), ("Deeper", 2), ("Second", 0)):
        paragraph = frame.add_paragraph()
        paragraph.text, paragraph.level = words, level
    add(deck, TITLE_ONLY, "Last")
    first = "# Cooling & <pumps>\n\n- First\n  - Nested\n    - Deeper\n- Second"
    assert pages() == [first, "# Last"]


def test_a_table_keeps_its_cells_in_their_columns(deck: Any, pages: Callable[..., list[str]]) -> None:
    table = add(deck, EMPTY).shapes.add_table(3, 3, 0, 0, 900, 900).table
    for row in range(3):
        for column in range(3):
            table.cell(row, column).text = f"r{row}c{column}"
    table.cell(1, 1).text = "a|b"
    table.cell(1, 0).merge(table.cell(2, 0))
    (page,) = pages()
    lines = page.splitlines()
    assert lines[0] == "| r0c0 | r0c1 | r0c2 |"
    assert lines[2] == "| r1c0 r2c0 | a\\|b | r1c2 |"
    assert lines[3].endswith("| r2c1 | r2c2 |")


def test_groups_notes_and_descriptions_are_text(
    deck: Any, pages: Callable[..., list[str]], png: bytes, tmp_path: Path
) -> None:
    slide = add(deck, EMPTY)
    box = slide.shapes.add_group_shape().shapes.add_group_shape().shapes.add_textbox(0, 0, 9, 9)
    box.text_frame.text = "in two groups"
    (tmp_path / "a.png").write_bytes(png)
    for words in ("A pump in a cellar", "Picture 3"):
        picture = slide.shapes.add_picture(str(tmp_path / "a.png"), 0, 0)
        picture._element.nvPicPr.cNvPr.set("descr", words)
    slide.notes_slide.notes_text_frame.text = "Said aloud"
    assert pages() == ["in two groups\n\nA pump in a cellar\n\nSaid aloud"]


def test_a_chart_is_a_table_of_its_values(deck: Any, pages: Callable[..., list[str]]) -> None:
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE

    data = CategoryChartData()
    data.categories = ["East", "West"]
    data.add_series("Q1", (1.5, 2))
    data.add_series("Q2", (3, None))
    chart = add(deck, EMPTY).shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, 900, 900, data).chart
    chart.has_title = True
    chart.chart_title.text_frame.text = "Sales"
    (page,) = pages()
    assert page == "Sales\n\n| | Q1 | Q2 |\n| --- | --- | --- |\n| East | 1.5 | 3 |\n| West | 2 |"


def test_equations_in_alternate_content_are_read_once(deck: Any, pages: Callable[..., list[str]]) -> None:
    from pptx.oxml import parse_xml

    slide = add(deck, EMPTY)
    box = slide.shapes.add_textbox(0, 0, 9, 9)
    box.text_frame.text = "Energy"
    namespaces = (
        'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
        'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
        'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    )
    shape = "<p:sp><p:nvSpPr><p:cNvPr id='9' name='x'/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr/><p:txBody><a:bodyPr/>"
    slide.shapes._spTree.append(
        parse_xml(
            f"<mc:AlternateContent {namespaces}><mc:Choice Requires='a14'>{shape}<a:p><m:oMath><m:r><m:t>E=mc</m:t>"
            f"</m:r></m:oMath></a:p></p:txBody></p:sp></mc:Choice><mc:Fallback>{shape}<a:p><a:r><a:t>old</a:t></a:r></a:p>"
            "</p:txBody></p:sp></mc:Fallback></mc:AlternateContent>"
        )
    )
    assert pages() == ["Energy\n\nE=mc"]


def test_powers_and_equations_are_written_as_with_a_keyboard(deck: Any, pages: Callable[..., list[str]]) -> None:
    from pptx.oxml import parse_xml

    paragraph = add(deck, EMPTY).shapes.add_textbox(0, 0, 9, 9).text_frame.paragraphs[0]
    for words, baseline in (("a < b: 10", "0"), ("6", "30000"), (" or H", ""), ("2", "-25000"), ("O, ", "")):
        run = paragraph.add_run()
        run.text = words
        run._r.get_or_add_rPr().set("baseline", baseline)
    math = "http://schemas.openxmlformats.org/officeDocument/2006/math"
    up, down = "<m:num><m:r><m:t>a+b</m:t></m:r></m:num>", "<m:den><m:r><m:t>2</m:t></m:r></m:den>"
    paragraph._p.append(parse_xml(f"<m:oMath xmlns:m='{math}'><m:f>{up}{down}</m:f></m:oMath>"))
    assert pages() == ["a < b: 10^6 or H2O, (a+b)/2"]


DRAWING = "http://schemas.openxmlformats.org/drawingml/2006"


def add_diagram(slide: Any, relation: str) -> None:
    from pptx.oxml import parse_xml

    slide.shapes._spTree.append(
        parse_xml(
            '<p:graphicFrame xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
            f'xmlns:a="{DRAWING}/main" xmlns:d="{DRAWING}/diagram" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
            f'<a:graphic><a:graphicData uri="x"><d:relIds r:dm="{relation}"/></a:graphicData></a:graphic>'
            "</p:graphicFrame>"
        )
    )


def relate(slide: Any, name: str, kind: str, data: str) -> str:
    from pptx.opc.package import Part
    from pptx.opc.packuri import PackURI

    part = Part(PackURI(name), "application/xml", slide.part.package, data.encode())
    return slide.part.relate_to(part, f"http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}")


def test_the_words_of_a_diagram_are_a_list(deck: Any, pages: Callable[..., list[str]], tmp_path: Path) -> None:
    point = "<d:pt{}><d:t><a:p><a:r><a:t>{}</a:t></a:r></a:p></d:t></d:pt>".format
    points = point("", "Step one") + point("", "Step two") + point(' type="pres"', "no")
    data = (
        f'<d:dataModel xmlns:d="{DRAWING}/diagram" xmlns:a="{DRAWING}/main"><d:ptLst>{points}</d:ptLst></d:dataModel>'
    )
    slide = add(deck, TITLE_ONLY, "Steps")
    add_diagram(slide, relate(slide, "/ppt/diagrams/data1.xml", "diagramData", data))
    add_diagram(slide, "rId99")
    assert pages() == ["# Steps\n\n- Step one\n- Step two"]
    (file,) = load(tmp_path / "deck.pptx")
    list(file.documents)
    assert file.omissions == [
        Omission("chart or diagram: its part ppt/slides/slide1.xml refers to 'rId99', which is nothing")
    ]


def test_slides_and_diagrams_are_read_once_however_often_they_are_referred_to(
    deck: Any, pages: Callable[..., list[str]], tmp_path: Path
) -> None:
    slide = add(deck, TITLE_ONLY, "Steps")
    nested = "<d:pt><a:p>" * 2000 + "<a:r><a:t>Plan</a:t></a:r>" + "</a:p></d:pt>" * 2000
    data = f'<d:dataModel xmlns:d="{DRAWING}/diagram" xmlns:a="{DRAWING}/main">{nested}</d:dataModel>'
    relation = relate(slide, "/ppt/diagrams/data1.xml", "diagramData", data)
    for _ in range(3):
        add_diagram(slide, relation)
    assert pages() == ["# Steps\n\n- Plan"]
    path = tmp_path / "deck.pptx"
    with zipfile.ZipFile(path) as archive:
        main = archive.read("ppt/presentation.xml")
    rewritten(path, **{"ppt/presentation.xml": re.sub(rb"(<p:sldId .*?/>)", rb"\1\1\1", main)})
    (file,) = load(path)
    assert [document.text for document in file.documents] == ["# Steps\n\n- Plan"]


def test_shapes_in_many_groups_are_read(deck: Any, pages: Callable[..., list[str]], tmp_path: Path) -> None:
    add(deck, EMPTY).shapes.add_textbox(0, 0, 9, 9).text_frame.text = "Deep"
    deck.save(tmp_path / "a.pptx")
    with zipfile.ZipFile(tmp_path / "a.pptx") as archive:
        data = archive.read("ppt/slides/slide1.xml")
    data = data.replace(b"<p:sp>", b"<p:grpSp>" * 5000 + b"<p:sp>").replace(
        b"</p:sp>", b"</p:sp>" + b"</p:grpSp>" * 5000
    )
    (file,) = load(rewritten(tmp_path / "a.pptx", **{"ppt/slides/slide1.xml": data}))
    assert [document.text for document in file.documents] == ["Deep"]


def test_an_object_of_another_program_is_lost(deck: Any, tmp_path: Path) -> None:
    slide = add(deck, EMPTY)
    slide.shapes.add_textbox(0, 0, 9, 9).text_frame.text = "Tides"
    frame = slide.shapes.add_table(1, 1, 0, 0, 9, 9)._element
    (table,) = frame.iter("{*}tbl")
    table.getparent().replace(table, table.makeelement(table.tag.replace("tbl", "oleObj")))
    deck.save(tmp_path / "a.pptx")
    (file,) = load(tmp_path / "a.pptx")
    list(file.documents)
    assert file.omissions == [Omission("1 × object of another program")]


def test_comments_are_told_or_read(deck: Any, pages: Callable[..., list[str]], tmp_path: Path) -> None:
    data = '<p:cmLst xmlns:p="x"><p:cm><p:text>check <![CDATA[<this>]]></p:text></p:cm></p:cmLst>'
    slide = add(deck, TITLE_ONLY, "One")
    relate(slide, "/ppt/comments/comment1.xml", "comments", data)
    assert pages() == ["# One"]
    (file,) = load(tmp_path / "deck.pptx")
    list(file.documents)
    what = '1 × comments of a slide (read with include=["comments"] or --include comments)'
    assert file.omissions == [Omission(what, lost=False)]
    assert pages(include=["comments"]) == ["# One\n\ncheck <this>"]


def test_hidden_slides_keep_their_place_and_are_told(
    deck: Any, pages: Callable[..., list[str]], tmp_path: Path
) -> None:
    for title, show in (("One", None), ("Two", "0"), ("Three", None)):
        slide = add(deck, TITLE_ONLY, title)
        if show:
            slide._element.set("show", show)
    assert pages() == ["# One", "", "# Three"]
    assert pages(include=["hidden"]) == ["# One", "# Two", "# Three"]
    (file,) = load(tmp_path / "deck.pptx")
    list(file.documents)
    what = '1 × hidden slide (read with include=["hidden"] or --include hidden)'
    assert file.omissions == [Omission(what, lost=False)]


def test_properties_are_metadata_if_they_say_something(
    deck: Any, tmp_path: Path, one_document: Callable[..., Document]
) -> None:
    add(deck, TITLE_ONLY, "Pumps")
    known = deck.core_properties
    known.title, known.author = "PowerPoint Presentation", "Ada"
    known.created, known.modified = dt.datetime(2020, 1, 2, 3, 4, 5), dt.datetime(1601, 1, 1)
    deck.save(tmp_path / "deck.pptx")
    metadata = one_document(tmp_path / "deck.pptx").metadata
    assert {**metadata, "mime_type": ""} == {
        "mime_type": "",
        "title": "Pumps",
        "author": "Ada",
        "created": "2020-01-02T03:04:05+00:00",
    }


def test_a_deck_without_words_has_no_text(deck: Any, tmp_path: Path, problem_of: Callable[..., str]) -> None:
    add(deck, EMPTY), add(deck, EMPTY)
    deck.save(tmp_path / "deck.pptx")
    assert problem_of(tmp_path / "deck.pptx") == "has no text"


def rewritten(path: Path, **parts: bytes) -> Path:
    """The archive with other parts."""
    with zipfile.ZipFile(path) as source:
        members = {name: source.read(name) for name in source.namelist()} | parts
    with zipfile.ZipFile(path, "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    return path


def test_a_broken_slide_costs_itself_alone(deck: Any, tmp_path: Path) -> None:
    for title in ("One", "Two", "Three"):
        add(deck, TITLE_ONLY, title)
    deck.save(tmp_path / "deck.pptx")
    path = rewritten(tmp_path / "deck.pptx", **{"ppt/slides/slide2.xml": b"<p:sld"})
    (file,) = load(path)
    (document,) = file.documents
    assert document.text == "# One\f\f# Three"
    (omission,) = file.omissions
    assert omission.lost
    assert "ppt/slides/slide2.xml" in omission.what


def test_a_deck_that_is_damaged_at_its_heart_is_told(deck: Any, tmp_path: Path, problem_of: Callable[..., str]) -> None:
    deck.save(tmp_path / "deck.pptx")
    path = rewritten(tmp_path / "deck.pptx", **{"ppt/presentation.xml": b"<p:presentation"})
    assert problem_of(path).startswith("its part ppt/presentation.xml is no XML that can be read")
