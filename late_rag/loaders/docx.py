"""Word documents, by mammoth (https://github.com/mwilliamson/python-mammoth): DOCX to HTML to Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from late_rag.errors import LoadError, MissingExtraError
from late_rag.loaders.decoding import signature
from late_rag.loaders.html import html_to_markdown
from late_rag.loading import LoadOptions
from late_rag.types import Document

_ZIP = b"PK\x03\x04"


class DocxLoader:
    """One document for the file; its title is the first heading."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document]]:  # noqa: ARG002
        text, title = html_to_markdown(_to_html(path))
        mime_type = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
        named = {"title": title} if title else {}
        yield "", Document(text=text, metadata={"mime_type": mime_type, **named})


def _to_html(path: Path) -> str:
    try:
        import mammoth
    except ModuleNotFoundError as error:
        raise MissingExtraError("mammoth, which reads DOCX,", "office") from error
    with path.open("rb") as file:
        head = file.read(8)
        if not head.startswith(_ZIP):
            kind = signature(head)
            raise LoadError(f"{path}: is no DOCX file" + (f": it begins like {kind}" if kind else ""))
        file.seek(0)
        try:
            return str(mammoth.convert_to_html(file, convert_image=mammoth.images.img_element(_no_picture)).value)
        except Exception as error:  # a broken archive or XML raises whatever its parser meets
            raise LoadError(f"{path}: is a damaged DOCX file ({type(error).__name__}: {error})") from error


def _no_picture(_: Any) -> dict[str, str]:
    """Pictures would be put into the HTML as base64; their description stays without."""
    return {"src": ""}
