"""The parts of a Word document: found by their relations, as XML whose names have the usual short prefixes."""

from __future__ import annotations

import posixpath
from typing import Any

from late_rag.errors import LoadError
from late_rag.loaders.archive import Archive
from late_rag.loaders.opc import Package

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"

_MAIN = "word/document.xml"
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
        LoadError: there is no main part, or it cannot be read.
    """

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self._package = Package(archive)
        self._main = next(iter(self._package.targets("", "officeDocument")), _MAIN)
        if self._main not in archive.names:
            raise LoadError(f"{archive.path}: is no Word document: it has no part {self._main}")
        self.document = with_short_names(archive.xml(self._main))
        if child(self.document, "w:body") is None:
            raise LoadError(f"{archive.path}: is no Word document: its part {self._main} has no body")

    def properties(self) -> dict[str, str]:
        """What the document says of itself."""
        return self._package.properties()

    def part(self, kind: str) -> Any | None:
        """The part of a kind, such as "footnotes"; None if there is none, or with an omission if it cannot be read."""
        beside = posixpath.join(posixpath.dirname(self._main), f"{kind}.xml")
        targets = self._package.targets(self._main, kind)
        name = next((target for target in (*targets, beside) if target in self.archive.names), None)
        if name is None and not targets:
            return None
        root = self.archive.xml_if_sound(name or targets[0])
        return None if root is None else with_short_names(root)

    def related(self, relation: str | None) -> Any:
        """The part that a relation of the document leads to.

        Raises:
            LoadError: there is none, or it cannot be read.
        """
        return with_short_names(self.archive.xml(self._package.target(self._main, relation)))


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
