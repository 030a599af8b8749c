"""CSV and TSV with a header line: a record a row, read row by row."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from late_rag.errors import LoadError
from late_rag.loaders.decoding import open_text
from late_rag.loaders.records import documents
from late_rag.loading import LoadOptions, RecordFields
from late_rag.types import Document

_DELIMITERS = ",;\t|"
_SAMPLE_ROWS = 50
_LONGEST_CELL = 2**31 - 1
_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d{0,14})\.\d{1,15}")


class CsvLoader:
    """One document for each row. Cells that are numbers become numbers, empty ones None, but not in text and key."""

    records: ClassVar[bool] = True

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document]]:
        mime_type = "text/tab-separated-values" if path.suffix.lower() == ".tsv" else "text/csv"
        yield from documents(path, self._read(path, options.fields), options.fields, mime_type)

    def _read(self, path: Path, fields: RecordFields) -> Iterator[Mapping[str, Any]]:
        csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))  # documents are longer than its 131,072
        delimiter = _delimiter(path)
        with open_text(path, newline="") as file:
            rows = csv.reader(file, delimiter=delimiter)
            try:
                names = _header(next(rows, []))
                for row in rows:
                    if row:
                        yield self._record(names, row, fields)
            except csv.Error as error:
                raise LoadError(f"{path}: line {rows.line_num}: is not CSV: {error}") from error

    def _record(self, names: list[str], row: list[str], fields: RecordFields) -> Mapping[str, Any]:
        more = range(len(names) + 1, len(row) + 1)
        cells = (cell.replace("\r\n", "\n") for cell in row)
        record = dict(zip([*names, *(f"column_{number}" for number in more)], cells, strict=False))
        kept = {*fields.text_fields(record), fields.key_field(record)}
        return {name: cell if name in kept else _value(cell) for name, cell in record.items()}


def _delimiter(path: Path) -> str:
    """The delimiter that gives the most of the first rows as many cells as the header has, if more than one."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    with open_text(path, newline="") as file:
        lines = list(islice(file, _SAMPLE_ROWS))

    def fit(delimiter: str) -> tuple[int, int]:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        width = widths[0] if widths else 0
        return (sum(other == width for other in widths), width) if width > 1 else (0, 0)

    return max(_DELIMITERS, key=fit)


def _header(cells: list[str]) -> list[str]:
    """Names of the columns, each once: ``column_3`` where there is none, ``name_2`` where it was there before."""
    names = [cell.strip() or f"column_{number}" for number, cell in enumerate(cells, start=1)]
    count = Counter[str]()
    for position, name in enumerate(names):
        count[name] += 1
        if count[name] > 1:
            names[position] = f"{name}_{count[name]}"
    return names


def _value(cell: str) -> str | int | float | None:
    if _INTEGER.fullmatch(cell):
        return int(cell)
    if _DECIMAL.fullmatch(cell):
        return float(cell)
    return cell or None
