"""Markdown: the text as it is, without its front matter, which becomes metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from late_rag.loaders.decoding import read_text
from late_rag.loading import LoadOptions
from late_rag.types import Document

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?\n)??(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_ENTRY = re.compile(r"^([A-Za-z_][\w-]*):[ \t]+(\S.*?)[ \t]*$", re.MULTILINE)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"[-+]?\d+\.\d+")
_CONSTANTS = {"true": True, "false": False, "null": None, "~": None}
_FENCED = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\1[`~]*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(
    r"^ {0,3}#{1,6}[ \t]+(?P<hashes>\S.*?)(?:[ \t]+#+)?[ \t]*$"
    r"|^ {0,3}(?P<underlined>[^\s>#*+-].*?)[ \t]*\n {0,3}(?:=+|-{2,})[ \t]*$",
    re.MULTILINE,
)


class MarkdownLoader:
    """One document for the file; its title is that of the front matter, else the first heading."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document]]:  # noqa: ARG002
        text = read_text(path)
        metadata: dict[str, Any] = {}
        front = _FRONT_MATTER.match(text)
        if front:
            metadata = front_matter(front[1] or "")
            text = text[front.end() :]
        title = metadata.get("title") or first_heading(text)
        named = {"title": str(title)} if title else {}
        yield "", Document(text=text, metadata={**metadata, "mime_type": "text/markdown", **named})


def first_heading(text: str) -> str | None:
    """The text of the first heading, of either kind, outside fenced code."""
    found = _HEADING.search(_FENCED.sub("", text))
    return (found["hashes"] or found["underlined"]) if found else None


def front_matter(block: str) -> dict[str, Any]:
    """The plain values at the top level of a YAML block: texts, numbers, true, false, null, and lists in brackets.

    Dates stay texts, which filters compare as times. Anything deeper is left out.
    """
    return {key: _value(value) for key, value in _ENTRY.findall(block)}


def _value(text: str) -> Any:
    if text[0] in "\"'" and len(text) > 1 and text[-1] == text[0]:
        return text[1:-1]
    if text[0] == "[" and text[-1] == "]":
        return [_value(item.strip()) for item in text[1:-1].split(",") if item.strip()]
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text
