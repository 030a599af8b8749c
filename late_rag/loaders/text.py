r"""Plain text, exactly as it is but for line ends (``\n``) and NUL (a space)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from late_rag.loaders.decoding import read_text
from late_rag.loading import LoadOptions
from late_rag.types import Document, Omission


class TextLoader:
    """One document for the file; a log says by its mime type that each of its lines stands for itself."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:  # noqa: ARG002
        mime_type = "text/x-log" if path.suffix.lower() == ".log" else "text/plain"
        text, omissions = read_text(path)
        yield from omissions
        yield "", Document(text=text, metadata={"mime_type": mime_type})
