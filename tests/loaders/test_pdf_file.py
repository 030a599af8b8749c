"""PDF: whole files and cut ones, what is no PDF, pages that cannot be read, forms, and what a PDF says about itself."""

from __future__ import annotations

import tracemalloc

import pytest

from late_rag.loaders import load
from late_rag.loaders.pdf.blank import damaged_pages
from late_rag.loaders.pdf.file import open_pdf
from late_rag.loaders.pdf.lzw import lzw_decoded
from tests.loaders.pdf_parts import FONT, at, deflated, lzw, mapped, pdf, written

LINE = at(72, 700, "The lighthouse keeper")


@pytest.fixture
def cases(repository):
    return repository / "tests" / "cases" / "pdf"


@pytest.fixture
def write(tmp_path):
    def write(content: bytes):
        file = tmp_path / "a.pdf"
        file.write_bytes(content)
        return file

    return write


@pytest.mark.parametrize("name", ["eof_trail2", "junk_before", "no_eof", "title_odd", "title_surrogate"])
def test_whole_files_that_are_a_little_odd(cases, one_document, name):
    document = one_document(cases / f"{name}.pdf")
    assert document.text == "The lighthouse keeper"
    assert "title" not in document.metadata


@pytest.mark.parametrize("behind", [b"\0" * 200_000, b"<p>an object, 1 object</p>" * 10_000, b"\r\n" * 3000])
def test_bytes_behind_the_end(write, one_document, behind):
    assert one_document(write(pdf(LINE) + behind)).text == "The lighthouse keeper"


def test_bytes_before_the_beginning(write, one_document):
    assert one_document(write(b"x" * 5000 + pdf(LINE))).text == "The lighthouse keeper"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8, 0.95])
def test_a_file_that_is_cut_off_after_it_was_changed(write, problem_of, share):
    """A second end is missing, and the first one is there; so it is in files that are written for the web."""
    first, changed = pdf(LINE), pdf(LINE, LINE, LINE)
    assert problem_of(write(first + changed[: int(len(changed) * share)])).startswith("is cut off")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\n<!DOCTYPE html>\n<html><body>Not found</body></html>", "is an HTML page, no PDF"),
        (b"<!-- saved --><HTML lang=en><p>%%EOF", "is an HTML page, no PDF"),
        (b"PK\x03\x04 and so on", "is a ZIP archive or Office file, no PDF"),
        (b"%!PS-Adobe-3.0\n%%EOF\n", "is PostScript, no PDF"),
        (b"%PDF-1.4\n%%EOF\n", "is no PDF or a damaged one"),
        (b"%PDF-1.4\nstartxref" + b" " * 500_000, "is cut off, or no PDF"),
        (b"%PDF-1.4\n%%EOF" + b"1 1 " * 100_000, "is no PDF or a damaged one"),
    ],
)
def test_what_is_no_pdf_is_told(write, problem_of, content, reason):
    assert problem_of(write(content)).startswith(reason)


def test_a_page_that_cannot_be_read_is_named(cases):
    (file,) = load(cases / "bad_page.pdf")
    (document,) = file.documents
    assert document.text == "First page about piers\f\fThird page about quays"
    assert [media.page for media in document.media] == [1, 2, 3]
    assert [omission.what for omission in file.omissions] == ["page 2 cannot be read (Failed to load page.)"]
    assert file.omissions[0].lost
    assert file.error is None


def compressed(content: str, *, filters: str = "/FlateDecode") -> bytes:
    """A page with a line before and after one that has this content, as it is."""
    length = len(content.encode("latin-1"))
    resources = "/Resources << /Font << /F1 3 0 R >> >>"
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800]"
    pages = [f"{page} /Contents {number} 0 R {resources} >>" for number in (7, 8, 7)]
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [4 0 R 5 0 R 6 0 R] /Count 3 >>",
        FONT,
        *pages,
        f"<< /Length {len(LINE)} >>\nstream\n{LINE}\nendstream",
        f"<< /Length {length} /Filter [{filters}] >>\nstream\n{content}\nendstream",
    ]
    return written(objects)


LONG = "".join(at(72, 700, f"keeper {number}") for number in range(60))


@pytest.mark.parametrize("early", [0, 1])
def test_lzw_is_read_as_pdfium_reads_it(write, one_document, early):
    content = lzw(LONG, early)
    assert lzw_decoded(content.encode("latin-1"), 10_000, early) == LONG.encode()
    assert len(lzw_decoded(content.encode("latin-1"), 100, early)) < 200
    parameters = "" if early else "] /DecodeParms [<< /EarlyChange 0 >>"
    (_, page, _) = one_document(write(compressed(content, filters=f"/LZWDecode{parameters}"))).text.split("\f")
    assert "keeper 59" in page


@pytest.mark.parametrize("data", [b"\xff" * 20, bytes([0x80, 0x40, 0xFF, 0xFF]), b"\x81\x02" * 3])
def test_lzw_codes_that_stand_for_nothing(data):
    with pytest.raises(ValueError, match="stands for nothing"):
        lzw_decoded(data, 100)


@pytest.mark.parametrize(
    ("content", "filters"),
    [
        ("\xff" * 200, "/LZWDecode"),
        (lzw("\0\1" * 100), "/LZWDecode"),
        ("!" * 200, "/FlateDecode"),
        ("!" * 200, ""),
        ("!" * 200, "/ASCII85Decode /FlateDecode"),
        (deflated(LINE)[:20] + "\0" * 40, "/FlateDecode"),
        ("\0\1" * 100, "/FlateDecode"),
    ],
)
def test_a_page_whose_content_is_damaged_is_named(write, content, filters):
    (file,) = load(write(compressed(content, filters=filters)))
    (document,) = file.documents
    assert document.text == "The lighthouse keeper\f\fThe lighthouse keeper"
    assert [omission.what for omission in file.omissions] == ["page 2 cannot be read: its content is damaged"]


def test_pages_may_share_their_content(write):
    """It is looked at once, whether or not there are thousands of them."""
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents [4 0 R 5 0 R] >>"
    kids = " ".join(f"{number} 0 R" for number in range(6, 306))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count 300 >>",
        FONT,
        "<< /Length 4 >>\nstream\nq  Q\nendstream",
        f"<< /Length 1000000 >>\nstream\n{'!' * 1_000_000}\nendstream",
        *[page] * 300,
    ]
    path = write(written(objects))
    with open_pdf(path) as document:
        tracemalloc.start()
        try:
            assert damaged_pages(document, range(300)) == []
            assert tracemalloc.get_traced_memory()[1] < 20_000_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    ("content", "filters"),
    [
        ("", ""),
        (" \n", ""),
        ("", "/FlateDecode"),
        (deflated(""), "/FlateDecode"),
        (deflated("1 0 0 1 0 0 cm  BT /F1 12 Tf 14.4 TL ET\n"), "/FlateDecode"),
        ("q\nQ", ""),
        (lzw("q\nQ"), "/LZWDecode"),
        (lzw("q 1 0 0 1 0 0 cm Q " * 100, 0), "/LZWDecode] /DecodeParms [<< /EarlyChange 0 >>"),
    ],
)
def test_an_empty_page_is_nothing_to_tell(write, content, filters):
    (file,) = load(write(compressed(content, filters=filters)))
    (document,) = file.documents
    assert document.text == "The lighthouse keeper\f\fThe lighthouse keeper"
    assert not file.omissions


DRAWN = "BI /W 1 /H 1 /CS /G /BPC 8 ID x EI"


@pytest.mark.parametrize(
    ("content", "scan"),
    [
        (f"q 600 0 0 800 0 0 cm {DRAWN} Q", True),
        ("".join(f"q 500 0 0 100 50 {100 * n} cm {DRAWN} Q " for n in range(7)), True),
        (f"q 60 0 0 80 0 0 cm {DRAWN} Q", False),
        (f"q 60000 0 0 80 0 0 cm {DRAWN} Q", False),
        ("0 0 600 800 re f", False),
    ],
)
def test_a_scanned_page_between_others_is_named(write, content, scan):
    (file,) = load(write(pdf(LINE, content, LINE)))
    (document,) = file.documents
    assert document.text == "The lighthouse keeper\f\fThe lighthouse keeper"
    what = ["page 2 has no text layer (a scan?); it needs OCR first"] if scan else []
    assert [omission.what for omission in file.omissions] == what


@pytest.mark.parametrize(
    ("drawn", "lost"),
    [
        (r"\001lu\002 harbour rules for the pilots \003\004\005", True),
        (r"\001 a harbour \001 its rules \001 the pilots \001", False),
        ("The harbour and its rules for pilots", False),
    ],
)
def test_letters_without_a_map_on_a_page_that_can_be_read(write, drawn, lost):
    """Letters are lost where a font has no map for them; a bullet is no letter."""
    font = f"{FONT.removesuffix('>>')} /Encoding << /Differences [1 /g1 /g2 /g3 /g4 /g5] >> >>"
    (file,) = load(write(pdf(LINE, at(72, 700, drawn), font=font)))
    (document,) = file.documents
    assert "harbour" in document.text
    what = ["page 2 lacks some letters: their font does not say which they are; it needs OCR"] if lost else []
    assert [omission.what for omission in file.omissions] == what


def test_too_many_pages_are_told(write, problem_of):
    pages = "<< /Type /Pages /Kids [3 0 R] /Count 900000 >>"
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] >>"
    content = written(["<< /Type /Catalog /Pages 2 0 R >>", pages, page])
    assert problem_of(write(content)) == "has 900,000 pages; at most 100,000 are read. Split it"


@pytest.mark.parametrize(
    ("letters", "codes"),
    [
        ("abcdefgh", [f"{code:04X}" for code in range(0xE000, 0xE008)]),
        ("abcdefgh", ["FFFD"] * 8),
        ("abcdefgh", [f"{code:04X}" for code in range(1, 9)]),
    ],
)
def test_a_page_of_letters_without_meaning(write, problem_of, letters, codes):
    problem = problem_of(write(mapped(letters * 4, dict(zip(letters, codes, strict=True)))))
    assert problem == "page 1 cannot be read: its fonts do not say which letters they show; it needs OCR"


def glyph_numbers(text: str) -> str:
    """A text as the numbers that its letters have in most TrueType fonts."""
    return "".join(f"{ord(letter) - 29:04X}" for letter in text)


def page_without_map(text: str, *others: str) -> bytes:
    system = "<< /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
    descendant = f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /X /CIDSystemInfo {system} >>"
    font = "<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /DescendantFonts [4 0 R] >>"
    content = f"BT /F1 12 Tf 72 700 Td <{glyph_numbers(text)}> Tj ET"
    return pdf(content, *others, font=font, more=(descendant,))


@pytest.mark.parametrize(
    "text", ["The quick brown fox jumps over the lazy dog", "Ships that pass in the night", "OFFICE 2019"]
)
def test_a_page_whose_font_has_no_unicode_map(write, problem_of, text):
    assert "page 1 cannot be read: its fonts do not say" in problem_of(write(page_without_map(text)))


def test_a_few_such_letters_do_no_harm(write, one_document):
    text = "Words with a bullet and more words behind it"
    codes = {letter: f"{ord(letter):04X}" for letter in text} | {"*": "F0B7"}
    assert one_document(write(mapped(f"* {text}", codes))).text == f"\uf0b7 {text}"


def test_values_of_fields_are_text(cases, one_document):
    assert one_document(cases / "form.pdf").text == "Name of the applicant\nWaldo Pinecone"


WIDGET = "/Type /Annot /Subtype /Widget /Rect [10 10 90 30]"
FIELDS = (
    f"<< {WIDGET} /FT /Tx /T (a) /V (Waldo Pinecone) /TU (Full name) >>",
    f"<< {WIDGET} /FT /Tx /T (b) /V (hunter2) /Ff 8192 >>",
    f"<< {WIDGET} /FT /Tx /T (c) /V (unseen) /F 2 >>",
    f"<< {WIDGET} /FT /Ch /T (d) /Ff 131072 /V (gb) /Opt [[(fr) (France)] [(gb) (Great Britain)]] >>",
    f"<< {WIDGET} /FT /Btn /T (e) /TU (Married) /V /Yes /AS /Yes /AP << /N << /Yes 3 0 R >> >> >>",
    f"<< {WIDGET} /FT /Btn /T (f) /TU (Retired) /V /Off /AS /Off /AP << /N << /Yes 3 0 R >> >> >>",
    f"<< {WIDGET} /FT /Tx /T (g) /V <FEFF00C900740069006506270644> >>",
)


def form(*fields: str, content: str = LINE, acroform: str = "", catalog: str = "") -> bytes:
    numbers = " ".join(f"{number} 0 R" for number in range(4, 4 + len(fields)))
    return pdf(
        content,
        page=f"/MediaBox [0 0 600 800] /Annots [{numbers}]",
        more=fields,
        catalog=f"/AcroForm << /Fields [{numbers}] {acroform} >> {catalog}",
    )


def test_fields_of_every_kind(write, one_document):
    text = one_document(write(form(*FIELDS))).text
    assert text.splitlines()[0] == "The lighthouse keeper"
    assert set(text.splitlines()[1:]) == {
        "Full name: Waldo Pinecone",
        "Great Britain",
        "Married: Yes",
        "Étie\u0627\u0644",
    }


def test_a_form_without_other_text(write, one_document):
    assert one_document(write(form(FIELDS[0], content=" "))).text == "Full name: Waldo Pinecone"


@pytest.mark.parametrize(
    ("notice", "catalog"),
    [
        ("Please wait... If this message is not eventually replaced by the proper contents, your PDF viewer", ""),
        ("Bitte warten...", "/NeedsRendering true"),
    ],
)
def test_a_shell_of_an_xfa_form_is_told(write, problem_of, notice, catalog):
    content = form(content=at(72, 700, notice), acroform="/XFA (x)", catalog=catalog)
    assert problem_of(write(content)).startswith("is an XFA form")


def test_an_xfa_form_with_pages_is_read(write, one_document):
    assert one_document(write(form(FIELDS[0], acroform="/XFA (x)"))).text.startswith("The lighthouse keeper")


@pytest.mark.parametrize(
    "title",
    [
        "(Microsoft Word - x.doc)",
        "(Microsoft PowerPoint - Slides)",
        "(Untitled)",
        "(untitled document)",
        "(report_final.docx)",
        "(PowerPoint Presentation)",
        "(C:\\\\temp\\\\a)",
        "(file:///tmp/a)",
        "( )",
        "<FEFF004CD83D0061>",
        "<FEFF004C00>",
        "<FEFFFFFDFFFD0061>",
    ],
)
def test_titles_that_are_none(write, one_document, title):
    assert "title" not in one_document(write(pdf(LINE, info=f"/Title {title}"))).metadata


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("(A Word about Microsoft)", "A Word about Microsoft"),
        ("(ASP.NET and Node.js)", "ASP.NET and Node.js"),
        ("<FEFF00DC0062006500720020D83DDE00>", "Über 😀"),
        ("(Two\\n  lines)", "Two lines"),
    ],
)
def test_titles(write, one_document, title, text):
    assert one_document(write(pdf(LINE, info=f"/Title {title}"))).metadata["title"] == text


@pytest.mark.parametrize(
    ("date", "created"),
    [
        ("D:20200131120000+01'00'", "2020-01-31T12:00:00+01:00"),
        ("D:20200131120000-0530", "2020-01-31T12:00:00-05:30"),
        ("D:20200131120000Z", "2020-01-31T12:00:00+00:00"),
        ("20200131", "2020-01-31"),
        ("D:2020", "2020"),
        ("D:20200230", None),
        ("D:19700101000000Z", None),
        ("D:20200131120000+99'00'", None),
        ("yesterday", None),
    ],
)
def test_author_and_time_of_creation(write, one_document, date, created):
    info = f"/Author (Ada Lovelace) /CreationDate ({date})"
    metadata = one_document(write(pdf(LINE, info=info))).metadata
    assert metadata["author"] == "Ada Lovelace"
    assert metadata.get("created") == created


@pytest.mark.parametrize("author", ["(anonymous)", "(user)", "(12)", "<FEFFD83D>"])
def test_authors_that_are_none(write, one_document, author):
    assert "author" not in one_document(write(pdf(LINE, info=f"/Author {author}"))).metadata
