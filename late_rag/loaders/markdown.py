"""Markdown: the text as it is, without its front matter, which becomes metadata."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from late_rag.front_matter import FrontMatter, front_matter
from late_rag.headings import headings
from late_rag.loaders.decoding import read_text
from late_rag.loading import LoadOptions
from late_rag.types import Document, Omission


class MarkdownLoader:
    """One document for the file; its title is that of the front matter, else the first heading."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:  # noqa: ARG002
        text, omissions = read_text(path)
        yield from omissions
        front = front_matter(text) or FrontMatter(0)
        if front.problem:
            yield Omission(front.problem)
        text = text[front.end :]
        values = dict(front.values)
        title = _title(values.pop("title", None)) or first_heading(text)
        named = {"title": title} if title else {}
        yield "", Document(text=text, metadata={**values, "mime_type": "text/markdown", **named})


def _title(value: Any) -> str | None:
    """A title that is one value; a list or mapping is none."""
    return None if value is None or isinstance(value, list | dict) else " ".join(str(value).split())


def first_heading(text: str) -> str | None:
    """The text of the first heading that has one, without markup."""
    return next((heading.title for heading in headings(text) if heading.title), None)
