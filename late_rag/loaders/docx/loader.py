"""Word documents: made plain, then by mammoth (https://github.com/mwilliamson/python-mammoth) to HTML and Markdown."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from late_rag.errors import LoadError, needs_extra
from late_rag.loaders.archive import open_archive
from late_rag.loaders.docx.body import Body
from late_rag.loaders.docx.package import WordPackage, child, to_bytes
from late_rag.loaders.html import html_to_markdown
from late_rag.loading import LoadOptions, unless_included
from late_rag.types import Document, Omission

_MIME_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MOST_ELEMENTS = 300_000
"""That mammoth is given, which takes ten times as long for one as all else does; a page has about 50."""

_NOTES = ("footnotes", "endnotes", "comments")
_COMMENTS = "comment-reference => sup"
"""How mammoth is told to keep comments."""

_BACK_TO_REFERENCE = re.compile(r' ?<a href="#[^"<>]*">↑</a>')
"""What mammoth puts behind each note."""


class DocxLoader:
    """One document for the file; its title is the first heading, else that of its properties."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        with open_archive(path, "a Word document (.docx)") as archive:
            package = WordPackage(archive)
            reader = _Reader(package, options)
            try:
                html = reader.html()
            except RecursionError as error:
                raise LoadError(f"{path}: its parts are nested too deeply to be read") from error
            known = package.properties()
        yield from archive.omissions
        yield from reader.omissions()
        text, title = html_to_markdown(html)
        named = {"title": title} if title else {}
        yield "", Document(text=text, metadata={**known, "mime_type": _MIME_TYPE, **named})


class _Reader:
    """Makes the parts of one document plain, and HTML of them."""

    def __init__(self, package: WordPackage, options: LoadOptions) -> None:
        self._package, self._options = package, options
        self._left_out: Counter[str] = Counter()
        self._margins = list(self._headers_and_footers())
        self._parts = {kind: part for kind in _NOTES if (part := package.part(kind)) is not None}
        self._has_comments = _has_text(self._parts.get("comments"))
        if "comments" not in options.include:
            self._parts.pop("comments", None)

    def html(self) -> str:
        parts = {kind: self._package.part(kind) for kind in ("styles", "numbering")}
        body = Body(self._package, self._references(), self._left_out)
        document = body.plain(self._package.document)
        if "headers" in self._options.include:
            self._add_margins(document, body)
        notes = {kind: _valid(_without_styles(body.plain(part))) for kind, part in self._parts.items()}
        parts = {"document": document, **{kind: _valid(part) for kind, part in parts.items()}, **notes}
        elements = sum(1 for part in parts.values() if part is not None for _ in part.iter())
        if elements > MOST_ELEMENTS:
            path, what = self._package.archive.path, f"{elements:,} elements of text (paragraphs, cells, runs)"
            raise LoadError(f"{path}: holds {what}; the limit is {MOST_ELEMENTS:,}")
        return _to_html(parts)

    def omissions(self) -> Iterator[Omission]:
        """What is not in the HTML."""
        for what, count in self._left_out.items():
            yield Omission(f"{count:,} × {what}: cannot be read")
        if self._margins and "headers" not in self._options.include:
            yield Omission(unless_included("headers and footers", "headers"), lost=False)
        if self._has_comments and "comments" not in self._options.include:
            yield Omission(unless_included("comments", "comments"), lost=False)

    def _references(self) -> frozenset[tuple[str, str]]:
        return frozenset(
            (kind.removesuffix("s"), note.get("w:id"))
            for kind, part in self._parts.items()
            for note in part
            if note.get("w:id")
        )

    def _headers_and_footers(self) -> Iterator[Any]:
        """Those that the sections refer to and that have text, each text once."""
        nodes = (
            node for node in self._package.document.iter() if node.tag in ("w:headerReference", "w:footerReference")
        )
        seen = set()
        for tag, relation in dict.fromkeys((node.tag, node.get("r:id")) for node in nodes):
            try:
                part = self._package.related(relation)
            except LoadError as error:
                self._package.archive.omit(error, "header or footer")
                continue
            key = (tag, _text(part))
            if key[1] and key not in seen:
                seen.add(key)
                yield part

    def _add_margins(self, document: Any, body: Body) -> None:
        main: Any = child(document, "w:body")
        margins = [_without_styles(body.plain(part)) for part in self._margins if main is not None]
        if margins:
            main[:0] = [block for part in margins if part.tag == "w:hdr" for block in part]
            main.extend(block for part in margins if part.tag != "w:hdr" for block in part)


def _without_styles(part: Any) -> Any:
    """What stands beside the text has no headings of it."""
    for paragraph in part.iter("w:p"):
        paragraph[:] = [item for item in paragraph if item.tag != "w:pPr"]
    return part


def _text(part: Any | None) -> str:
    return "" if part is None else " ".join("".join(node.text or "" for node in part.iter("w:t")).split())


def _has_text(part: Any | None) -> bool:
    return bool(_text(part))


def _valid(part: Any | None) -> Any | None:
    """Styles, lists and notes without those that lack what mammoth takes for granted."""
    if part is not None:
        part[:] = filter(_is_complete, part)
    return part


def _is_complete(item: Any) -> bool:
    if item.tag == "w:style":
        return bool(item.get("w:styleId") and item.get("w:type"))
    if item.tag == "w:num":
        number = child(item, "w:abstractNumId")
        return number is not None and bool(number.get("w:val"))
    return item.tag not in ("w:footnote", "w:endnote", "w:comment") or bool(item.get("w:id"))


def _to_html(parts: dict[str, Any]) -> str:
    with needs_extra("mammoth, which reads DOCX,", "office"):
        import mammoth
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        for kind, part in parts.items():
            if part is not None:
                archive.writestr(f"word/{kind}.xml", to_bytes(part))
    html = str(mammoth.convert_to_html(package, style_map=_COMMENTS if "comments" in parts else "").value)
    return _BACK_TO_REFERENCE.sub("", html)
