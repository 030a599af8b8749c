"""PDF: the text of its pages, and the pages as pictures, which are drawn when asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from late_rag.errors import LoadError
from late_rag.loaders.pdf.blank import damaged_pages, is_scan
from late_rag.loaders.pdf.file import name_of, open_pdf
from late_rag.loaders.pdf.forms import field_values, form_of, is_shell
from late_rag.loaders.pdf.metadata import describe
from late_rag.loaders.pdf.text import page_text
from late_rag.loaders.pdf.words import join_words
from late_rag.loading import LoadOptions
from late_rag.types import Document, Media, Omission

if TYPE_CHECKING:
    from PIL import Image
    from pypdfium2 import PdfDocument

MIME_TYPE = "application/pdf"

MOST_PIXELS = 80_000_000
"""Of a picture or page that is drawn: 320 MB in memory."""

_UNPRINTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufdd0\ufdd1\ufffe\uffff]")
_MOST_PAGES = 100_000
_NO_LAYER = "has no text layer (a scan?); it needs OCR first"
_DAMAGED = "cannot be read: its content is damaged"
_LOST = "lacks some letters: their font does not say which they are; it needs OCR"
_NO_MAP = "cannot be read: its fonts do not say which letters they show; it needs OCR"


class _Page(NamedTuple):
    """The text of a page, and what is missing from it."""

    text: str
    problem: str | None = None
    drawn: bool = True


class PdfLoader:
    """One document for the file: its pages joined by form feeds, so a place's page is 1 + the form feeds before it.

    A page that cannot be read is left out, with an empty page in its place.
    """

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:  # noqa: ARG002
        with open_pdf(path) as pdf:
            if len(pdf) > _MOST_PAGES:
                raise LoadError(f"{path}: has {len(pdf):,} pages; at most {_MOST_PAGES:,} are read. Split it")
            pages = list(_pages(pdf))
            texts = join_words([page.text for page in pages])
            metadata = {"mime_type": MIME_TYPE, **describe(pdf)}
            shell = is_shell(pdf, texts)
        if shell:
            raise LoadError(f"{path}: is an XFA form, of which the PDF holds only a notice; print it to a PDF first")
        readable = any(text.strip() for text in texts)
        problems = [(number, page.problem) for number, page in enumerate(pages, 1) if page.problem]
        if not readable and all(problem == _NO_LAYER for _, problem in problems):
            raise LoadError(f"{path}: has no text layer on its {len(texts)} pages (scanned?); it needs OCR first")
        yield from (Omission(f"page {number} {problem}") for number, problem in problems)
        if readable:
            text = "\f".join(_UNPRINTED.sub(" ", text) for text in texts)
            yield "", Document(text=text, metadata=metadata, media=_media(path, len(texts)))


def _pages(pdf: PdfDocument) -> list[_Page]:
    """What there is to read on each page, and what cannot be read."""
    with form_of(pdf) as form:
        pages = [_page(pdf, index, form) for index in range(len(pdf))]
    for index in damaged_pages(pdf, [index for index, page in enumerate(pages) if not page.drawn]):
        pages[index] = pages[index]._replace(problem=_DAMAGED)
    return pages


def _page(pdf: PdfDocument, index: int, form: Any) -> _Page:
    import pypdfium2

    try:
        with closing(pdf[index]) as page:
            filled_in = field_values(form, page) if form else ""
            text, lacks_letters = page_text(page)
            drawn = bool(text) or pypdfium2.raw.FPDFPage_CountObjects(page.raw) > 0
            scan = text == "" and is_scan(page)
    except pypdfium2.PdfiumError as error:
        return _Page("", f"cannot be read ({error})")
    if text is None:
        return _Page("", _NO_MAP)
    problem = _NO_LAYER if scan else _LOST if lacks_letters else None
    return _Page("\n".join(filter(None, (text, filled_in))), problem, drawn)


def _media(path: Path, pages: int) -> tuple[Media, ...]:
    return tuple(Media(str(path), MIME_TYPE, page=number) for number in range(1, pages + 1))


def draw_page(media: Media, scale: float) -> Image.Image:
    """Draws a page of a PDF.

    Args:
        media: the PDF and a page that counts from 1.
        scale: pixels for each 1/72 inch.

    Raises:
        LoadError: the file is gone, is no PDF, or has no such page.
    """
    number = media.page or 1
    content = media.content if isinstance(media.content, bytes) else Path(media.content)
    with open_pdf(content) as pdf:
        if not 1 <= number <= len(pdf):
            raise LoadError(f"{name_of(content)}: there is no page {number}; the PDF has {len(pdf)}")
        with closing(pdf[number - 1]) as page:
            check_pixels(name_of(content), *(round(side * scale) for side in page.get_size()))
        with closing(pdf[number - 1]) as page, closing(page.render(scale=scale)) as bitmap:
            picture: Image.Image = bitmap.to_pil().copy()  # the bitmap's own memory ends here
            return picture


def check_pixels(name: str, width: int, height: int) -> None:
    """Raises LoadError for a picture that would take too much memory to draw."""
    if width * height > MOST_PIXELS:
        raise LoadError(f"{name}: {width:,} × {height:,} pixels are more than the {MOST_PIXELS:,} that are drawn")
