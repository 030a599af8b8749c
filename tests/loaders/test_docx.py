"""Word documents: whatever they say is read, or told."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from late_rag.loaders import charts, load
from late_rag.loaders.docx import loader
from tests.loaders.docx_parts import (
    BEGIN,
    CHART,
    DIAGRAM,
    NAMES,
    OFFICE,
    RESTART,
    SEPARATE,
    cell,
    equation,
    field,
    letters,
    paragraph,
    run,
    span,
)

CASES = Path(__file__).parents[1] / "cases" / "docx"


@pytest.fixture
def word(tmp_path) -> Callable[..., Path]:
    """Writes a document of this body; further parts by name, with their relations: name, kind and XML."""

    def write(body: str, parts: dict[str, tuple[str, str]] | None = None) -> Path:
        path = tmp_path / "a.docx"
        relations = "".join(
            f'<Relationship Id="{name}" Type="{OFFICE}/{kind}" Target="{name}.xml"/>'
            for name, (kind, _) in (parts or {}).items()
        )
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("word/document.xml", f"<w:document {NAMES}><w:body>{body}</w:body></w:document>")
            archive.writestr(
                "word/_rels/document.xml.rels",
                '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
                f"{relations}</Relationships>",
            )
            for name, (_, xml) in (parts or {}).items():
                archive.writestr(f"word/{name}.xml", xml.replace("NAMES", NAMES))
        return path

    return write


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("customxml", "Order 4711 is ready.\n"),
        ("fields", "Table 3 shows it. Waldo\n"),
        ("ins_del", "Pay twelve coins.\n"),
        ("math", "The area is below.\n\nFor r=3 the area is 28.\n\nA=πr²\n"),
        ("movefrom", "Keep here.\n\nmoved words there.\n"),
        ("ruby", "都市は東京です。\n"),
        ("sdt_inline", "Signed by Waldo Pinecone in May.\n"),
        ("smarttag", "Meet in Ashby at noon.\n"),
        ("tabs", "Name Waldo\nTown Ashby‑upon\xadSea✓\n"),
        ("textbox_dml", "Before after\n\nInside the box\n"),
        ("textbox_nofb", "Before after\n\nInside the box\n"),
        ("vanish", "hidden wordsshown words\n"),
    ],
)
def test_cases(one_document, name, text):
    assert one_document(CASES / f"{name}.docx").text == text


def test_cases_of_tables(one_document):
    rows = one_document(CASES / "vmerge.docx").text.splitlines()
    assert [row.split(" | ")[1:] for row in rows if "Ashby" in row or "Brill" in row] == [
        ["Ashby", "120 |"],
        ["Brill", "340 |"],
    ]
    assert one_document(CASES / "sdt_cell.docx").text.startswith("| Name | Waldo Pinecone |")
    assert one_document(CASES / "sdt_row.docx").text.split() == ["Head", "Wrapped", "row"]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("billion", "defines entities of its own"),
        ("xxe", "defines entities of its own"),
        ("pptx_named", "is not a Word document (.docx), but a PowerPoint file (.pptx)"),
        ("onlytable_empty", "has no text"),
    ],
)
def test_cases_that_are_told(problem_of, name, problem):
    assert problem in problem_of(CASES / f"{name}.docx")


X = letters("x")


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        (f"<m:f><m:num>{letters('a+b')}</m:num><m:den>{letters('2')}</m:den></m:f>", "(a+b)/2"),
        (f"<m:sSup><m:e>{X}</m:e><m:sup>{letters('2')}</m:sup></m:sSup>", "x^2"),
        (
            f"<m:sSubSup><m:e>{X}</m:e><m:sub>{letters('i')}</m:sub><m:sup>{letters('n+1')}</m:sup></m:sSubSup>",
            "x_i^(n+1)",
        ),
        (f"<m:rad><m:deg>{letters('3')}</m:deg><m:e>{letters('x+1')}</m:e></m:rad>", "3√(x+1)"),
        (
            (
                f'<m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub>{letters("i=1")}</m:sub>'
                f"<m:sup>{letters('n')}</m:sup><m:e>{letters('i')}</m:e></m:nary>"
            ),
            "∑_(i=1)^n i",
        ),
        (f"<m:nary><m:sub/><m:sup/><m:e>{letters('x dx')}</m:e></m:nary>", "∫ x dx"),
        (f'<m:d><m:dPr><m:begChr m:val="["/><m:endChr m:val=""/></m:dPr><m:e>{X}</m:e><m:e>{X}</m:e></m:d>', "[x|x"),
        (f"<m:func><m:fName>{letters('sin')}</m:fName><m:e>{X}</m:e></m:func>", "sin x"),
        (f"<m:m><m:mr><m:e>{X}</m:e><m:e>{letters('y')}</m:e></m:mr><m:mr><m:e>{X}</m:e></m:mr></m:m>", "x, y; x"),
        (f"<w:del>{X}</w:del><w:ins>{letters('y')}</w:ins><m:unknown>{letters('z')}</m:unknown>", "yz"),
    ],
)
def test_equations_are_read_in_order(word, one_document, xml, text):
    assert one_document(word(equation(xml))).text == f"{text}\n"


BOX = f"<w:txbxContent>{paragraph(run('in the box'))}</w:txbxContent>"
DRAWN = f"<w:drawing><wp:inline><wps:wsp><wps:txbx>{BOX}</wps:txbx></wps:wsp></wp:inline></w:drawing>"


@pytest.mark.parametrize(
    "drawing",
    [
        DRAWN,
        *(
            f"<w:pict><v:{shape}><v:textbox>{BOX}</v:textbox></v:{shape}></w:pict>"
            for shape in ("shape", "oval", "line")
        ),
        (
            f"<mc:AlternateContent><mc:Choice>{DRAWN}</mc:Choice><mc:Fallback><w:pict><v:rect><v:textbox>{BOX}</v:textbox>"
            "</v:rect></w:pict></mc:Fallback></mc:AlternateContent>"
        ),
        f"<mc:AlternateContent><mc:Choice><w:drawing/></mc:Choice><mc:Fallback>{DRAWN}</mc:Fallback></mc:AlternateContent>",
    ],
)
def test_text_boxes_are_read_once(word, one_document, drawing):
    document = one_document(word(paragraph(run("before "), f"<w:r>{drawing}</w:r>", run("after"))))
    assert document.text == "before after\n\nin the box\n"


@pytest.mark.parametrize(
    ("xml", "text"),
    [
        ('<w:r><w:drawing><wp:inline><wp:docPr descr="An otter"/></wp:inline></w:drawing></w:r>', "An otter"),
        ('<w:r><w:pict><v:shape><v:textpath string="DRAFT"/></v:shape></w:pict></w:r>', "DRAFT"),
        (f"<w:hyperlink r:id='gone'>{run('link')}</w:hyperlink>", "link"),
        (f"<w:bdo w:val='rtl'>{run('שלום')}</w:bdo>", "שלום"),
        ("<w:r><w:t>a</w:t><w:cr/><w:t>b</w:t><w:ptab/><w:t>c</w:t></w:r>", "a\nb c"),
        ('<w:r><w:sym w:font="Arial" w:char="03B1"/><w:sym/><w:sym w:font="x" w:char="zz"/></w:r>', "α"),
        ("<w:r><w:footnoteReference w:id='9'/></w:r>" + run("no note"), "no note"),
        (field(field(run("hidden")) + SEPARATE + run("shown")), "shown"),
        (field("<w:r><w:instrText>PAGE</w:instrText></w:r>" + SEPARATE + run("7")), "7"),
        (BEGIN + run("never ended"), "never ended"),
        (field(run(" paid"), "<w:checkBox><w:default w:val='0'/><w:checked/></w:checkBox>"), "☒"),
        (field("", "<w:checkBox><w:default w:val='0'/></w:checkBox>"), "☐"),
        (
            field(
                "", "<w:ddList><w:result w:val='1'/><w:listEntry w:val='red'/><w:listEntry w:val='blue'/></w:ddList>"
            ),
            "blue",
        ),
    ],
)
def test_what_stands_in_a_line(word, one_document, xml, text):
    assert one_document(word(paragraph(xml))).text == f"{text}\n"


def test_cells_stay_in_their_columns(word, one_document):
    rows = (
        f"<w:tr>{cell('A')}{cell('B')}{cell('C')}</w:tr><w:bookmarkStart w:name='x'/>"
        f"<w:tr>{cell('1', RESTART)}{cell('2')}{cell('3')}</w:tr>"
        f"<w:tr>{cell('', '<w:vMerge/>')}{cell('4')}{cell('5')}</w:tr>"
        f"<w:tr><w:trPr><w:gridBefore w:val='1'/></w:trPr>{cell('6')}{cell('7')}</w:tr>"
        f"<w:tr>{cell('8', span('x'))}{cell('9', span('2'))}</w:tr>"
        f"<w:tr><w:trPr><w:del/></w:trPr>{cell('deleted')}</w:tr>"
    )
    lines = one_document(word(f"<w:tbl>{rows}</w:tbl>")).text.splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "---" not in line]
    assert cells[1] == ["1", "2", "3"]
    assert cells[2][1:] == ["4", "5"]
    assert cells[3] == ["", "6", "7"]
    assert cells[4][:2] == ["8", "9"]
    assert "deleted" not in str(cells)


HEADER = ("header", f"<w:hdr NAMES>{paragraph(run('Confidential'))}</w:hdr>")
FOOTER = ("footer", f"<w:ftr NAMES>{paragraph(run('Page 1'))}</w:ftr>")
EMPTY = ("header", "<w:hdr NAMES><w:p/></w:hdr>")
COMMENTS = (
    "comments",
    f"<w:comments NAMES><w:comment w:id='1' w:initials='WP'>{paragraph(run('why?'))}</w:comment></w:comments>",
)
SECTION = "<w:sectPr><w:headerReference r:id='h'/><w:headerReference r:id='h'/><w:footerReference r:id='f'/></w:sectPr>"


def omissions_of(path: Path, **options: object) -> list[tuple[str, bool]]:
    (file,) = load(path, **options)
    assert list(file.documents)
    return [(omission.what, omission.lost) for omission in file.omissions]


def test_headers_and_comments_by_choice(word, one_document):
    path = word(
        paragraph(run("body"), "<w:r><w:commentReference w:id='1'/></w:r>") + SECTION,
        {"h": HEADER, "f": FOOTER, "comments": COMMENTS},
    )
    assert one_document(path).text == "body\n"
    assert omissions_of(path) == [
        ('headers and footers (read with include=["headers"] or --include headers)', False),
        ('comments (read with include=["comments"] or --include comments)', False),
    ]
    document = one_document(path, include=["headers", "comments"])
    assert document.text.split() == ["Confidential", "body[WP1]", "Page", "1", "Comment", "[WP1]", ":", "why?"]
    assert omissions_of(path, include=["headers", "comments"]) == []


def test_empty_headers_and_comments_are_not_told(word):
    path = word(
        paragraph(run("body")) + SECTION, {"h": EMPTY, "f": EMPTY, "comments": ("comments", "<w:comments NAMES/>")}
    )
    assert omissions_of(path) == []


def test_headers_that_are_not_there_are_told(word):
    path = word(paragraph(run("body")) + SECTION, {"h": HEADER})
    assert omissions_of(path) == [
        ("header or footer: its part word/document.xml refers to 'f', which is nothing", True),
        ('headers and footers (read with include=["headers"] or --include headers)', False),
    ]


def test_notes_are_text(word, one_document):
    notes = f"<w:footnotes NAMES><w:footnote w:id='2'>{paragraph(run('the note'))}</w:footnote></w:footnotes>"
    path = word(paragraph(run("body"), "<w:r><w:footnoteReference w:id='2'/></w:r>"), {"notes": ("footnotes", notes)})
    assert one_document(path).text == "body[1]\n\n1. the note\n"


def test_charts_and_diagrams_are_read(word, one_document):
    body = paragraph(run("body"), "<w:r><w:drawing><c:chart r:id='c1'/></w:drawing></w:r>")
    body += paragraph("<w:r><w:drawing><dgm:relIds r:dm='d1'/></w:drawing></w:r>")
    document = one_document(word(body, {"c1": ("chart", CHART), "d1": ("diagramData", DIAGRAM)}))
    assert document.text == "body\n\nRain\n\n| | mm |\n| --- | --- |\n| May | 31 |\n| June | 7 |\n\nPlan\n"


def test_a_chart_of_many_series_is_bounded(word, monkeypatch):
    monkeypatch.setattr(charts, "MOST_CELLS", 400)
    series = "".join(f"<c:ser><c:val><c:pt idx='{n}'><c:v>1</c:v></c:pt></c:val></c:ser>" for n in range(100))
    body = paragraph(run("body"), "<w:r><w:drawing><c:chart r:id='c1'/></w:drawing></w:r>")
    (file,) = load(word(body, {"c1": ("chart", f"<c:chartSpace NAMES>{series}</c:chartSpace>")}), isolated=False)
    assert [document.text.partition("\n")[0] for document in file.documents] == ["body"]
    assert [gap.what for gap in file.omissions] == ["96 × row of a chart of more than 20,000 values: cannot be read"]


def test_a_chart_or_diagram_is_read_once_however_often_it_is_referred_to(word, one_document):
    drawings = ("<c:chart r:id='c1'/>", "<dgm:relIds r:dm='d1'/>")
    drawn = "".join(f"<w:r><w:drawing>{drawing}</w:drawing></w:r>" for drawing in drawings)
    nested = "<dgm:pt><a:p>" * 2000 + "<a:r><a:t>Plan</a:t></a:r>" + "</a:p></dgm:pt>" * 2000
    diagram = f"<dgm:dataModel NAMES>{nested}</dgm:dataModel>"
    path = word(paragraph(drawn * 3), {"c1": ("chart", CHART), "d1": ("diagramData", diagram)})
    assert one_document(path).text.split().count("Rain") == 1
    assert one_document(path).text.split().count("Plan") == 1


def test_more_than_the_library_can_take_is_refused(word, problem_of, monkeypatch):
    monkeypatch.setattr(loader, "MOST_ELEMENTS", 50)
    path = word(paragraph(run("x")) * 20)
    assert problem_of(path, isolated=False) == "holds 62 elements of text (paragraphs, cells, runs); the limit is 50"


def test_what_cannot_be_read_is_told(word):
    body = paragraph(run("body"), "<w:r><w:object><o:OLEObject ProgID='Excel.Sheet.12'/></w:object></w:r>")
    body += paragraph("<w:r><w:drawing><c:chart r:id='c1'/></w:drawing></w:r>") + "<w:altChunk r:id='x'/>"
    path = word(body, {"c1": ("chart", "<broken"), "styles": ("styles", "<broken")})
    whats = [what for what, lost in omissions_of(path) if lost]
    assert whats == [
        "its part word/styles.xml is no XML that can be read (unclosed token: line 1, column 0)",
        "chart: its part word/c1.xml is no XML that can be read (unclosed token: line 1, column 0)",
        "1 × embedded object (Excel.Sheet.12): cannot be read",
        "1 × imported file: cannot be read",
    ]


@pytest.fixture
def word_file(tmp_path, png) -> Path:
    from docx import Document

    document = Document()
    document.core_properties.author = "Waldo"
    document.add_heading("Travel policy", level=1)
    document.add_paragraph("Who approves <travel> & “trips”?")
    document.add_heading("Limits", level=2)
    document.add_paragraph("one", style="List Bullet")
    document.add_picture(io.BytesIO(png))
    table = document.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
    path = tmp_path / "policy.docx"
    document.save(path)
    return path


def test_docx(word_file, one_document):
    document = one_document(word_file)
    assert document.text == (
        "# Travel policy\n\nWho approves <travel> & “trips”?\n\n## Limits\n\n- one\n\n| left | right |\n| --- | --- |\n"
    )
    assert document.metadata == {
        "mime_type": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "title": "Travel policy",
        "author": "Waldo",
        "created": "2013-12-23T23:15:00+00:00",
        "modified": "2013-12-23T23:15:00+00:00",
    }


@pytest.mark.parametrize(
    ("title", "expected"), [("On rust", "On rust"), ("Word Document", None), ("Untitled", None), ("plan v2.docx", None)]
)
def test_the_title_of_the_properties_is_that_of_a_document_without_headings(tmp_path, one_document, title, expected):
    from docx import Document

    document = Document()
    document.core_properties.title = title
    document.add_paragraph("words")
    document.save(tmp_path / "a.docx")
    assert one_document(tmp_path / "a.docx").metadata.get("title") == expected


def test_docx_that_is_none(word_file, problem_of):
    content = word_file.read_bytes()
    word_file.write_bytes(content[: len(content) // 2])
    assert problem_of(word_file).startswith("is cut off, or not a Word document")
    word_file.write_text("words")
    assert problem_of(word_file) == "is not a Word document (.docx): it begins with b'words'"
    word_file.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100))
    assert "an old Office file" in problem_of(word_file)


def test_docx_without_mammoth_says_how_to_install_it(word_file, problem_of, monkeypatch):
    monkeypatch.setitem(sys.modules, "mammoth", None)
    message = problem_of(word_file, isolated=False)
    assert message.endswith('is not installed. Install it with: pip install "late-rag[office]"')


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("<w:tbl><w:tr><w:tc>" * 3000 + paragraph(run("x")) + "</w:tc></w:tr></w:tbl>" * 3000, "nested too deeply"),
        (equation("<m:f><m:num>" * 3000 + "</m:num></m:f>" * 3000), "nested too deeply"),
        (paragraph(run(" " * (33 << 20))), "the limit is"),
    ],
)
def test_bombs_meet_a_limit(word, problem_of, body, problem):
    assert problem in problem_of(word(body))


def test_wide_spans_are_bounded(word, one_document):
    row = f"<w:tr><w:trPr><w:gridBefore w:val='99999999'/></w:trPr>{cell('x', span('999999999'))}</w:tr>"
    assert len(one_document(word(f"<w:tbl>{row}{row}</w:tbl>")).text) < 2000


def test_the_end_of_a_last_paragraph_may_be_deleted(word, one_document):
    deleted = paragraph("<w:pPr><w:rPr><w:del/></w:rPr></w:pPr>", run("one "))
    assert one_document(word(deleted + paragraph(run("line")) + deleted)).text == "one line\n\none\n"


def test_notes_without_an_id_are_left_out(word, one_document):
    notes = f"<w:footnotes NAMES><w:footnote>{paragraph(run('nothing refers to it'))}</w:footnote></w:footnotes>"
    path = word(paragraph(run("body"), "<w:r><w:footnoteReference/></w:r>"), {"notes": ("footnotes", notes)})
    assert one_document(path).text == "body\n"


def test_a_document_without_a_body_is_told(word, problem_of, tmp_path):
    path = word("")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<html><body>words</body></html>")
    assert problem_of(path) == "is no Word document: its part word/document.xml has no body"
