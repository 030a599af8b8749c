"""Files that the loaders' tests read, made here."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest

from late_rag.loaders import load
from late_rag.types import Document


@pytest.fixture
def make_pdf(tmp_path: Path) -> Callable[..., Path]:
    """Writes a PDF: a list of lines for each page; further arguments go to reportlab's canvas."""
    from reportlab.pdfgen.canvas import Canvas

    def make(name: str, *pages: list[str], title: str | None = None, **options: object) -> Path:
        path = tmp_path / name
        canvas = Canvas(str(path), invariant=1, **options)
        if title is not None:
            canvas.setTitle(title)
        for lines in pages:
            for position, line in enumerate(lines):
                canvas.drawString(72, 720 - 16 * position, line)
            canvas.showPage()
        canvas.save()
        return path

    return make


@pytest.fixture
def png() -> bytes:
    """A picture of 3 × 2 pixels."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture
def one_document() -> Callable[..., Document]:
    """Loads one file and gives its only document; the file must have no error."""

    def read(path: Path, **options: object) -> Document:
        (file,) = load(path, **options)
        (document,) = file.documents
        assert file.error is None
        return document

    return read


@pytest.fixture
def records_of() -> Callable[..., list[Document]]:
    """Loads one file of records and gives them all; the file must have no error."""

    def read(path: Path, **options: object) -> list[Document]:
        (file,) = load(path, **options)
        assert file.records
        documents = list(file.documents)
        assert file.error is None
        return documents

    return read


@pytest.fixture
def problem_of() -> Callable[..., str]:
    """Loads one file and gives the message of its error, without the path that it must start with."""

    def read(path: Path, **options: object) -> str:
        (file,) = load(path, **options)
        documents = list(file.documents)
        assert file.records or not documents
        message = str(file.error)
        assert message.startswith(f"{path}: ")
        return message.removeprefix(f"{path}: ")

    return read


@pytest.fixture
def outcome_of() -> Callable[..., tuple[list[Document], list[str], str]]:
    """Loads one file and gives its documents, what of it is lost, and its error ("" where there is none)."""

    def read(path: Path, **options: object) -> tuple[list[Document], list[str], str]:
        (file,) = load(path, **options)
        documents = list(file.documents)
        return documents, [gap.what for gap in file.omissions if gap.lost], str(file.error or "")

    return read
