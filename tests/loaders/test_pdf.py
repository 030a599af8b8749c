"""PDF: text by page, titles, divided words, and files that cannot be read."""

from __future__ import annotations

import io
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest

from late_rag.errors import LoadError
from late_rag.loaders import load, render
from late_rag.types import Media


def test_pages_are_joined_by_form_feeds(make_pdf, one_document):
    file = make_pdf("three.pdf", ["first line", "second line"], [], ["last page"], title="A title")
    document = one_document(file)
    assert document.text == "first line\nsecond line\f\flast page"
    assert document.text.count("\f", 0, document.text.index("last")) == 2
    assert document.metadata == {
        "mime_type": "application/pdf",
        "title": "A title",
        "created": "2000-01-01T00:00:00+00:00",
    }
    assert document.media == tuple(Media(str(file), "application/pdf", page=page) for page in (1, 2, 3))


def test_no_title_is_made_up(make_pdf, one_document):
    assert "title" not in one_document(make_pdf("a.pdf", ["words"])).metadata
    assert "title" not in one_document(make_pdf("b.pdf", ["words"], title="Untitled")).metadata


def test_characters_of_the_standard_fonts(make_pdf, one_document):
    assert one_document(make_pdf("a.pdf", ["“naïve” Öre – 6½ °C, œuvre €"])).text == "“naïve” Öre – 6½ °C, œuvre €"


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["an infor-", "mation"], "an information"),
        (["the Navier-", "Stokes equations"], "the Navier-Stokes equations"),
        (["a well-known and a well-", "known one"], "a well-known and a well-known one"),
        (["a wellknown, well-known, well-", "known one"], "a wellknown, well-known, wellknown one"),
    ],
)
def test_words_divided_at_the_end_of_a_line(make_pdf, one_document, lines, text):
    assert one_document(make_pdf("a.pdf", lines)).text == text


def test_nul_and_control_characters_become_spaces(tmp_path, one_document):
    """Fonts whose ToUnicode map says, wrongly, that a letter is NUL, a control character, a form feed, no character."""
    file = tmp_path / "nul.pdf"
    file.write_bytes(pdf_with_unicode_map({"A": "0000", "E": "D83DDE00"}, "oneAtwoAAthreeE"))
    assert one_document(file).text == "one two  three😀"
    file.write_bytes(pdf_with_unicode_map({"A": "0001", "B": "000C", "C": "FFFE", "E": "D83D"}, "xAyBzCxEz"))
    assert one_document(file).text == "x y z xz"


def pdf_with_unicode_map(unicode_of: dict[str, str], text: str) -> bytes:
    """A page whose font maps these letters to code points (hexadecimal), every other letter to itself."""
    mapping = {letter: unicode_of.get(letter, f"{ord(letter):04X}") for letter in sorted(set(text))}
    pairs = "\n".join(f"<{ord(letter):02X}> <{code}>" for letter, code in mapping.items())
    map_stream = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def\n"
        f"1 begincodespacerange <00> <FF> endcodespacerange\n{len(mapping)} beginbfchar\n{pairs}\nendbfchar\n"
        "endcmap CMapName currentdict /CMap defineresource pop end end"
    )
    page_stream = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 5 0 R /Resources << /Font << /F1 4 0 R >>>>>>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>",
        *(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream" for stream in (page_stream, map_stream)),
    ]
    out, offsets = io.BytesIO(b""), []
    out.write(b"%PDF-1.4\n")
    for number, content in enumerate(objects, start=1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj\n{content}\nendobj\n".encode())
    start = out.tell()
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}".encode())
    out.write(f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def test_no_text_layer(make_pdf, problem_of):
    assert problem_of(make_pdf("scan.pdf", [], [])) == "has no text layer on its 2 pages (scanned?); it needs OCR first"


def test_password(make_pdf, problem_of, one_document):
    from reportlab.lib.pdfencrypt import StandardEncryption

    locked = make_pdf("locked.pdf", ["secret"], encrypt=StandardEncryption("open sesame", strength=128))
    assert problem_of(locked) == "is protected by a password"
    unlocked = make_pdf("unlocked.pdf", ["public"], encrypt=StandardEncryption("", ownerPassword="x", strength=128))
    assert one_document(unlocked).text == "public"


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_cut_off(make_pdf, problem_of, share):
    file = make_pdf("cut.pdf", *(["page of words"] for _ in range(5)))
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    assert problem_of(file).startswith("is cut off")


def test_damaged_or_no_pdf(tmp_path, make_pdf, problem_of):
    fake = tmp_path / "fake.pdf"
    fake.write_text("words")
    assert problem_of(fake).startswith("is cut off, or no PDF")
    fake.write_text("words %%EOF")
    assert problem_of(fake).startswith("is no PDF or a damaged one")


def test_strict_raises(make_pdf):
    make_pdf("a.pdf", ["words"])
    scan = make_pdf("scan.pdf", [])
    good, bad = load(scan.parent, strict=True)
    assert len(list(good.documents)) == 1
    with pytest.raises(LoadError, match="no text layer"):
        list(bad.documents)


def test_eight_threads(make_pdf, one_document):
    files = [make_pdf(f"{number}.pdf", *([f"page {page} of {number}"] for page in range(20))) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda file: one_document(file).text, files * 4))
    for number, text in enumerate(texts):
        assert text == "\f".join(f"page {page} of {number % 8}" for page in range(20))


def test_a_page_is_drawn(make_pdf, one_document):
    document = one_document(make_pdf("a.pdf", ["words"], ["more"], pagesize=(200, 800)))
    image = render(document.media[1], scale=1.5)
    assert image.startswith(b"\x89PNG")
    assert struct.unpack(">II", image[16:24]) == (300, 1200)
    in_memory = Media(document.media[0].read(), "application/pdf", page=2)
    assert render(in_memory, scale=1.5) == image
    assert render(document.media[0], scale=1.5) != image


def test_a_page_that_is_not_there(make_pdf, tmp_path):
    file = make_pdf("a.pdf", ["words"])
    with pytest.raises(LoadError, match="no page 7; the PDF has 1"):
        render(Media(str(file), "application/pdf", page=7))
    with pytest.raises(LoadError, match=r"gone\.pdf"):
        render(Media(str(tmp_path / "gone.pdf"), "application/pdf", page=1))
