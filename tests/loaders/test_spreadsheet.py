"""Spreadsheets: sheets as tables, values as a reader would write them, and sizes that would end the process."""

from __future__ import annotations

import datetime as dt
import logging
import re
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from late_rag.loaders import load
from late_rag.loaders.spreadsheet.binary import xlsb_extent
from late_rag.loaders.spreadsheet.comments import old_comments, with_comments
from late_rag.loaders.spreadsheet.sizes import MOST_CELLS, MOST_TEXT, string_lengths, xlsx_extent
from late_rag.loaders.spreadsheet.table import sheet_table
from late_rag.types import Document, Omission
from tests.loaders.office_files import record

CASES = Path(__file__).parents[1] / "cases" / "xls"


UNREAD_COMMENTS = Omission('comments of cells (read with include=["comments"] or --include comments)', lost=False)


@pytest.fixture
def make_xlsx(tmp_path: Path) -> Callable[..., Path]:
    def make(**sheets: list[list[Any]]) -> Path:
        path = tmp_path / "book.xlsx"
        with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd"}) as book:
            for name, rows in sheets.items():
                sheet = book.add_worksheet(name)
                for number, row in enumerate(rows):
                    sheet.write_row(number, 0, row)
        return path

    return make


def documents(path: Path, **options: Any) -> tuple[list[Document], list[Omission]]:
    (file,) = load(path, **options)
    found = list(file.documents)
    assert file.error is None
    return found, file.omissions


def test_each_sheet_is_a_document(make_xlsx: Callable[..., Path]) -> None:
    path = make_xlsx(Pumps=[["Name", "Count"], ["a|b", 12]], Empty=[], Valves=[["Kind"], ["gate"]])
    (pumps, valves), omissions = documents(path)
    assert pumps.text == "| Name | Count |\n| --- | --- |\n| a\\|b | 12 |\n"
    assert valves.text == "| Kind |\n| --- |\n| gate |\n"
    assert [document.metadata["sheet"] for document in (pumps, valves)] == ["Pumps", "Valves"]
    assert pumps.id != valves.id
    assert omissions == []


def test_values_are_written_as_a_reader_would(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        formats = {
            code: book.add_format({"num_format": code}) for code in ("yyyy-mm-dd", "d.m.yy h:mm", "h:mm", "[h]:mm")
        }
        sheet.write_row(0, 0, ["what", "value"])
        rows = [
            ("day", dt.date(2024, 5, 6), "yyyy-mm-dd"),
            ("moment", dt.datetime(2024, 5, 6, 7, 8, 9), "d.m.yy h:mm"),
            ("time", dt.time(7, 8, 9), "h:mm"),
            ("span", 1.5, "[h]:mm"),
        ]
        for number, (what, value, code) in enumerate(rows, start=1):
            sheet.write(number, 0, what)
            sheet.write(number, 1, value, formats[code])
        sheet.write_row(5, 0, ["whole", 1e6])
        sheet.write_row(6, 0, ["part", 0.1])
        sheet.write_row(7, 0, ["yes", True])
        sheet.write(8, 0, "error")
        sheet.write_formula(8, 1, "=A1/0", value="#DIV/0!")
        sheet.write_row(9, 0, ["lines", "one\ntwo\r\nthree"])
    ((document,), _) = documents(path)
    values = dict(line.strip("| ").split(" | ") for line in document.text.splitlines()[2:])
    assert values == {
        "day": "2024-05-06",
        "moment": "2024-05-06T07:08:09",
        "time": "07:08:09",
        "span": "36:00:00",
        "whole": "1000000",
        "part": "0.1",
        "yes": "TRUE",
        "error": "#DIV/0!",
        "lines": "one two three",
    }


def test_empty_edges_and_a_line_above_the_table(make_xlsx: Callable[..., Path]) -> None:
    path = make_xlsx(A=[[], ["", "Pumps of 2024"], [], ["", "Name", "Count"], ["", "a", 1], [], ["", "b"]])
    ((document,), _) = documents(path)
    assert document.text == "Pumps of 2024\n\n| Name | Count |\n| --- | --- |\n| a | 1 |\n| b | |\n"


def test_hidden_sheets_and_charts_are_told(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for name, hide in (("Seen", None), ("Hidden", "hide"), ("Deep", "very_hidden")):
            sheet = book.add_worksheet(name)
            sheet.write(0, 0, name)
            if hide:
                getattr(sheet, hide)()
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=Seen!$A$1"})
        book.add_chartsheet("Curve").set_chart(chart)
    found, omissions = documents(path)
    assert [document.metadata["sheet"] for document in found] == ["Seen"]
    assert not any(omission.lost for omission in omissions)
    assert omissions.pop(0).what == "1 × chart of a sheet, which is not read"
    assert [what.split("'")[1] for what in (omission.what for omission in omissions)] == ["Hidden", "Deep", "Curve"]
    found, omissions = documents(path, include=["hidden"])
    assert [document.metadata["sheet"] for document in found] == ["Seen", "Hidden", "Deep"]
    assert len(omissions) == 2


def test_properties_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.set_properties({"title": "Pumps", "author": "Ada", "created": dt.datetime(2020, 1, 2)})
        sheet = book.add_worksheet()
        sheet.write(0, 0, "x")
        sheet.write_comment(0, 0, "check this")
    ((document,), omissions) = documents(path)
    assert document.metadata["title"] == "Pumps"
    assert document.metadata["author"] == "Ada"
    assert document.metadata["created"] == "2020-01-02T00:00:00+00:00"
    assert omissions == [UNREAD_COMMENTS]
    ((document,), omissions) = documents(path, include=["comments"])
    assert document.text == "| x |\n| --- |\n\ncomment on A1: check this\n"
    assert omissions == []


def test_what_is_written_on_charts_is_told(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Seen")
        sheet.write(0, 0, 7)
        chart = book.add_chart({"type": "line"})
        chart.set_title({"name": "Tides"})
        chart.add_series({"values": "=Seen!$A$1"})
        sheet.insert_chart("B2", chart)
    assert documents(path)[1] == [Omission("1 × chart of a sheet, whose titles are not read")]


def test_two_cells_far_apart_cost_their_sheet_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        far = book.add_worksheet("Far")
        far.write(0, 0, "a")
        far.write(1_048_575, 16_383, "b")
        book.add_worksheet("Near").write(0, 0, "c")
    caplog.set_level(logging.ERROR)
    found, (omission,) = documents(path)
    assert [document.metadata["sheet"] for document in found] == ["Near"]
    assert omission.lost
    assert omission.what.startswith("sheet 'Far' spans 1,048,576 rows × 16,384 columns, the limit is 5,000,000 cells")


def test_empty_cells_far_away_take_no_room(tmp_path: Path) -> None:
    path = tmp_path / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["a", "b"])
        sheet.write_blank(1_048_575, 16_383, None, book.add_format({"bold": True}))
    ((document,), omissions) = documents(path)
    assert document.text == "| a | b |\n| --- | --- |\n"
    assert omissions == []


SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)


@pytest.mark.parametrize(
    "rows",
    [
        '<row><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
        "<row><c r='A1'><v>1</v></c></row><row><c r = 'XFD1048576'><v>1</v></c></row>",
        '<row r="1"><c><v>1</v></c></row><row r="9999999">' + "<c><v>1</v></c>" * 10 + "</row>",
        '<row><c r="A1"><v>1</v></c></row><row><c x=">" r="XFD1048576"><v>1</v></c></row>',
        '<row><c r="A1"><v>1</v></c></row><row><c r="A99999999999"><v>1</v></c></row>',
        '<row><c r="A1"><v>1</v></c></row><row><c r="&#88;FD1048576"><v>1</v></c></row>',
    ],
)
def test_no_spelling_hides_a_far_cell(rows: str) -> None:
    assert xlsx_extent(SHEET.format(rows).encode(), []).cells > MOST_CELLS


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 16_000)), min_size=1, max_size=8))
def test_the_extent_is_the_rectangle_around_all_cells(places: list[tuple[int, int]]) -> None:
    from xlsxwriter.utility import xl_rowcol_to_cell

    cells = "".join(f'<row><c r="{xl_rowcol_to_cell(row, column)}"><v>1</v></c></row>' for row, column in places)
    rows, columns = zip(*places, strict=True)
    expected = (max(rows) - min(rows) + 1) * (max(columns) - min(columns) + 1)
    assert xlsx_extent(SHEET.format(cells).encode(), []).cells == expected


def test_a_long_text_that_many_cells_refer_to_is_refused() -> None:
    strings = b"<sst><si><t>" + b"x" * 100_000 + b"</t></si><si><t>y</t></si></sst>"
    lengths = string_lengths(strings)

    def extent(number: int) -> Any:
        cells = "".join(f'<row><c t="s" r="A{row}"><v>{number}</v></c></row>' for row in range(1, 4001))
        return xlsx_extent(SHEET.format(cells).encode(), lengths)

    assert extent(0).characters > MOST_TEXT
    assert "characters in its cells" in extent(0).problem()
    assert extent(1).problem() is None


def test_xlsb_cells_are_counted() -> None:
    def sheet(*records: tuple[int, ...]) -> bytes:
        inside = b"".join(record(kind, struct.pack(f"<{len(numbers)}I", *numbers)) for kind, *numbers in records)
        return record(129) + inside + record(130)

    near = ((0, 0, 0), (7, 0, 0, 1), (1, 9, 0))
    extent = xlsb_extent(sheet(*near, (0, 9, 0), (5, 4, 0, 0)), [3, 50])
    assert (extent.cells, extent.characters) == (50, 50)
    assert xlsb_extent(sheet(*near, (0, 1_048_575, 0), (2, 16_383, 0)), [3, 50]).problem()
    with pytest.raises(ValueError, match="cut off"):
        xlsb_extent(sheet(*near)[:-3], [3, 50])


def test_old_files_are_read_and_cells_far_out_too(one_document: Callable[..., Document]) -> None:
    document = one_document(CASES / "dates.xls")
    assert document.text == "| Name | When | Count |\n| --- | --- | --- |\n| pump\\|1 | 2024-05-06 | 12 |\n"
    assert document.metadata["sheet"] == "Pumps"
    assert "| far |" in one_document(CASES / "far_cell.xls").text
    found, omissions = documents(CASES / "dates.xls", include=["hidden"])
    assert [document.metadata["sheet"] for document in found] == ["Pumps", "Secret"]
    assert omissions == []


def test_charts_of_old_files_are_told(tmp_path: Path) -> None:
    data = bytearray((CASES / "dates.xls").read_bytes())
    name = data.index(b"\x06\x00Secret")  # in front of it stand what kind of sheet it is, and whether it is hidden
    assert data[name - 2 : name] == b"\x01\x00"
    data[name - 1] = 2
    (tmp_path / "a.xls").write_bytes(data)
    found, omissions = documents(tmp_path / "a.xls")
    assert [document.metadata["sheet"] for document in found] == ["Pumps"]
    assert omissions == [Omission("sheet 'Secret', which is a chart, a dialog or macros", lost=False)]


def test_a_new_file_under_an_old_name_is_read(
    make_xlsx: Callable[..., Path], one_document: Callable[..., Document]
) -> None:
    path = make_xlsx(A=[["x", "y"]])
    assert one_document(path.rename(path.with_suffix(".xls"))).text == "| x | y |\n| --- | --- |\n"


@pytest.mark.parametrize("step", range(0, 5632, 97))
def test_a_damaged_old_file_ends_nothing(tmp_path: Path, step: int) -> None:
    data = bytearray((CASES / "dates.xls").read_bytes())
    data[step : step + 8] = b"\xff\xff\x00\xff\x7f\xff\xff\xff"
    (tmp_path / "a.xls").write_bytes(data)
    (file,) = load(tmp_path / "a.xls")
    texts = [document.text for document in file.documents]
    assert texts or file.error


def test_protected_files_are_told(tmp_path: Path, problem_of: Callable[..., str]) -> None:
    for name in ("a.xlsx", "a.xls"):
        path = tmp_path / name
        path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage\0".encode("utf-16-le"))
        assert "protected by a password" in problem_of(path)


def ods(path: Path, table: str) -> Path:
    names = ("office", "table", "text")
    spaces = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in names)
    body = f"<office:body><office:spreadsheet><table:table table:name='T'>{table}</table:table>"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
        content = (
            f"<office:document-content {spaces}>{body}</office:spreadsheet></office:body></office:document-content>"
        )
        archive.writestr("content.xml", content)
    return path


def cell(words: str, **repeated: int) -> str:
    attributes = "".join(f' table:number-{name}-repeated="{count}"' for name, count in repeated.items())
    return f'<table:table-cell office:value-type="string"{attributes}><text:p>{words}</text:p></table:table-cell>'


def test_open_spreadsheets(tmp_path: Path, one_document: Callable[..., Document]) -> None:
    empty = '<table:table-cell table:number-columns-repeated="16380"/>'
    rows = f"<table:table-row>{cell('a')}{cell('b', columns=2)}{empty}</table:table-row>"
    rest = f'<table:table-row table:number-rows-repeated="1048575">{empty}</table:table-row>'
    document = one_document(ods(tmp_path / "a.ods", rows + rest))
    assert document.text == "| a | b | b |\n| --- | --- | --- |\n"
    assert document.metadata["sheet"] == "T"


def test_comments_of_open_spreadsheets_are_told_or_read(tmp_path: Path) -> None:
    note = "<office:annotation><text:p>why</text:p><text:p>so?</text:p></office:annotation><text:p>b</text:p>"
    commented = f'<table:table-cell office:value-type="string">{note}</table:table-cell>'
    rows = f"<table:table-row>{cell('a', columns=2)}{commented}</table:table-row>"
    path = ods(tmp_path / "a.ods", rows)
    assert documents(path)[1] == [UNREAD_COMMENTS]
    (document,), omissions = documents(path, include=["comments"])
    assert document.text.endswith("\n\ncomment on C1: why so?\n")
    assert omissions == []


def test_comments_of_old_files_are_read() -> None:
    sheet = SimpleNamespace(cell_note_map={(1, 27): SimpleNamespace(text="so")})
    assert with_comments("", old_comments(sheet)) == "comment on AB2: so\n"


FAR = f"<table:table-row><table:table-cell table:number-columns-repeated='16383'/>{cell('b')}</table:table-row>"


@pytest.mark.parametrize(
    "table",
    [
        f'<table:table-row table:number-rows-repeated="1048576">{cell("a", columns=16384)}</table:table-row>',
        f"<table:table-row>{cell('a')}</table:table-row><table:table-row table:number-rows-repeated='1048574'/>{FAR}",
        f'<table:table-row table:number-rows-repeated="4000">{cell("a" * 100_000)}</table:table-row>',
    ],
)
def test_open_spreadsheets_that_repeat_too_much_are_refused(
    tmp_path: Path, problem_of: Callable[..., str], table: str
) -> None:
    assert "the limit is" in problem_of(ods(tmp_path / "a.ods", table))


@given(st.lists(st.lists(st.text("ab| \n", max_size=5), min_size=3, max_size=3), max_size=8))
def test_every_cell_of_a_table_stays_in_its_row_and_column(rows: list[list[str]]) -> None:
    tidy = [[" ".join(value.split()) for value in row] for row in rows]
    filled = [row for row in tidy if any(row)]
    while filled and sum(map(bool, filled[0])) == 1 and any(sum(map(bool, row)) > 1 for row in filled):
        filled.pop(0)  # these are lines of their own
    table = [line for line in sheet_table(rows).rpartition("\n\n")[2].splitlines() if " ---" not in line]
    cells = [[value.strip().replace("\\|", "|") for value in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]
    assert cells == filled
