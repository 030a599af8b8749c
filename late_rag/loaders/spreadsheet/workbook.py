"""Workbooks that are small enough to be opened: which format a file is in, its sheets, and which cannot be read."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from late_rag.errors import LoadError
from late_rag.loaders.archive import Archive, open_archive
from late_rag.loaders.charts import outermost
from late_rag.loaders.odf import check_manifest
from late_rag.loaders.opc import Package
from late_rag.loaders.properties import properties
from late_rag.loaders.spreadsheet import sizes
from late_rag.loaders.spreadsheet.binary import BINARY, binary_sheets, check_styles, string_lengths, xlsb_extent
from late_rag.loaders.spreadsheet.comments import UNREAD, chart_omission, excel_comments, has_comments
from late_rag.loaders.spreadsheet.copy import Copy, excel_relations
from late_rag.loading import LoadOptions
from late_rag.types import Omission

_EXCEL, _BINARY, _OPEN = "an Excel file (.xlsx)", "an Excel file (.xlsb)", "a spreadsheet (.ods)"
_MIME_TYPES = {
    _EXCEL: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    _BINARY: "application/vnd.ms-excel",
    _OPEN: "application/vnd.oasis.opendocument.spreadsheet",
}
T = TypeVar("T")

_ERROR = re.compile(rb"(<(?:[\w.-]{1,40}:)?c\s[^<>]*?\st=\")e\"")


@dataclass
class Workbook:
    """What is to be opened, and what is known of it already."""

    content: io.BytesIO
    """An archive of the parts that are sound."""

    mime_type: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    """By the name of a sheet, why it cannot be read."""

    comments: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """By the name of a sheet, cells and what is said about them."""

    omissions: list[Omission] = field(default_factory=list)


def open_workbook(path: Path, options: LoadOptions) -> Workbook:
    """A workbook by its content: programs give old names to new files.

    Raises:
        LoadError: it is no workbook, is protected, or larger than the limits.
    """
    wanted = _OPEN if path.suffix.lower() == ".ods" else _EXCEL
    with open_archive(path, wanted, _EXCEL, _BINARY, _OPEN) as archive:
        kind = archive.kind or wanted
        read = {_EXCEL: _xlsx, _BINARY: _xlsb}.get(kind, _open_document)
        workbook = read(archive, with_comments="comments" in options.include)
        workbook.omissions[:0] = archive.omissions
    workbook.mime_type = _MIME_TYPES[kind]
    return workbook


def _xlsx(archive: Archive, *, with_comments: bool) -> Workbook:
    main = "xl/workbook.xml"
    root = archive.xml(main)
    ids = (next((value for key, value in node.items() if key.endswith("}id")), "") for node in outermost(root, "sheet"))
    names = (node.get("name", "") for node in outermost(root, "sheet"))
    workbook = _Excel(archive, main, dict(zip(names, ids, strict=True)))
    lengths = workbook.optional("sharedStrings", sizes.string_lengths) or []
    workbook.optional("styles", len)
    workbook.add_sheets(lambda data: sizes.xlsx_extent(data, lengths))
    return workbook.closed(with_comments=with_comments)


def _xlsb(archive: Archive, *, with_comments: bool) -> Workbook:
    main = f"xl/workbook{BINARY}"
    try:
        sheets = binary_sheets(archive.markup(main))
    except ValueError as error:
        raise LoadError(f"{archive.path}: its part {main} cannot be read ({error})") from error
    workbook = _Excel(archive, main, sheets)
    lengths = workbook.optional("sharedStrings", string_lengths) or []
    workbook.optional("styles", check_styles)
    workbook.add_sheets(lambda data: xlsb_extent(data, lengths))
    return workbook.closed(with_comments=with_comments)


class _Excel:
    """Gathers what can be read of a workbook.

    Args:
        archive: the file.
        main: its main part.
        sheets: the relations that lead to the sheets, by the names of these.

    Raises:
        LoadError: nothing says where the sheets are.
    """

    def __init__(self, archive: Archive, main: str, sheets: Mapping[str, str]) -> None:
        self._archive, self._package, self._ending = archive, Package(archive), Path(main).suffix
        self._metadata = self._package.properties()
        self._members = {name.lower(): name for name in archive.names}  # as the library looks for them
        relations = self._package.relations(main)
        if not relations:
            raise LoadError(f"{archive.path}: the part that says where its sheets are is missing or cannot be read")
        targets = {name: relations[key].target if key in relations else key for name, key in sheets.items()}
        self._parts = {name: self._members.get(target.lower(), target) for name, target in targets.items()}
        self._named = {relation.kind: relation.target for relation in relations.values()}
        self._copy = Copy({main: archive.read(main), **excel_relations(self._ending, sheets.values(), relations)})
        self._unreadable: dict[str, str] = {}

    def optional(self, kind: str, read: Callable[[bytes], T]) -> T | None:
        """What is read of a part that the workbook can do without; None, and told, where it cannot be read."""
        wanted = f"xl/{kind}{self._ending}"
        target = self._named.get(kind, wanted)
        name = self._members.get(target.lower(), target)
        if name not in self._archive.names and kind not in self._named:
            return None
        try:
            data = self._archive.markup(name) if self._ending == BINARY else self._archive.sound(name)
            found = read(data)
        except LoadError as error:
            self._archive.omit(error)
            return None
        except ValueError as error:
            self._archive.omit(error, f"its part {name} cannot be read")
            return None
        self._copy.add(wanted, data)
        return found

    def add_sheets(self, extent: Callable[[bytes], sizes.Extent]) -> None:
        """Takes those that can be read."""
        for name, part in self._parts.items():
            try:
                data = self._archive.markup(part)
            except LoadError as error:
                self._unreadable[name] = f"cannot be read: {self._archive.reason(error)}"
                continue
            if problem := _problem(data, extent):
                self._unreadable[name] = problem
            else:  # errors such as #REF! are left empty by the library
                self._copy.add(part, data if self._ending == BINARY else _ERROR.sub(rb'\1str"', data))

    def closed(self, *, with_comments: bool) -> Workbook:
        """What is to be opened, with its comments."""
        workbook = Workbook(self._copy.file(), metadata=self._metadata, unreadable=self._unreadable)
        if with_comments:
            workbook.comments = excel_comments(self._package, self._parts)
        elif has_comments(self._archive):
            workbook.omissions.append(UNREAD)
        if charts := chart_omission(self._archive):
            workbook.omissions.append(charts)
        return workbook


def _problem(data: bytes, extent: Callable[[bytes], sizes.Extent]) -> str | None:
    from xml.sax import SAXException

    try:
        return extent(data).problem()
    except (SAXException, ValueError) as error:
        return f"cannot be read ({error})"


def _open_document(archive: Archive, *, with_comments: bool) -> Workbook:
    check_manifest(archive)
    sheets = sizes.OdsSheets()
    content = archive.parse("content.xml", sheets)
    for number, extent in enumerate(sheets.extents, start=1):
        if extent.problem():
            raise LoadError(f"{archive.path}: its table {number} {extent.problem()}")
    parts = {"mimetype": _MIME_TYPES[_OPEN].encode(), "META-INF/manifest.xml": b"<manifest/>", "content.xml": content}
    workbook = Workbook(Copy(parts).file(), metadata=properties(archive, "meta.xml"))
    if with_comments:
        workbook.comments = sheets.comments
    elif any(sheets.comments.values()):
        workbook.omissions.append(UNREAD)
    return workbook
