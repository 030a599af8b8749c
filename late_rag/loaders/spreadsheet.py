"""Spreadsheets, by python-calamine (https://github.com/dimastbk/python-calamine): each sheet is a Markdown table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, ClassVar

from late_rag.errors import LoadError, MissingExtraError
from late_rag.loaders.workbook import Workbook, as_file, open_workbook
from late_rag.loading import LoadOptions
from late_rag.types import Document, Omission

_MOST_LINES_IN_FRONT = 10
_LARGEST_WHOLE = 10**15
_FAR_DOWN = 1000


class SpreadsheetLoader:
    """A document a sheet, under its name; what stands alone in its row above the table is a line of its own."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        try:
            import python_calamine
        except ModuleNotFoundError as error:
            raise MissingExtraError("python-calamine, which reads spreadsheets,", "office") from error
        workbook = open_workbook(path)
        if workbook.has_comments:
            yield Omission("comments of cells", lost=False)
        with as_file(workbook.content) as file:
            try:
                sheets = python_calamine.CalamineWorkbook.from_filelike(file)
            except python_calamine.PasswordError as error:
                raise LoadError(f"{path}: is protected by a password; save it without one") from error
            except python_calamine.CalamineError as error:
                raise LoadError(f"{path}: is a damaged spreadsheet ({error})") from error
            for sheet in sheets.sheets_metadata:
                yield _sheet(sheets, sheet, workbook, options)


def _sheet(sheets: Any, sheet: Any, workbook: Workbook, options: LoadOptions) -> tuple[str, Document] | Omission:
    from python_calamine import CalamineError, SheetTypeEnum, SheetVisibleEnum

    name = sheet.name
    if sheet.visible != SheetVisibleEnum.Visible and "hidden" not in options.include:
        return Omission(f'hidden sheet {name!r} (include "hidden" reads it)', lost=False)
    if sheet.typ != SheetTypeEnum.WorkSheet:
        return Omission(f"sheet {name!r}, which is a chart, a dialog or macros", lost=False)
    if name in workbook.too_large:
        return Omission(f"sheet {name!r} {workbook.too_large[name]}")
    try:
        text = _table(_rows(sheets.get_sheet_by_name(name)))
    except CalamineError as error:
        return Omission(f"sheet {name!r} cannot be read ({error})")
    metadata = {"mime_type": workbook.mime_type, "sheet": name, **workbook.metadata}
    return name, Document(text=text, metadata=metadata)


def _rows(sheet: Any) -> Iterator[list[str]]:
    """The rows that have text, without line ends in it."""
    far_down = (sheet.start or (0, 0))[0] > _FAR_DOWN  # iter_rows makes the empty rows above as well
    for row in sheet.to_python() if far_down else sheet.iter_rows():
        cells = [" ".join(_text(cell).split()) for cell in row]
        if any(cells):
            yield cells


def _table(rows: Iterator[list[str]]) -> str:
    begun = list(islice(rows, _MOST_LINES_IN_FRONT + 1))
    alone = next((place for place, row in enumerate(begun) if sum(map(bool, row)) > 1), 0)
    lines = ["".join(row) + "\n" for row in begun[:alone]]
    for number, row in enumerate(chain(begun[alone:], rows)):
        lines.append(_line(row))
        if number == 0:
            lines.append(_line(["---"] * len(row)))
    return "\n".join(lines) + "\n" if lines else ""


def _line(row: list[str]) -> str:
    return "|" + "|".join(f" {cell.replace('|', chr(92) + '|')} " if cell else " " for cell in row) + "|"


def _text(cell: Any) -> str:
    """A value as a reader would write it, dates in ISO 8601."""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < _LARGEST_WHOLE else repr(cell)
    if isinstance(cell, dt.datetime):
        return cell.isoformat(timespec="seconds")
    if isinstance(cell, dt.timedelta):
        minutes, seconds = divmod(round(cell.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return cell.isoformat() if isinstance(cell, (dt.date, dt.time)) else str(cell)
