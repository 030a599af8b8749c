"""The parts of a Word document: found by their relations, as XML whose names have the usual short prefixes."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

from late_rag.errors import LoadError
from late_rag.loaders.archive import Archive

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"

MOST_XML = 32 << 20
"""Bytes of the parts that are read, together: mammoth makes several trees of them."""

_SCHEMAS = "http://schemas.openxmlformats.org/"
_STRICT = "http://purl.oclc.org/ooxml/"
_PREFIXES = {
    WORD: "w",
    f"{_STRICT}wordprocessingml/main": "w",
    f"{_SCHEMAS}officeDocument/2006/math": "m",
    f"{_STRICT}officeDocument/math": "m",
    f"{_SCHEMAS}officeDocument/2006/relationships": "r",
    f"{_STRICT}officeDocument/relationships": "r",
    f"{_SCHEMAS}drawingml/2006/wordprocessingDrawing": "wp",
    f"{_STRICT}drawingml/wordprocessingDrawing": "wp",
    f"{_SCHEMAS}drawingml/2006/main": "a",
    f"{_STRICT}drawingml/main": "a",
    f"{_SCHEMAS}drawingml/2006/chart": "c",
    f"{_STRICT}drawingml/chart": "c",
    "http://schemas.microsoft.com/office/drawing/2014/chartex": "cx",
    f"{_SCHEMAS}drawingml/2006/diagram": "dgm",
    f"{_STRICT}drawingml/diagram": "dgm",
    f"{_SCHEMAS}markup-compatibility/2006": "mc",
    "urn:schemas-microsoft-com:vml": "v",
    "urn:schemas-microsoft-com:office:office": "o",
    f"{_SCHEMAS}package/2006/relationships": "rel",
}


class WordPackage:
    """A Word document's parts.

    Raises:
        LoadError: there is no main part, it cannot be read, or the parts are larger than the limit.
    """

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._read = 0
        self._main = next(self._targets("", "officeDocument"), "word/document.xml")
        if self._main not in archive.names:
            raise LoadError(f"{archive.path}: is no Word document: it has no part {self._main}")
        self._relations = self._relations_of(self._main)
        self.document = self._xml(self._main)
        if child(self.document, "w:body") is None:
            raise LoadError(f"{archive.path}: is no Word document: its part {self._main} has no body")

    def part(self, kind: str) -> Any | None:
        """The part of a kind, such as "footnotes"; None if there is none.

        Raises:
            LoadError: it cannot be read.
        """
        targets = (target for _, relation, target in self._relations if relation == kind)
        beside = posixpath.join(posixpath.dirname(self._main), f"{kind}.xml")
        name = next((target for target in (*targets, beside) if target in self.archive.names), None)
        return self._xml(name) if name else None

    def related(self, relation: str | None) -> Any | None:
        """The part that a relation of the document leads to; None if there is none.

        Raises:
            LoadError: it cannot be read.
        """
        found = (target for name, _, target in self._relations if name == relation)
        name = next((target for target in found if target in self.archive.names), None)
        return self._xml(name) if name else None

    def _xml(self, name: str) -> Any:
        self._read += self.archive.size(name)
        if self._read > MOST_XML:
            raise LoadError(f"{self.archive.path}: holds {self._read:,} bytes of text; the limit is {MOST_XML:,}")
        return with_short_names(self.archive.xml(name))

    def _targets(self, part: str, kind: str) -> Iterator[str]:
        return (target for _, relation, target in self._relations_of(part) if relation == kind)

    def _relations_of(self, part: str) -> list[tuple[str, str, str]]:
        """Names, kinds and targets of a part's relations to other parts."""
        folder, name = posixpath.split(part)
        relations = posixpath.join(folder, "_rels", f"{name}.rels")
        if relations not in self.archive.names:
            return []
        inside = [item for item in self._xml(relations) if item.get("TargetMode") != "External"]
        return [
            (
                item.get("Id", ""),
                item.get("Type", "").rpartition("/")[2],
                posixpath.normpath(posixpath.join("/", folder, item.get("Target", ""))).lstrip("/"),
            )
            for item in inside
        ]


def with_short_names(root: Any) -> Any:
    """The same elements, whose names and attributes have the usual prefixes from now on."""
    for element in root.iter():
        element.tag = _short(element.tag) or "other"
        element.attrib = {short: value for name, value in element.attrib.items() if (short := _short(name))}
    return root


def child(element: Any, *path: str) -> Any | None:
    """The first child of this name, of its children the first of the next name, and so on; None if there is none."""
    for name in path:
        element = next((found for found in element if found.tag == name), None)
        if element is None:
            return None
    return element


def to_bytes(root: Any) -> bytes:
    """A part as XML again."""
    from xml.etree.ElementTree import tostring

    for uri, prefix in _PREFIXES.items():
        if not uri.startswith(_STRICT):
            root.set(f"xmlns:{prefix}", uri)
    return bytes(tostring(root, encoding="utf-8"))


def _short(name: str) -> str | None:
    """The name with its prefix; None in a namespace that says nothing about text."""
    if not name.startswith("{"):
        return name
    uri, _, local = name[1:].partition("}")
    prefix = _PREFIXES.get(uri)
    return f"{prefix}:{local}" if prefix else None
