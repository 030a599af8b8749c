"""PowerPoint files (PresentationML, ECMA-376 part 1, chapter 19): each slide is a page of Markdown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from late_rag.errors import LoadError
from late_rag.loaders.archive import Archive, open_archive
from late_rag.loaders.charts import local_name, outermost
from late_rag.loaders.html import html_to_markdown
from late_rag.loaders.opc import Package
from late_rag.loaders.pptx.drawings import Drawings, related
from late_rag.loading import LoadOptions
from late_rag.types import Document, Omission

MIME_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"

_MAIN = "ppt/presentation.xml"
_SLIDE = re.compile(r"ppt/slides/slide(\d{1,9})\.xml")


class PptxLoader:
    """One document for the file: its slides joined by form feeds, so a place's page is 1 + the form feeds before it.

    A slide that is left out is an empty page, so that the numbers of the others stay.
    """

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        with open_archive(path, "a PowerPoint file (.pptx)") as archive:
            package = Package(archive)
            named = package.properties()
            slides = _Slides(package, options)
            pages = [slides.page(number, part) for number, part in enumerate(_order(package), start=1)]
        yield from archive.omissions
        for omission, count in slides.left_out.items():
            yield Omission(f"{count:,} × {omission.what}", omission.lost)
        titled = {"title": slides.title} if slides.title else {}
        yield "", Document(text="\f".join(pages), metadata={"mime_type": MIME_TYPE, **titled, **named})


def _order(package: Package) -> list[str]:
    """The members of the slides as they are shown, each once; by their numbers where nothing says how."""
    archive = package.archive
    main = next(iter(package.targets("", "officeDocument")), _MAIN)
    listed = [related(node, "id") or "(none)" for node in outermost(archive.xml(main), "sldId")]
    relations = package.relations(main)
    if listed and not relations:
        return _by_number(archive)
    return list(dict.fromkeys(relations[key].target if key in relations else key[:100] for key in listed))


def _by_number(archive: Archive) -> list[str]:
    found = {name: match for name in archive.names if (match := _SLIDE.fullmatch(name))}
    return sorted(found, key=lambda name: (int(found[name][1]), name))


class _Slides:
    """Writes slides as Markdown, one after the other."""

    def __init__(self, package: Package, options: LoadOptions) -> None:
        self._package, self._options = package, options
        self._drawn: set[str] = set()
        self.left_out: Counter[Omission] = Counter()
        self.title = ""
        """The first heading."""

    def page(self, number: int, part: str) -> str:
        """The text of a slide; empty, and an omission, where it is left out or cannot be read."""
        archive = self._package.archive
        try:
            root = archive.xml(part)
            if root.get("show") in ("0", "false") and "hidden" not in self._options.include:
                self.left_out[Omission('hidden slide (include "hidden" reads it)', lost=False)] += 1
                return ""
            text, heading = html_to_markdown(self._html(root, part))
        except (LoadError, ValueError) as error:
            archive.omit(error, f"slide {number}")
            return ""
        except RecursionError:
            archive.omit(LoadError("equations that are nested too deeply to be read"), f"slide {number}")
            return ""
        self.title = self.title or heading or ""
        return text.replace("\f", " ").strip()

    def _html(self, root: Any, part: str) -> str:
        html = self._drawings(root, part)
        for notes in self._package.targets(part, "notesSlide"):
            found = self._package.archive.xml_if_sound(notes)
            html += "" if found is None else self._drawings(found, notes, notes=True)
        return html + self._comments(part)

    def _drawings(self, root: Any, part: str, *, notes: bool = False) -> str:
        drawings = Drawings(self._package, part, self._options, self.left_out, self._drawn, notes=notes)
        return "".join(drawings.html(tree) for tree in outermost(root, "spTree"))

    def _comments(self, part: str) -> str:
        """Remarks of those who worked on the slide."""
        html = ""
        for name in self._package.targets(part, "comments"):
            if "comments" not in self._options.include:
                self.left_out[Omission('comments of a slide (include "comments" reads them)', lost=False)] += 1
                continue
            root = self._package.archive.xml_if_sound(name)
            nodes = [] if root is None else [node for node in root.iter() if local_name(node) in ("text", "t")]
            html += "".join(f"<p>{escape(node.text)}</p>" for node in nodes if node.text)
        return html
