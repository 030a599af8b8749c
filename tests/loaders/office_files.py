"""A small file of each archive format that has parts of every kind, each with a word that is nowhere else."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
OPEN = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{full}:1.0"'
    for name, full in {name: name for name in ("office", "table", "text", "style")}.items() | {("draw", "drawing")}
)
OPEN += ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/"'


def pack(path: Path, parts: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def parts_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def relations(**targets: tuple[str, str]) -> str:
    rows = "".join(f'<Relationship Id="{i}" Type="{kind}" Target="{part}"/>' for i, (kind, part) in targets.items())
    return f'<Relationships xmlns="{PACKAGE}/relationships">{rows}</Relationships>'


ROOT = f"{PACKAGE}/relationships/metadata/core-properties"
PROPERTIES = (
    f'<cp:coreProperties xmlns:cp="{PACKAGE}/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<dc:creator>Ada</dc:creator></cp:coreProperties>"
)


def word(path: Path) -> Path:
    def text(words: str) -> str:
        return f"<w:p><w:r><w:t>{words}</w:t></w:r></w:p>"

    def part(kind: str, inside: str) -> str:
        return f'<w:{kind} xmlns:w="{WORD}">{inside}</w:{kind}>'

    references = "".join(f"<w:r><w:{kind}Reference w:id='1'/></w:r>" for kind in ("footnote", "endnote", "comment"))
    chart = f"<w:r><w:drawing><c:chart xmlns:c='{CHART}' r:id='chart'/></w:drawing></w:r>"
    sections = "<w:sectPr><w:headerReference r:id='h'/><w:footerReference r:id='f'/></w:sectPr>"
    styled = "<w:p><w:pPr><w:pStyle w:val='Own'/><w:numPr><w:ilvl w:val='0'/><w:numId w:val='1'/></w:numPr></w:pPr>"
    body = (
        f"{text('body')}<w:p>{references}</w:p><w:p>{chart}</w:p>{styled}<w:r><w:t>styled</w:t></w:r></w:p>{sections}"
    )
    kinds = {name: (f"{OFFICE}/{name}", f"{name}.xml") for name in ("footnotes", "endnotes", "comments", "styles")}
    kinds |= {"numbering": (f"{OFFICE}/numbering", "numbering.xml"), "theme": (f"{OFFICE}/theme", "theme.xml")}
    kinds |= {"h": (f"{OFFICE}/header", "h.xml"), "f": (f"{OFFICE}/footer", "f.xml")}
    kinds |= {"chart": (f"{OFFICE}/chart", "chart.xml")}
    return pack(
        path,
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": relations(
                m=(f"{OFFICE}/officeDocument", "word/document.xml"), p=(ROOT, "docProps/core.xml")
            ),
            "docProps/core.xml": PROPERTIES,
            "word/document.xml": f"<w:document xmlns:w='{WORD}' xmlns:r='{OFFICE}'><w:body>{body}</w:body>"
            "</w:document>",
            "word/_rels/document.xml.rels": relations(**kinds),
            **{
                f"word/{kind}s.xml": part(f"{kind}s", f"<w:{kind} w:id='1'>{text(f'in-{kind}')}</w:{kind}>")
                for kind in ("footnote", "endnote", "comment")
            },
            "word/styles.xml": part("styles", "<w:style w:styleId='Own' w:type='paragraph'/>"),
            "word/numbering.xml": part("numbering", ""),
            "word/theme.xml": "<theme/>",
            "word/h.xml": part("hdr", text("in-header")),
            "word/f.xml": part("ftr", text("in-footer")),
            "word/chart.xml": f"<c:chartSpace xmlns:c='{CHART}' xmlns:a='{DRAWING}'><c:title><a:t>in-chart</a:t>"
            "</c:title></c:chartSpace>",
        },
    )


def slides(path: Path) -> Path:
    import pptx
    from pptx.chart.data import CategoryChartData
    from pptx.enum.chart import XL_CHART_TYPE
    from pptx.opc.package import Part
    from pptx.opc.packuri import PackURI

    deck = pptx.Presentation()
    for words in ("first", "second"):
        slide = deck.slides.add_slide(deck.slide_layouts[6])
        slide.shapes.add_textbox(0, 0, 9, 9).text_frame.text = words
    slide.notes_slide.notes_text_frame.text = "in-notes"
    data = CategoryChartData()
    data.categories = ["in-chart"]
    data.add_series("series", (1,))
    slide.shapes.add_chart(XL_CHART_TYPE.COLUMN_CLUSTERED, 0, 0, 9, 9, data)
    comments = b'<p:cmLst xmlns:p="x"><p:cm><p:text>in-comments</p:text></p:cm></p:cmLst>'
    part = Part(PackURI("/ppt/comments/comment1.xml"), "application/xml", slide.part.package, comments)
    slide.part.relate_to(part, f"{OFFICE}/comments")
    deck.core_properties.author = "Ada"
    deck.save(path)
    kept = {name: data for name, data in parts_of(path).items() if "slideLayout" not in name or "slideLayout7" in name}
    return pack(path, kept)


def workbook(path: Path) -> Path:
    import xlsxwriter

    with xlsxwriter.Workbook(path) as book:
        book.set_properties({"author": "Ada"})
        for name in ("One", "Two"):
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, [f"in-{name.lower()}", 7])
            sheet.write_comment(0, 0, f"comment-{name.lower()}")
        sheet.write(1, 0, 45000, book.add_format({"num_format": "yyyy-mm-dd"}))
        book.add_worksheet("Numbers").write_row(0, 0, [4711, 4712])
        chart = book.add_chart({"type": "line"})
        chart.set_title({"name": "Tides"})
        chart.add_series({"values": "=One!$B$1"})
        sheet.insert_chart("B2", chart)
    return path


def record(kind: int, content: bytes = b"") -> bytes:
    """A record of BIFF12, of fewer than 128 bytes."""
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    return head + bytes([len(content)]) + content


def wide(words: str) -> bytes:
    return struct.pack("<I", len(words)) + words.encode("utf-16-le")


def binary_workbook(path: Path) -> Path:
    sheets = b"".join(
        record(156, struct.pack("<2I", 0, number) + wide(f"r{number}") + wide(name))
        for number, name in ((1, "One"), (2, "Two"))
    )

    def sheet(words: str) -> bytes:
        dimensions = record(148, struct.pack("<4I", 0, 0, 0, 0))
        row = record(0, struct.pack("<I", 0) + bytes(13))
        cell = record(6, struct.pack("<2I", 0, 0) + wide(words))
        return record(129) + dimensions + record(145) + row + cell + record(146) + record(130)

    place = struct.pack("<5I", 0, 1, 1, 27, 27) + bytes(16)
    comment = record(635, place) + record(637, b"\0" + wide("in-comment")) + record(636)
    book = {
        "r1": (f"{OFFICE}/worksheet", "worksheets/sheet1.bin"),
        "r2": (f"{OFFICE}/worksheet", "worksheets/sheet2.bin"),
    }
    return pack(
        path,
        {
            "_rels/.rels": relations(m=(f"{OFFICE}/officeDocument", "xl/workbook.bin"), p=(ROOT, "docProps/core.xml")),
            "docProps/core.xml": PROPERTIES,
            "xl/workbook.bin": record(131) + record(143) + sheets + record(144) + record(132),
            "xl/_rels/workbook.bin.rels": relations(**book),
            "xl/worksheets/sheet1.bin": sheet("in-one"),
            "xl/worksheets/_rels/sheet1.bin.rels": relations(c=(f"{OFFICE}/comments", "../comments1.bin")),
            "xl/comments1.bin": record(628) + comment + record(629),
            "xl/worksheets/sheet2.bin": sheet("in-two"),
        },
    )


def open_document(kind: str, body: str) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        content = f"<office:document-content {OPEN}><office:body>{body}</office:body></office:document-content>"
        header = "<style:header><text:p>in-header</text:p></style:header>" if kind == "text" else ""
        math = '<math xmlns="http://www.w3.org/1998/Math/MathML"><mi>in-formula</mi></math>'
        return pack(
            path,
            {
                "mimetype": f"application/vnd.oasis.opendocument.{kind}",
                "META-INF/manifest.xml": '<m><e full-path="styles.xml"/><e full-path="meta.xml"/></m>',
                "content.xml": content,
                "styles.xml": f"<office:document-styles {OPEN}>{header}</office:document-styles>",
                "meta.xml": f"<office:document-meta {OPEN}><dc:creator>Ada</dc:creator></office:document-meta>",
                **({"Object 1/content.xml": math} if kind != "spreadsheet" else {}),
            },
        )

    return make


OBJECT = '<text:p>body <draw:frame><draw:object xlink:href="./Object 1"/></draw:frame></text:p>'
CELL = "<table:table-cell office:value-type='string'><text:p>body</text:p></table:table-cell>"
TABLE = f"<table:table table:name='T'><table:table-row>{CELL}</table:table-row></table:table>"


def book(path: Path) -> Path:
    def page(body: str) -> str:
        return f"<html xmlns='http://www.w3.org/1999/xhtml'><body>{body}</body></html>"

    names = ("nav", "one", "two")
    items = "".join(
        f"<item id='{name}' href='{name}.xhtml' media-type='application/xhtml+xml'"
        f"{' properties=' + repr('nav') if name == 'nav' else ''}/>"
        for name in names
    )
    places = "".join(f"<itemref idref='{name}'/>" for name in names[1:])
    return pack(
        path,
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": "<container><rootfiles><rootfile full-path='b/c.opf'/></rootfiles></container>",
            "META-INF/encryption.xml": "<encryption/>",
            "b/c.opf": f"<package><metadata><creator>Ada</creator></metadata><manifest>{items}</manifest>"
            f"<spine>{places}</spine></package>",
            "b/nav.xhtml": page("<nav><a href='one.xhtml'>in-contents</a></nav>"),
            "b/one.xhtml": page("<p>in-one</p>"),
            "b/two.xhtml": page("<p>in-two</p>"),
        },
    )


MAKERS: dict[str, Callable[[Path], Path]] = {
    "a.docx": word,
    "a.pptx": slides,
    "a.xlsx": workbook,
    "a.xlsb": binary_workbook,
    "a.odt": open_document("text", f"<office:text>{OBJECT}</office:text>"),
    "a.odp": open_document(
        "presentation", f"<office:presentation><draw:page>{OBJECT}</draw:page></office:presentation>"
    ),
    "a.ods": open_document("spreadsheet", f"<office:spreadsheet>{TABLE}</office:spreadsheet>"),
    "a.epub": book,
}


def spoiled(path: Path, name: str) -> Path:
    """The file, in which the bytes of a member are others than its checksum says."""
    parts = parts_of(path)
    with zipfile.ZipFile(path, "w") as archive:
        for other, data in parts.items():
            archive.writestr(other, data)
        place = archive.getinfo(name).header_offset + 30 + len(name.encode())
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    return path
