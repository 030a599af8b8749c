"""E-books (EPUB 2 and 3): the chapters of the spine, in its order, as Markdown."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from late_rag.errors import LoadError
from late_rag.loaders.archive import Archive, open_archive
from late_rag.loaders.charts import outermost
from late_rag.loaders.html import html_text, html_to_markdown
from late_rag.loaders.properties import sane
from late_rag.loading import LoadOptions
from late_rag.types import Document, Omission

MIME_TYPE = "application/epub+zip"
MOST_CHAPTERS = 10_000

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_PAGES = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml", "text/x-oeb1-document")
_BEGIN, _END = (re.compile(f"<{tag}(?:[^a-z]|$)", re.IGNORECASE) for tag in ("html", "/html"))
_HEADING = re.compile(r"^#{1,6} ", re.MULTILINE)


class EpubLoader:
    """One document for the book; its chapters begin with a heading, their own or that of the table of contents."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:  # noqa: ARG002
        with open_archive(path, "a book (.epub)") as archive:
            package = _package_name(archive)
            root = archive.xml(package)
            parts = list(_spine(root, posixpath.dirname(package)))
            if all(isinstance(part, Omission) for part in parts):
                raise LoadError(f"{path}: is a damaged book: {package} names no chapters")
            encrypted, headings = _encrypted(archive), _contents(archive, root, posixpath.dirname(package))
            yield from archive.omissions
            chapters = []
            for part in parts:
                for item in [part] if isinstance(part, Omission) else _chapter(archive, part, encrypted, headings):
                    if isinstance(item, Omission):
                        yield item
                    else:
                        chapters.append(item)
        text = "\n\n".join(filter(None, chapters))
        yield "", Document(text=text, metadata={"mime_type": MIME_TYPE, **_metadata(root)})


def _package_name(archive: Archive) -> str:
    """The member that lists all others; where nothing says which it is, the only one of its kind."""
    try:
        root = archive.xml(_CONTAINER)
    except LoadError as error:
        packages = [name for name in archive.names if name.endswith(".opf")]
        if len(packages) != 1:
            raise
        archive.omit(error)
        return packages[0]
    for element in root.iter():
        if _local(element) == "rootfile" and element.get("full-path"):
            return str(element.get("full-path"))
    raise LoadError(f"{archive.path}: is a damaged book: {_CONTAINER} names no package")


def _spine(root: Any, folder: str) -> Iterator[str | Omission]:
    """The names of the chapters in reading order, each once, and what of the order is no chapter."""
    items = {item.get("id"): item for item in root.iter() if _local(item) == "item"}
    places = list(dict.fromkeys(place.get("idref") for place in root.iter() if _local(place) == "itemref"))
    chapters: set[str] = set()
    for place in places[:MOST_CHAPTERS]:
        item = items.get(place)
        name = _member(folder, item.get("href") or "") if item is not None else ""
        if item is None:
            yield Omission(f"a chapter that the list of parts does not name: {(place or '')[:100]!r}")
        elif item.get("media-type") not in _PAGES:
            yield _no_page(name, item.get("media-type") or "")
        elif name not in chapters:
            chapters.add(name)
            yield name
    if unread := len(places[MOST_CHAPTERS:]):
        yield Omission(f"{unread:,} chapters after the first {MOST_CHAPTERS:,}, which is the limit")


def _no_page(name: str, media_type: str) -> Omission:
    """A picture has no text to lose; a chapter in another format has."""
    is_text = not media_type.startswith(("image/", "audio/", "video/"))
    return Omission(f"the part {name}, which is of the type {media_type[:100]!r} and no page", lost=is_text)


def _member(folder: str, address: str) -> str:
    """The name of the member that an address leads to; only names of members are ever looked up."""
    try:
        way = urlsplit(address).path
    except ValueError:
        way = address
    return posixpath.normpath(posixpath.join(folder, unquote(way)))


def _encrypted(archive: Archive) -> frozenset[str]:
    """The members that only a reader with a key can read."""
    if _ENCRYPTION not in archive.names:
        return frozenset()
    root = archive.xml_if_sound(_ENCRYPTION)
    references = () if root is None else (node for node in root.iter() if _local(node) == "CipherReference")
    return frozenset(_member("", reference.get("URI") or "") for reference in references)


def _chapter(
    archive: Archive, part: str, encrypted: frozenset[str], headings: Mapping[str, str]
) -> Iterator[str | Omission]:
    if part in encrypted:
        yield Omission(f"the chapter {part} is encrypted (digital rights management)")
        return
    try:
        html, omissions = html_text(archive.markup(part), Path(part))
        text = html_to_markdown(html)[0].strip()
    except (LoadError, ValueError) as error:
        yield Omission(f"the chapter {part} cannot be read: {archive.reason(error)}")
        return
    yield from (replace(omission, what=f"the chapter {part}: {omission.what}") for omission in omissions)
    heading = headings.get(part)
    yield f"# {heading}\n\n{text}" if text and heading and not _HEADING.search(text) else text
    if _BEGIN.search(html) and not _END.search(html):
        yield Omission(f"the end of the chapter {part}, which is cut off")
    elif not html.strip():
        yield Omission(f"the chapter {part} is empty")


def _contents(archive: Archive, root: Any, folder: str) -> dict[str, str]:
    """What the table of contents calls each chapter."""
    headings: dict[str, str] = {}
    tables = [item for item in root.iter() if _local(item) == "item" and _is_table(item)]
    for name in dict.fromkeys(_member(folder, item.get("href") or "") for item in tables):
        for target, words in _entries(archive, name):
            headings.setdefault(_member(posixpath.dirname(name), target), words)
    return headings


def _is_table(item: Any) -> bool:
    return "nav" in (item.get("properties") or "").split() or item.get("media-type", "").endswith("dtbncx+xml")


def _entries(archive: Archive, name: str) -> Iterator[tuple[str, str]]:
    """Addresses and words of a table of contents: links of a page, or the points of EPUB 2."""
    root = archive.xml_if_sound(name)
    words = ""
    for element in () if root is None else outermost(root, "a", "text", "content"):
        kind = _local(element)
        if kind == "a" and element.get("href"):
            yield element.get("href"), " ".join("".join(element.itertext()).split())
        elif kind == "text":
            words = " ".join((element.text or "").split())
        elif kind == "content" and element.get("src"):
            yield element.get("src"), words


def _metadata(root: Any) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for element in root.iter():
        name = element.get("property") if _local(element) == "meta" else _local(element)
        if name in ("title", "creator", "language", "date", "dcterms:modified") and element.text:
            found.setdefault(name, []).append(element.text.strip())
    first = {name: texts[0] for name, texts in found.items()}
    values = sane(
        (
            ("title", first.get("title", "")),
            ("author", ", ".join(dict.fromkeys(found.get("creator", [])))),
            ("language", first.get("language", "")),
            ("modified", first.get("dcterms:modified", "")),
        )
    )
    return values | ({"date": first["date"][:40]} if first.get("date") else {})


def _local(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
