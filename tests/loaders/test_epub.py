"""E-books: chapters in their order, their names, and what a reader without a key cannot read."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from late_rag.loaders import epub, load
from late_rag.types import Document, Omission

CONTAINER = """<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="OEBPS/content.opf"/></rootfiles></container>"""
TITLE = "<dc:title>The Sea</dc:title>"


def page(body: str) -> str:
    head = "<head><title>The Sea</title><style>p {}</style></head>"
    return f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">{head}<body>{body}</body></html>'


@pytest.fixture
def make_book(tmp_path: Path) -> Callable[..., Path]:
    def make(
        spine: list[str], parts: dict[str, str | bytes], metadata: str = TITLE, items: str = "", **more: Any
    ) -> Path:
        path = tmp_path / "book.epub"
        for number, address in enumerate(spine):
            items += f'<item id="c{number}" href="{address}" media-type="application/xhtml+xml"/>'
        order = (*more.get("spine_first", ()), *(f"c{number}" for number in range(len(spine))))
        places = "".join(f'<itemref idref="{name}"/>' for name in order)
        package = (
            '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
            f"<metadata>{metadata}</metadata><manifest>{items}</manifest><spine>{places}</spine></package>"
        )
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("mimetype", "application/epub+zip")
            archive.writestr("META-INF/container.xml", CONTAINER)
            archive.writestr("OEBPS/content.opf", package)
            for name, data in parts.items():
                archive.writestr(name, data)
        return path

    return make


def test_chapters_stand_in_the_order_of_the_spine(
    make_book: Callable[..., Path], one_document: Callable[..., Document]
) -> None:
    parts = {
        "OEBPS/a b.xhtml": page("<h1>Storm</h1><p>Waves &amp; wind.</p>"),
        "OEBPS/text/c.xhtml": page("<h2>Calm</h2><p>Still.</p>"),
        "OEBPS/unused.xhtml": page("<p>never shown</p>"),
    }
    book = make_book(["text/c.xhtml#top", "a%20b.xhtml"], parts)
    assert one_document(book).text == "## Calm\n\nStill.\n\n# Storm\n\nWaves & wind."


def test_a_chapter_without_a_heading_takes_that_of_the_contents(
    make_book: Callable[..., Path], one_document: Callable[..., Document]
) -> None:
    parts = {"OEBPS/a.xhtml": page("<p>It was dark.</p>"), "OEBPS/b.xhtml": page("<h1>Own</h1><p>Day.</p>")}
    points = "".join(
        f'<navPoint><navLabel><text>{name}</text></navLabel><content src="{address}"/></navPoint>'
        for name, address in (("Night", "a.xhtml#x"), ("Day", "b.xhtml"))
    )
    ncx = f'<!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "ncx-2005-1.dtd"><ncx><navMap>{points}</navMap></ncx>'
    item = '<item id="n" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
    book = make_book(["a.xhtml", "b.xhtml"], {**parts, "OEBPS/toc.ncx": ncx}, items=item)
    assert one_document(book).text == "# Night\n\nIt was dark.\n\n# Own\n\nDay."
    nav = page('<nav><ol><li><a href="a.xhtml">At <i>night</i></a></li></ol></nav>')
    item = '<item id="n" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    book = make_book(["nav.xhtml", "a.xhtml"], {**parts, "OEBPS/nav.xhtml": nav}, items=item)
    assert one_document(book).text == "# At night\n\nIt was dark."


def test_links_inside_each_other_take_no_longer(
    make_book: Callable[..., Path], one_document: Callable[..., Document]
) -> None:
    links = "<a href='a.xhtml'>" * 20_000 + "Night" + "</a>" * 20_000
    item = '<item id="n" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>'
    parts = {"OEBPS/nav.xhtml": page(links), "OEBPS/a.xhtml": page("<p>dark</p>")}
    begun = time.perf_counter()
    assert one_document(make_book(["a.xhtml"], parts, items=item * 50)).text == "# Night\n\ndark"
    assert time.perf_counter() - begun < 5


def test_a_chapter_that_is_cut_off_is_told(make_book: Callable[..., Path]) -> None:
    (file,) = load(make_book(["a.xhtml", "b.xhtml"], {"OEBPS/a.xhtml": "<html><p>on", "OEBPS/b.xhtml": "<p>all"}))
    assert [document.text for document in file.documents] == ["on\n\nall"]
    assert file.omissions == [Omission("the end of the chapter OEBPS/a.xhtml, which is cut off")]


def test_metadata(make_book: Callable[..., Path], one_document: Callable[..., Document]) -> None:
    metadata = (
        f"{TITLE}<dc:creator>Ada</dc:creator><dc:creator>Bob</dc:creator><dc:language>en</dc:language>"
        '<dc:date>1899-05</dc:date><meta property="dcterms:modified">2020-01-02T03:04:05Z</meta>'
    )
    assert one_document(make_book(["a.xhtml"], {"OEBPS/a.xhtml": page("x")}, metadata)).metadata == {
        "mime_type": "application/epub+zip",
        "title": "The Sea",
        "author": "Ada, Bob",
        "language": "en",
        "date": "1899-05",
        "modified": "2020-01-02T03:04:05+00:00",
    }


def test_only_parts_of_the_book_are_read(make_book: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "secret.xhtml").write_text(page("<p>secret</p>"))
    addresses = ["a.xhtml", "../../secret.xhtml", f"file://{tmp_path}/secret.xhtml", "http://[bad", "/etc/passwd"]
    (file,) = load(make_book(addresses, {"OEBPS/a.xhtml": page("<p>here</p>")}))
    (document,) = file.documents
    assert document.text == "here"
    assert len(file.omissions) == len(addresses) - 1
    assert all(omission.lost for omission in file.omissions)


def test_a_spine_that_repeats_gives_each_chapter_once(
    make_book: Callable[..., Path], one_document: Callable[..., Document]
) -> None:
    assert one_document(make_book(["a.xhtml"] * 5000, {"OEBPS/a.xhtml": page("<p>once</p>")})).text == "once"


def test_places_of_the_spine_that_are_no_chapter_are_told(
    make_book: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(epub, "MOST_CHAPTERS", 4)
    items = (
        '<item id="p" href="p.jpg" media-type="image/jpeg"/><item id="d" href="d.pdf" media-type="application/pdf"/>'
    )
    parts = {f"OEBPS/{name}.xhtml": page(f"<p>{name}</p>") for name in "abc"}
    book = make_book(["a.xhtml", "b.xhtml", "c.xhtml"], parts, items=items, spine_first=("p", "gone", "d"))
    (file,) = load(book, isolated=False)
    assert [document.text for document in file.documents] == ["a"]
    assert file.omissions == [
        Omission("the part OEBPS/p.jpg, which is of the type 'image/jpeg' and no page", lost=False),
        Omission("a chapter that the list of parts does not name: 'gone'"),
        Omission("the part OEBPS/d.pdf, which is of the type 'application/pdf' and no page"),
        Omission("2 chapters after the first 4, which is the limit"),
    ]


def test_encrypted_chapters_are_told_and_fonts_do_not_matter(make_book: Callable[..., Path]) -> None:
    def encrypted(*names: str) -> str:
        references = "".join(f'<CipherReference URI="{name}"/>' for name in names)
        return f"<encryption>{references}</encryption>"

    parts: dict[str, str | bytes] = {"OEBPS/a.xhtml": page("<p>open</p>"), "OEBPS/b.xhtml": b"\x00\x01"}
    parts["META-INF/encryption.xml"] = encrypted("OEBPS/font.otf", "OEBPS/b.xhtml")
    (file,) = load(make_book(["a.xhtml", "b.xhtml"], parts))
    assert [document.text for document in file.documents] == ["open"]
    assert [omission.what for omission in file.omissions] == [
        "the chapter OEBPS/b.xhtml is encrypted (digital rights management)"
    ]
    (file,) = load(make_book(["b.xhtml"], parts))
    assert not list(file.documents)
    assert "digital rights management" in str(file.error)


def test_a_chapter_in_another_encoding(make_book: Callable[..., Path], one_document: Callable[..., Document]) -> None:
    chapter = '<?xml version="1.0" encoding="windows-1251"?><html><body><p>Привет, море</p></body></html>'
    assert one_document(make_book(["a.xhtml"], {"OEBPS/a.xhtml": chapter.encode("cp1251")})).text == "Привет, море"


def test_bytes_of_a_chapter_that_are_no_text_are_told(make_book: Callable[..., Path]) -> None:
    (file,) = load(make_book(["a.xhtml"], {"OEBPS/a.xhtml": page("<p>größer</p>\n").encode() + b"<p>caf\xff</p>"}))
    assert [document.text for document in file.documents] == ["größer\n\ncaf\ufffd"]
    what = "bytes in line 2 that are not in the encoding of the file, which is taken for UTF-8: U+FFFD is there"
    assert [(gap.what, gap.lost) for gap in file.omissions] == [(f"the chapter OEBPS/a.xhtml: {what}", False)]


def test_damaged_books_are_told(make_book: Callable[..., Path], problem_of: Callable[..., str]) -> None:
    assert problem_of(make_book([], {})) == "is a damaged book: OEBPS/content.opf names no chapters"
    assert problem_of(make_book(["a.xhtml"], {"OEBPS/a.xhtml": page("<img/>")})) == "has no text"
    assert "a.xhtml is missing" in problem_of(make_book(["a.xhtml"], {}))
    deep = "<div>" * 100_000
    assert "inside each other" in problem_of(make_book(["a.xhtml"], {"OEBPS/a.xhtml": page(deep)}))
