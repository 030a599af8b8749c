"""Workbooks that are small enough to be opened: which format a file is in, its sheets, and what is too large."""

from __future__ import annotations

import io
import posixpath
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from late_rag.errors import LoadError
from late_rag.loaders.archive import Archive, open_archive
from late_rag.loaders.odf import check_password
from late_rag.loaders.properties import properties
from late_rag.loaders.spreadsheet import sizes
from late_rag.loaders.spreadsheet.comments import UNREAD, chart_omission, excel_comments
from late_rag.loading import LoadOptions
from late_rag.types import Omission

_EXCEL, _BINARY, _OPEN = "an Excel file (.xlsx)", "an Excel file (.xlsb)", "a spreadsheet (.ods)"
_MIME_TYPES = {
    _EXCEL: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    _BINARY: "application/vnd.ms-excel",
    _OPEN: "application/vnd.oasis.opendocument.spreadsheet",
}
_STRINGS = "xl/sharedStrings.xml"
_ERROR = re.compile(rb"(<(?:[\w.-]{1,40}:)?c\s[^<>]*?\st=\")e\"")
_COMMENTS = re.compile(r"xl/(?:comments|threadedComments)")
_BINARY_COMMENTS = Omission("comments of cells, which this format hides; save it as .xlsx")


@dataclass
class Workbook:
    """What is to be opened, and what is known of it already."""

    content: Any
    mime_type: str
    metadata: dict[str, str] = field(default_factory=dict)
    too_large: dict[str, str] = field(default_factory=dict)
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
        read = {_EXCEL: _excel, _BINARY: _excel_binary}.get(kind, _open_document)
        workbook = read(archive, with_comments="comments" in options.include)
    workbook.mime_type = _MIME_TYPES[kind]
    return workbook


def _excel(archive: Archive, *, with_comments: bool) -> Workbook:
    for name in archive.names:
        if name.endswith((".xml", ".rels")) and not name.startswith("xl/worksheets/"):
            archive.read(name)  # a part that is longer than it claims is found here
    lengths = sizes.string_lengths(archive.read(_STRINGS)) if _STRINGS in archive.names else []
    changed, too_large = {}, {}
    parts = _sheet_parts(archive)
    for name, part in parts.items():
        if part not in archive.names:
            continue
        data = archive.read(part)
        problem = _problem(data, lengths)
        if problem:
            too_large[name] = problem
        elif _ERROR.search(data):  # which the library leaves empty
            changed[part] = _ERROR.sub(rb'\1str"', data)
    content = archive.without_media(changed) if changed else archive.path
    workbook = Workbook(content, "", properties(archive, "docProps/core.xml"), too_large)
    if with_comments:
        try:
            workbook.comments = excel_comments(archive, parts)
        except LoadError as error:
            reason = str(error).removeprefix(f"{archive.path}: ")
            workbook.omissions.append(Omission(f"comments of cells cannot be read: {reason}"))
    elif any(map(_COMMENTS.match, archive.names)):
        workbook.omissions.append(UNREAD)
    if charts := chart_omission(archive):
        workbook.omissions.append(charts)
    return workbook


def _problem(data: bytes, lengths: list[int]) -> str | None:
    from xml.sax import SAXException

    try:
        return sizes.xlsx_extent(data, lengths).problem()
    except (SAXException, ValueError) as error:
        return f"cannot be read ({error})"


def _sheet_parts(archive: Archive) -> dict[str, str]:
    """The member that holds each sheet."""
    targets = {
        relation.get("Id"): posixpath.normpath(posixpath.join("/xl", relation.get("Target") or "")).lstrip("/")
        for relation in archive.xml("xl/_rels/workbook.xml.rels").iter()
        if relation.get("Id")
    }
    sheets = [node for node in archive.xml("xl/workbook.xml").iter() if node.tag.endswith("}sheet")]
    parts = {}
    for sheet in sheets:
        relation = next((value for name, value in sheet.items() if name.endswith("}id")), None)
        parts[sheet.get("name", "")] = targets.get(relation, "")
    return parts


def _excel_binary(archive: Archive, *, with_comments: bool) -> Workbook:  # noqa: ARG001
    strings = archive.read("xl/sharedStrings.bin") if "xl/sharedStrings.bin" in archive.names else b""
    lengths = [len(content) // 2 for kind, content in sizes.biff12_records(strings) if kind == 19]
    for name in sorted(archive.names):
        if name.startswith("xl/") and name.endswith(".bin"):
            problem = sizes.xlsb_extent(archive.read(name), lengths).problem()
            if problem:
                raise LoadError(f"{archive.path}: its part {name} {problem}")
    omissions = [_BINARY_COMMENTS] if any(map(_COMMENTS.match, archive.names)) else []
    return Workbook(archive.path, "", properties(archive, "docProps/core.xml"), omissions=omissions)


def _open_document(archive: Archive, *, with_comments: bool) -> Workbook:
    check_password(archive)
    sheets = sizes.OdsSheets()
    archive.parse("content.xml", sheets)
    for number, extent in enumerate(sheets.extents, start=1):
        if extent.problem():
            raise LoadError(f"{archive.path}: its table {number} {extent.problem()}")
    workbook = Workbook(archive.path, "", properties(archive, "meta.xml"))
    if with_comments:
        workbook.comments = sheets.comments
    elif any(sheets.comments.values()):
        workbook.omissions.append(UNREAD)
    return workbook


def as_file(content: Any) -> Any:
    """An open file for what :attr:`Workbook.content` is."""
    return content if isinstance(content, io.BytesIO) else Path(content).open("rb")
