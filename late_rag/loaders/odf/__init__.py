"""OpenDocument texts and presentations (ODF 1.3, part 3): a stream of XML to HTML to Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from late_rag.errors import LoadError
from late_rag.loaders.archive import Archive, open_archive
from late_rag.loaders.html import html_to_markdown
from late_rag.loaders.odf.content import Content, Styles
from late_rag.loaders.properties import properties
from late_rag.loading import LoadOptions, unless_included
from late_rag.types import Document, Omission

MIME_TYPE = "application/vnd.oasis.opendocument."
MOST_SLIDES = 20_000
_MANIFEST = "META-INF/manifest.xml"


class OdtLoader:
    """One document for the file, as Markdown."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        with open_archive(path, "a text document (.odt)") as archive:
            check_manifest(archive)
            margins = _styles(archive, options)
            content = _read(archive, "content.xml", options, margins.styles)
            formulas, omissions = _objects(archive, content)
            named = properties(archive, "meta.xml")
        html = "".join(content.pages)
        if any(margins.pages):
            if "headers" in options.include:
                html = "".join(margins.pages) + html
            else:
                content.left_out[unless_included("header or footer", "headers")] += 1
        yield from (*archive.omissions, *omissions, *_left_out(content))
        text, title = _markdown(html, formulas, path)
        yield "", Document(text=text, metadata={"mime_type": f"{MIME_TYPE}text", **title, **named})


class OdpLoader:
    """One document for the file: its slides joined by form feeds, so a place's page is 1 + the form feeds before it.

    A slide that is left out is an empty page, so that the numbers of the others stay.
    """

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        with open_archive(path, "a presentation (.odp)") as archive:
            check_manifest(archive)
            content = _read(archive, "content.xml", options, _styles(archive, options).styles)
            formulas, omissions = _objects(archive, content)
            named = properties(archive, "meta.xml")
        yield from (*archive.omissions, *omissions, *_left_out(content))
        if unread := len(content.pages[1 + MOST_SLIDES :]):
            yield Omission(f"{unread:,} slides after the first {MOST_SLIDES:,}, which is the limit")
        pages = [_markdown(html, formulas, path) for html in content.pages[1 : 1 + MOST_SLIDES]]
        text = "\f".join(page.replace("\f", " ").strip() for page, _ in pages)
        title = next((title for _, title in pages if title), {})
        yield "", Document(text=text, metadata={"mime_type": f"{MIME_TYPE}presentation", **title, **named})


def check_manifest(archive: Archive) -> None:
    """Refuses a file whose parts are encrypted, and notes those that should be there.

    Raises:
        LoadError: it is protected by a password.
    """
    manifest = b""
    if _MANIFEST in archive.names:
        try:
            manifest = archive.read(_MANIFEST)
        except LoadError as error:
            archive.omit(error)
    for part in ("styles.xml", "meta.xml"):
        if f'full-path="{part}"'.encode() in manifest and part not in archive.names:
            archive.omit(LoadError(f"its part {part} is missing"))
    if b"encryption-data" in manifest or "encrypted-package" in archive.names:
        raise LoadError(f"{archive.path}: is protected by a password; save it without one")


def _read(archive: Archive, part: str, options: LoadOptions, styles: Styles | None = None) -> Content:
    content = Content(options, styles)
    archive.parse(part, content)
    return content


def _styles(archive: Archive, options: LoadOptions) -> Content:
    """Styles, headers and footers; none, and an omission of the archive, where they cannot be read."""
    try:
        return _read(archive, "styles.xml", options) if "styles.xml" in archive.names else Content(options)
    except LoadError as error:
        archive.omit(error)
        return Content(options)


def _objects(archive: Archive, content: Content) -> tuple[dict[str, str], list[Omission]]:
    """The formulas that the document refers to, by name; charts and the like are told, and lost if they hold text."""
    formulas, omissions, others = {}, [], Counter[bool]()
    for name in content.objects:
        part = f"{name}/content.xml"
        if name in archive.names:  # a file of another program
            others[True] += 1
            continue
        root = archive.xml_if_sound(part)
        if root is None:
            continue
        if root.tag.endswith("}math"):
            tokens = (node.text or "" for node in root.iter() if node.tag.endswith(("}mi", "}mn", "}mo", "}mtext")))
            formulas[name] = " ".join(token.strip() for token in tokens)
        else:
            others[any(words.strip() for words in root.itertext())] += 1
    for has_text, count in others.items():
        omissions.append(Omission(f"{count:,} × embedded object (a chart or another document)", lost=has_text))
    return formulas, omissions


def _left_out(content: Content) -> Iterator[Omission]:
    for what, count in content.left_out.items():
        yield Omission(f"{count:,} × {what}", lost=False)


def _markdown(html: str, formulas: dict[str, str], path: Path) -> tuple[str, dict[str, str]]:
    """The text, and the title if the first heading is one."""
    from html import escape

    pieces = html.split(Content.MARK)
    for position in range(1, len(pieces), 2):  # between two marks stands the name of an object
        pieces[position] = escape(formulas.get(pieces[position], ""), quote=False)
    try:
        text, title = html_to_markdown("".join(pieces))
    except ValueError as error:
        raise LoadError(f"{path}: {error}") from error
    return text, {"title": title} if title else {}
