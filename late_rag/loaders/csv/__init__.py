"""CSV and TSV with a header line: a record a row, read row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import IO, Any, ClassVar

from late_rag.errors import LoadError
from late_rag.loaders import decoding
from late_rag.loaders.csv.rows import Rows, Style
from late_rag.loaders.decoding import bounded_lines, open_text
from late_rag.loaders.records import Record, documents, without_text
from late_rag.loading import LoadOptions, RecordFields
from late_rag.types import Document, Omission

_DELIMITERS = ",;\t|"
_ONE_COLUMN = "\uffff"
"""The delimiter of tables of one column: a character that no text has."""

_SAMPLE_ROWS = 50
_SAMPLE_CHARACTERS = 1 << 18
_SEPARATOR_LINE = re.compile(r'"?sep=([^\r\n])"?[\r\n]*', re.IGNORECASE)
_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d{0,14})\.\d{1,15}")


class CsvLoader:
    """One document for each row. Cells that are numbers become numbers, empty ones None, but not in text and key."""

    records: ClassVar[bool] = True

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        mime_type = "text/tab-separated-values" if path.suffix.lower() == ".tsv" else "text/csv"
        yield from documents(path, self._read(path, options.fields), options.fields, mime_type)

    def _read(self, path: Path, fields: RecordFields) -> Iterator[Record | Omission]:
        with open_text(path, newline="") as file:
            left_out: list[Omission] = []
            rows = iter(_rows(_lines(path, file, left_out)))
            header_line, cells = next(rows, (1, []))
            names, found = _header(cells), False
            for number, row in rows:
                record = Record(f"line {number}", _record(names, row, fields))
                if not fields.text_fields(record.values) and not fields.text_fields(dict.fromkeys(names)):
                    raise LoadError(f"{path}: the header (line {header_line}) {without_text(names, fields)}")
                found = True
                yield record
                if any(cell.strip() for cell in row[len(names) :]):
                    yield Omission(f"line {number}: {len(row)} cells below a header of {len(names)}", lost=False)
            yield from left_out
            if cells and not found and not fields.text_fields(dict.fromkeys(names)):
                raise LoadError(f"{path}: the header (line {header_line}) {without_text(names, fields)}")


def _lines(path: Path, file: IO[str], left_out: list[Omission]) -> Iterator[str]:
    """The lines; one that is too long is a blank one, which is no row, and is told of in ``left_out``."""
    for number, line in enumerate(bounded_lines(file), start=1):
        if line is not None:
            yield line
            continue
        problem = f"line {number}: has more than {decoding.LONGEST_LINE:,} characters, which is the limit"
        if number == 1:
            raise LoadError(f"{path}: {problem}; is it a table?")
        left_out.append(Omission(problem))
        yield "\n"


def _rows(lines: Iterator[str]) -> Rows:
    """The rows of a table, in the dialect that its first ones show."""
    sample = _sample(lines)
    separator = _SEPARATOR_LINE.fullmatch(sample[0]) if sample else None
    begin = 1 if separator else 0
    complete = sample[begin:-1] if len(sample) > begin + 1 else sample[begin:]
    delimiter = separator[1] if separator else _delimiter(complete)
    first = Rows(complete, delimiter)
    header = next(iter(first), (0, []))[1]
    for _ in first:  # until a row shows how cells are written
        if first.style != Style():
            break
    style = Style(first.style.skip_space or _is_spaced(header), first.style.backslash)
    return Rows(chain(sample[begin:], lines), delimiter, style, lines_before=begin)


def _sample(lines: Iterator[str]) -> list[str]:
    sample, length = list[str](), 0
    for line in lines:
        sample.append(line)
        length += len(line)
        if length > _SAMPLE_CHARACTERS:
            break
    return sample


def _delimiter(lines: list[str]) -> str:
    """The delimiter that gives the most of the first rows as many cells as the header has, if more than one."""
    widths = {
        mark: [len(cells) for _, (_, cells) in zip(range(_SAMPLE_ROWS), Rows(lines, mark), strict=False)]
        for mark in _DELIMITERS
    }
    found = [mark for mark, counts in widths.items() if counts and counts[0] > 1]
    if len(found) < 2:
        return found[0] if found else _ONE_COLUMN
    return max(found, key=lambda mark: (widths[mark].count(widths[mark][0]), widths[mark][0]))


def _is_spaced(header: list[str]) -> bool:
    """Whether a space follows every delimiter of the header, as in ``id, text``: it is no part of the cells then."""
    return len(header) > 1 and all(cell.startswith(" ") and cell.strip() for cell in header[1:])


def _header(cells: list[str]) -> list[str]:
    """Names of the columns, each once: ``column_3`` where there is none, ``name_2`` where it was there before."""
    names = [cell.strip() or f"column_{number}" for number, cell in enumerate(cells, start=1)]
    given, count = set(names), dict.fromkeys(names, 1)
    seen = set[str]()
    for position, name in enumerate(names):
        if name in seen:
            while (other := f"{name}_{count[name] + 1}") in given:
                count[name] += 1
            given.add(other)
            names[position] = other
        seen.add(name)
    return names


def _record(names: list[str], row: list[str], fields: RecordFields) -> Mapping[str, Any]:
    """The cells by name; those beyond the header get names as columns without one."""
    if len(row) > len(names):
        names = _header([*names, *[""] * (len(row) - len(names))])
    record = {name: cell.replace("\r\n", "\n") for name, cell in zip(names, row, strict=False)}
    kept = {*fields.text_fields(record), fields.key_field(record)}
    return {name: cell if name in kept else _value(cell) for name, cell in record.items()}


def _value(cell: str) -> str | int | float | None:
    if _INTEGER.fullmatch(cell):
        return int(cell)
    if _DECIMAL.fullmatch(cell):
        return float(cell)
    return cell or None
