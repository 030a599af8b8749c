"""Opens PDFs: one at a time, whole ones only, and says what is wrong with the others.

pdfium is not thread-safe (https://github.com/pypdfium2-team/pypdfium2#thread-incompatibility): one lock for all.
"""

from __future__ import annotations

import mmap
import re
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from late_rag.errors import LoadError
from late_rag.loaders.decoding import signature

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_lock = threading.RLock()
_PASSWORD_ERROR = 4  # FPDF_ERR_PASSWORD
_HEAD = 1 << 16  # where a PDF begins at the latest; pdfium looks for it in the first kilobyte
_END = re.compile(rb"startxref[\r\n\t ]{1,8}\d{1,19}")
_OBJECT = re.compile(rb"\d \d{1,5} obj\b")
_PAGE_OF_THE_WEB = re.compile(rb"<(?:!doctype[ \t\r\n]+html|html|head|body|title|meta|script)\b", re.IGNORECASE)


@contextmanager
def open_pdf(content: Path | bytes) -> Iterator[PdfDocument]:
    """Opens a PDF while the lock is held, and closes it.

    Raises:
        LoadError: the file is no PDF, damaged, cut off, or protected by a password.
    """
    with _lock, closing(_opened(content)) as pdf:
        yield pdf


def name_of(content: Path | bytes) -> str:
    """What an error calls the file."""
    return "PDF in memory" if isinstance(content, bytes) else str(content)


def _opened(content: Path | bytes) -> PdfDocument:
    import pypdfium2

    with _bytes(content) as data:
        start, whole = max(0, data.find(b"%PDF-", 0, _HEAD)), _is_whole(data)
        wrong = None if start or data[:4] == b"%PDF" else _what_else(data[:1024])
        if wrong:
            raise LoadError(f"{name_of(content)}: {wrong}")
        given = data[start:] if start > 1000 else content
    try:
        pdf = pypdfium2.PdfDocument(given)
    except pypdfium2.PdfiumError as error:
        if error.err_code == _PASSWORD_ERROR:
            raise LoadError(f"{name_of(content)}: is protected by a password") from error
        wrong = "is no PDF or a damaged one" if whole else "is cut off, or no PDF: it ends without %%EOF"
        raise LoadError(f"{name_of(content)}: {wrong} ({error})") from error
    if not whole:  # pdfium mends what it can, and pages would be missing
        pdf.close()
        raise LoadError(f"{name_of(content)}: is cut off: it ends without %%EOF")
    return pdf


@contextmanager
def _bytes(content: Path | bytes) -> Iterator[bytes | mmap.mmap]:
    """The bytes of a file that is not empty, without reading them all."""
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        yield data


def _is_whole(data: bytes | mmap.mmap) -> bool:
    """Whether no object stands behind the last end of the file that is marked as one.

    The mark is ``%%EOF``, or the place of the table of objects in front of it.
    """
    end = data.rfind(b"%%EOF")
    table = _END.match(data, max(0, data.rfind(b"startxref")))
    end = max(end, table.end() if table else -1)
    return end >= 0 and not _OBJECT.search(data, end)


def _what_else(head: bytes) -> str | None:
    """What a file is that does not begin as a PDF, if that can be told."""
    if _PAGE_OF_THE_WEB.search(head):
        return "is an HTML page, no PDF: it was saved in place of one; name it .html, or get the PDF again"
    kind = "PostScript" if head.startswith(b"%!PS") else signature(head)
    return f"is {kind}, no PDF; give it the extension of what it is" if kind else None
