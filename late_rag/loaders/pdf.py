"""PDF: the text of its pages, and the pages as pictures, which are drawn when asked for.

pdfium is not thread-safe (https://github.com/pypdfium2-team/pypdfium2#thread-incompatibility): one lock for all.
"""

from __future__ import annotations

import re
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from late_rag.errors import LoadError
from late_rag.loading import LoadOptions
from late_rag.types import Document, Media

if TYPE_CHECKING:
    from PIL import Image
    from pypdfium2 import PdfDocument, PdfTextPage

MIME_TYPE = "application/pdf"

_lock = threading.RLock()
_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_TAIL = 1 << 16
_DIVIDED = re.compile(r"(\w*)\x02(\w*)")  # what pdfium makes of a hyphen and the end of the line
_UNPRINTED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")
_NO_TITLES = frozenset({"untitled", "anonymous", "(anonymous)", "unspecified", "(unspecified)"})


class PdfLoader:
    """One document for the file: its pages joined by form feeds, so a place's page is 1 + the form feeds before it."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document]]:  # noqa: ARG002
        with _open(path) as pdf:
            title = _title(pdf)
            texts = _join_divided([_page_text(pdf, number, path) for number in range(len(pdf))])
        if not any(text.strip() for text in texts):
            raise LoadError(f"{path}: has no text layer on its {len(texts)} pages (scanned?); it needs OCR first")
        pages = tuple(Media(str(path), MIME_TYPE, page=number) for number in range(1, len(texts) + 1))
        named = {"title": title} if title else {}
        yield "", Document(text="\f".join(texts), metadata={"mime_type": MIME_TYPE, **named}, media=pages)


@contextmanager
def _open(content: Path | bytes) -> Iterator[PdfDocument]:
    """Opens a PDF while the lock is held, and closes it."""
    import pypdfium2

    path = _name(content)
    whole = b"%%EOF" in _tail(content)
    with _lock:
        try:
            pdf = pypdfium2.PdfDocument(content)
        except pypdfium2.PdfiumError as error:
            if error.err_code == _PASSWORD_ERROR:
                raise LoadError(f"{path}: is protected by a password") from error
            wrong = "is no PDF or a damaged one" if whole else "is cut off, or no PDF: it ends without %%EOF"
            raise LoadError(f"{path}: {wrong} ({error})") from error
        with closing(pdf):
            if not whole:  # pdfium mends what it can, and pages would be missing
                raise LoadError(f"{path}: is cut off: it ends without %%EOF")
            yield pdf


def _name(content: Path | bytes) -> str:
    return "PDF in memory" if isinstance(content, bytes) else str(content)


def _tail(content: Path | bytes) -> bytes:
    if isinstance(content, bytes):
        return content[-_TAIL:]
    with content.open("rb") as file:
        file.seek(max(0, content.stat().st_size - _TAIL))
        return file.read()


def _title(pdf: PdfDocument) -> str | None:
    title = " ".join(_UNPRINTED.sub(" ", pdf.get_metadata_value("Title")).split())
    return title if title and title.lower() not in _NO_TITLES else None


def _page_text(pdf: PdfDocument, number: int, path: Path) -> str:
    import pypdfium2

    try:
        with closing(pdf[number]) as page, closing(page.get_textpage()) as text:
            raw = _with_nul(text, text.get_text_bounded())
    except pypdfium2.PdfiumError as error:
        raise LoadError(f"{path}: page {number + 1} cannot be read ({error})") from error
    return raw.replace("\r\n", "\n").replace("\r", "\n")


def _with_nul(page: PdfTextPage, text: str) -> str:
    """The text, with the NULs that pdfium dropped where a font has them for a space."""
    from pypdfium2 import raw

    count = page.count_chars()
    if len(text.encode("utf-16-le")) == 2 * count:
        return text
    units = [raw.FPDFText_GetUnicode(page, position) for position in range(count)]
    return struct.pack(f"<{count}H", *units).decode("utf-16-le", "replace") if 0 in units else text


def _join_divided(pages: list[str]) -> list[str]:
    """Words whole again that were divided at the end of a line.

    The hyphen stays where it belongs to the word: before a capital or a digit, or where the document has the word
    elsewhere with it and nowhere without.
    """
    everything = "\n".join(pages) if any(map(_DIVIDED.search, pages)) else ""

    def join(found: re.Match[str]) -> str:
        left, right = found.groups()
        apart = not right[:1].islower() or (f"{left}-{right}" in everything and left + right not in everything)
        return f"{left}-{right}" if apart else left + right

    return [_UNPRINTED.sub(" ", _DIVIDED.sub(join, page)) for page in pages]


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
    with _open(content) as pdf:
        if not 1 <= number <= len(pdf):
            raise LoadError(f"{_name(content)}: there is no page {number}; the PDF has {len(pdf)}")
        with closing(pdf[number - 1]) as page, closing(page.render(scale=scale)) as bitmap:
            picture: Image.Image = bitmap.to_pil().copy()  # the bitmap's own memory ends here
            return picture
