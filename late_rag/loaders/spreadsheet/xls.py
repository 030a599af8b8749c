"""Old Excel files (XLS), by xlrd (https://github.com/python-excel/xlrd)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from late_rag.errors import LoadError, needs_extra
from late_rag.loaders.archive import OLD_EXCEL, UNKNOWN_OLD, old_office
from late_rag.loaders.spreadsheet.comments import UNREAD, old_comments, with_comments
from late_rag.loaders.spreadsheet.table import sheet_table
from late_rag.loading import LoadOptions, unless_included
from late_rag.types import Document, Omission

MIME_TYPE = "application/vnd.ms-excel"
LARGEST = 256 << 20

_OTHER_SHEET = re.compile(r"Ignoring non-worksheet data named (.{1,200}) \(type 0x0[12] = ")
_MOST_TOLD = 1000


class _Told(io.TextIOBase):
    """Takes what the library logs, for it says nowhere else which sheets are charts or macros."""

    def __init__(self) -> None:
        self.sheets: list[str] = []

    def write(self, text: str) -> int:
        if len(self.sheets) < _MOST_TOLD:
            self.sheets += _OTHER_SHEET.findall(text)
        return len(text)


def xls_sheets(path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
    """A document a sheet, under its name.

    Raises:
        LoadError: it is no such file, is damaged, too large, or protected.
    """
    kind = old_office(path)
    if kind not in (OLD_EXCEL, UNKNOWN_OLD):  # the directory of one that is cut off may be missing
        raise LoadError(f"{path}: is not an Excel file, but {kind}")
    if path.stat().st_size > LARGEST:
        raise LoadError(f"{path}: has {path.stat().st_size:,} bytes; the limit is {LARGEST:,}")
    (book, others), has_comments = _open(path), False
    yield from (Omission(f"sheet {name}, which is a chart, a dialog or macros", lost=False) for name in others)
    for number, name in enumerate(book.sheet_names()):
        try:
            yield _sheet(book, number, name, options)
            has_comments = has_comments or bool(book.sheet_by_index(number).cell_note_map)
        except Exception as error:  # noqa: BLE001 - a damaged sheet raises whatever its records meet
            yield Omission(f"sheet {name!r} cannot be read ({type(error).__name__}: {error})")
        book.unload_sheet(number)
    if has_comments and "comments" not in options.include:
        yield UNREAD


def _open(path: Path) -> tuple[Any, list[str]]:
    """The workbook, and the names of its sheets that are no tables."""
    with needs_extra("xlrd, which reads XLS,", "office"):
        import xlrd
    told = _Told()
    try:
        book = xlrd.open_workbook(str(path), logfile=told, verbosity=1, on_demand=True, ragged_rows=True)
    except Exception as error:  # a damaged file raises whatever its records meet
        if "encrypted" in str(error):
            raise LoadError(f"{path}: is protected by a password; save it without one") from error
        raise LoadError(f"{path}: is a damaged Excel file ({type(error).__name__}: {error})") from error
    return book, told.sheets


def _sheet(book: Any, number: int, name: str, options: LoadOptions) -> tuple[str, Document] | Omission:
    sheet = book.sheet_by_index(number)
    if sheet.visibility and "hidden" not in options.include:
        return Omission(unless_included(f"hidden sheet {name!r}", "hidden"), lost=False)
    text = sheet_table(_row(book, sheet, row) for row in range(sheet.nrows))
    if "comments" in options.include:
        text = with_comments(text, old_comments(sheet))
    return name, Document(text=text, metadata={"mime_type": MIME_TYPE, "sheet": name})


def _row(book: Any, sheet: Any, row: int) -> list[Any]:
    kinds, values = sheet.row_types(row), sheet.row_values(row)
    return [_value(book, kind, value) for kind, value in zip(kinds, values, strict=True)]


def _value(book: Any, kind: int, value: Any) -> Any:
    import xlrd

    if kind == xlrd.XL_CELL_BOOLEAN:
        return bool(value)
    if kind == xlrd.XL_CELL_ERROR:
        return xlrd.error_text_from_code.get(value, "#ERROR!")
    if kind != xlrd.XL_CELL_DATE:
        return value
    try:
        moment = xlrd.xldate_as_datetime(value, book.datemode)
    except (ValueError, OverflowError):  # out of the calendar
        return value
    if 0 <= value < 1:
        return moment.time()
    return moment.date() if value == int(value) else moment
