"""Spreadsheets, by python-calamine (https://github.com/dimastbk/python-calamine): each sheet is a Markdown table.

Those of the old format (XLS) are read by xlrd (https://github.com/python-excel/xlrd): it is slower, and a damaged file
cannot end the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from late_rag.errors import LoadError, needs_extra
from late_rag.loaders.archive import old_office
from late_rag.loaders.spreadsheet.comments import with_comments
from late_rag.loaders.spreadsheet.table import sheet_table
from late_rag.loaders.spreadsheet.workbook import Workbook, open_workbook
from late_rag.loaders.spreadsheet.xls import xls_sheets
from late_rag.loading import LoadOptions, unless_included
from late_rag.types import Document, Omission

_FAR_DOWN = 1000


class SpreadsheetLoader:
    """A document a sheet, under its name; what stands alone in its row above the table is a line of its own."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        if old_office(path) is not None:  # by its content: programs give old names to new files
            yield from xls_sheets(path, options)
            return
        with needs_extra("python-calamine, which reads spreadsheets,", "office"):
            import python_calamine
        workbook = open_workbook(path, options)
        yield from workbook.omissions
        try:
            with _panics():
                sheets = python_calamine.CalamineWorkbook.from_filelike(workbook.content)
        except (python_calamine.CalamineError, ValueError, OSError) as error:
            raise LoadError(f"{path}: is a damaged spreadsheet ({error})") from error
        for sheet in sheets.sheets_metadata:
            yield _sheet(sheets, sheet, workbook, options)


def _sheet(sheets: Any, sheet: Any, workbook: Workbook, options: LoadOptions) -> tuple[str, Document] | Omission:
    from python_calamine import CalamineError, SheetTypeEnum, SheetVisibleEnum

    name = sheet.name
    if sheet.visible != SheetVisibleEnum.Visible and "hidden" not in options.include:
        return Omission(unless_included(f"hidden sheet {name!r}", "hidden"), lost=False)
    if sheet.typ != SheetTypeEnum.WorkSheet:
        return Omission(f"sheet {name!r}, which is a chart, a dialog or macros", lost=False)
    if name in workbook.unreadable:
        return Omission(f"sheet {name!r} {workbook.unreadable[name]}")
    try:
        with _panics():
            text = sheet_table(_rows(sheets.get_sheet_by_name(name)))
    except (CalamineError, ValueError, OSError) as error:
        return Omission(f"sheet {name!r} cannot be read ({error})")
    text = with_comments(text, workbook.comments.get(name, ()))
    metadata = {"mime_type": workbook.mime_type, "sheet": name, **workbook.metadata}
    return name, Document(text=text, metadata=metadata)


def _rows(sheet: Any) -> Any:
    far_down = (sheet.start or (0, 0))[0] > _FAR_DOWN  # iter_rows makes the empty rows above as well
    return sheet.to_python() if far_down else sheet.iter_rows()


@contextmanager
def _panics() -> Iterator[None]:
    """What the library did not expect is no Exception of Python, and would end the run."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"not as the format has it: {error}") from error
