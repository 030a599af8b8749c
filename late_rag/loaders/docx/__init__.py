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
from late_rag.loaders.properties import properties
from late_rag.loading import LoadOptions, unless_included
from late_rag.types import Document, Omission

_MIME_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
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
            known = properties(archive, "docProps/core.xml")
            reader = _Reader(WordPackage(archive), options)
            try:
                html = reader.html()
            except RecursionError as error:
                raise LoadError(f"{path}: its parts are nested too deeply to be read") from error
        yield from reader.omissions()
        text, title = html_to_markdown(html)
        named = {"title": title} if title else {}
        yield "", Document(text=text, metadata={**known, "mime_type": _MIME_TYPE, **named})


class _Reader:
    """Makes the parts of one document plain, and HTML of them."""

    def __init__(self, package: WordPackage, options: LoadOptions) -> None:
        self._package, self._options = package, options
        self._left_out: Counter[str] = Counter()
        self._unread: list[str] = []
        self._margins = list(self._headers_and_footers())
        self._parts = {kind: part for kind in _NOTES if (part := self._part(kind)) is not None}
        self._has_comments = _has_text(self._parts.get("comments"))
        if "comments" not in options.include:
            self._parts.pop("comments", None)

    def html(self) -> str:
        parts = {kind: self._part(kind) for kind in ("styles", "numbering")}
        body = Body(self._package, self._references(), self._left_out)
        document = body.plain(self._package.document)
        if "headers" in self._options.include:
            self._add_margins(document, body)
        notes = {kind: _valid(_without_styles(body.plain(part))) for kind, part in self._parts.items()}
        return _to_html({"document": document, **{kind: _valid(part) for kind, part in parts.items()}, **notes})

    def omissions(self) -> Iterator[Omission]:
        """What is not in the HTML."""
        yield from (Omission(f"{kind}: cannot be read") for kind in self._unread)
        for what, count in self._left_out.items():
            yield Omission(f"{count:,} × {what}: cannot be read")
        if self._margins and "headers" not in self._options.include:
            yield Omission(unless_included("headers and footers", "headers"), lost=False)
        if self._has_comments and "comments" not in self._options.include:
            yield Omission(unless_included("comments", "comments"), lost=False)

    def _part(self, kind: str) -> Any | None:
        try:
            return self._package.part(kind)
        except LoadError as error:
            self._unread.append(f"the {kind} ({str(error).removeprefix(f'{self._package.archive.path}: ')})")
            return None

    def _references(self) -> frozenset[tuple[str, str]]:
        return frozenset(
            (kind.removesuffix("s"), note.get("w:id"))
            for kind, part in self._parts.items()
            for note in part
            if note.get("w:id")
        )

    def _headers_and_footers(self) -> Iterator[Any]:
        """Those that the sections refer to and that have text, each text once."""
        seen = set()
        for reference in self._package.document.iter():
            if reference.tag in ("w:headerReference", "w:footerReference"):
                part = self._related(reference)
                key = (reference.tag, _text(part))
                if part is not None and key[1] and key not in seen:
                    seen.add(key)
                    yield part

    def _related(self, reference: Any) -> Any | None:
        try:
            return self._package.related(reference.get("r:id"))
        except LoadError:
            self._left_out["header or footer"] += 1
            return None

    def _add_margins(self, document: Any, body: Body) -> None:
        main: Any = child(document, "w:body")
        margins = [_without_styles(body.plain(part)) for part in self._margins if main is not None]
        headers = [block for part in margins if part.tag == "w:hdr" for block in part]
        for block in reversed(headers):
            main.insert(0, block)
        for part in margins:
            if part.tag != "w:hdr":
                main.extend(part)


def _without_styles(part: Any) -> Any:
    """What stands beside the text has no headings of it."""
    for paragraph in part.iter("w:p"):
        for style in [item for item in paragraph if item.tag == "w:pPr"]:
            paragraph.remove(style)
    return part


def _text(part: Any | None) -> str:
    return "" if part is None else " ".join("".join(node.text or "" for node in part.iter("w:t")).split())


def _has_text(part: Any | None) -> bool:
    return bool(_text(part))


def _valid(part: Any | None) -> Any | None:
    """Styles, lists and notes without those that lack what mammoth takes for granted."""
    for item in [] if part is None else list(part):
        incomplete = item.tag == "w:style" and not (item.get("w:styleId") and item.get("w:type"))
        number = child(item, "w:abstractNumId")
        incomplete = incomplete or (item.tag in ("w:footnote", "w:endnote", "w:comment") and not item.get("w:id"))
        if incomplete or (item.tag == "w:num" and (number is None or not number.get("w:val"))):
            part.remove(item)  # type: ignore[union-attr]  # there are items
    return part


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
