"""PowerPoint files, by python-pptx (https://github.com/scanny/python-pptx): each slide is a page of Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from late_rag.errors import LoadError, needs_extra
from late_rag.loaders.archive import Archive, open_archive
from late_rag.loaders.html import html_to_markdown
from late_rag.loaders.pptx.drawings import Drawings
from late_rag.loaders.properties import properties
from late_rag.loading import LoadOptions, unless_included
from late_rag.types import Document, Omission

MIME_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"


_PRESENTATION = b'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
_EMPTY = {
    "ppt/slides/": b"<p:sld %s><p:cSld><p:spTree/></p:cSld></p:sld>" % _PRESENTATION,
    "ppt/notesSlides/": b"<p:notes %s><p:cSld><p:spTree/></p:cSld></p:notes>" % _PRESENTATION,
    "ppt/charts/": b'<c:chartSpace xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"/>',
}


class PptxLoader:
    """One document for the file: its slides joined by form feeds, so a place's page is 1 + the form feeds before it.

    A slide that is left out is an empty page, so that the numbers of the others stay.
    """

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        with open_archive(path, "a PowerPoint file (.pptx)") as archive:
            named = properties(archive, "docProps/core.xml")
            broken = _broken(archive)
            content = archive.without_media(broken)
        for name in broken:
            yield Omission(f"{name} is no XML that can be read")
        pages, title, left_out = [], "", Counter[Omission]()
        slides = _slides(path, content)
        for number in range(1, len(slides) + 1):
            try:
                text, heading = _page(slides[number - 1], options, left_out)
                pages.append(text)
                title = title or heading or ""
            except Exception as error:  # noqa: BLE001 - a broken slide raises whatever its parts meet
                pages.append("")
                yield Omission(f"slide {number} cannot be read ({type(error).__name__}: {error})")
        for omission, count in left_out.items():
            yield Omission(f"{count:,} × {omission.what}", omission.lost)
        titled = {"title": title} if title else {}
        yield "", Document(text="\f".join(pages), metadata={"mime_type": MIME_TYPE, **titled, **named})


def _broken(archive: Archive) -> dict[str, bytes]:
    """Slides, notes and charts that are no XML, each as an empty one: one of them would cost the whole file."""
    broken = {}
    for name in sorted(archive.names):
        empty = next((data for folder, data in _EMPTY.items() if _is_part(name, folder)), None)
        if empty is None:
            continue
        try:
            archive.xml(name)
        except LoadError:
            broken[name] = empty
    return broken


def _is_part(name: str, folder: str) -> bool:
    return name.startswith(folder) and name.endswith(".xml") and "/" not in name.removeprefix(folder)


def _slides(path: Path, content: Any) -> Any:
    """The slides, each of which is looked up where it is read, so that a broken one costs itself alone."""
    with needs_extra("python-pptx, which reads PPTX,", "office"):
        from pptx import Presentation
    try:
        slides = Presentation(content).slides
        len(slides)
    except Exception as error:  # a broken archive or XML raises whatever its parser meets
        raise LoadError(f"{path}: is a damaged PowerPoint file ({type(error).__name__}: {error})") from error
    return slides


def _page(slide: Any, options: LoadOptions, left_out: Counter[Omission]) -> tuple[str, str | None]:
    if slide.element.get("show") in ("0", "false") and "hidden" not in options.include:
        left_out[Omission(unless_included("hidden slide", "hidden"), lost=False)] += 1
        return "", None
    drawings = Drawings(slide.part, options, left_out)
    html = drawings.html(slide.shapes._spTree)  # noqa: SLF001 - python-pptx passes over alternate content
    if slide.has_notes_slide:
        notes = slide.notes_slide
        html += Drawings(notes.part, options, left_out, notes=True).html(notes.shapes._spTree)  # noqa: SLF001
    html += _comments(slide.part, options, left_out)
    text, title = html_to_markdown(html)
    return text.replace("\f", " ").strip(), title


def _comments(part: Any, options: LoadOptions, left_out: Counter[Omission]) -> str:
    """Remarks of those who worked on the slide."""
    from pptx.oxml import parse_xml

    html = ""
    for relation in part.rels.values():
        if relation.is_external or not relation.reltype.endswith("/comments"):
            continue
        if "comments" not in options.include:
            left_out[Omission(unless_included("comments of a slide", "comments"), lost=False)] += 1
            continue
        root = parse_xml(relation.target_part.blob)
        html += "".join(f"<p>{escape(node.text)}</p>" for node in root.iter("{*}text", "{*}t") if node.text)
    return html
