"""JSON (a list of records, or one) and JSONL (a record a line, read line by line)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from late_rag.errors import LoadError
from late_rag.loaders.decoding import open_text, read_text
from late_rag.loaders.records import documents
from late_rag.loading import LoadOptions
from late_rag.types import Document


class JsonLoader:
    """One document for each record; a record is an object, or a text alone."""

    records: ClassVar[bool] = True

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document]]:
        content = _parse(read_text(path), str(path))
        items = content if isinstance(content, list) else [content]
        records = (_record(item, f"{path}: record {row}") for row, item in enumerate(items, start=1))
        yield from documents(path, records, options.fields, "application/json")


class JsonLinesLoader:
    """One document for each line that is not blank."""

    records: ClassVar[bool] = True

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document]]:
        yield from documents(path, self._read(path), options.fields, "application/jsonl")

    def _read(self, path: Path) -> Iterator[Mapping[str, Any]]:
        with open_text(path) as file:
            for number, line in enumerate(file, start=1):
                if line.strip("\0 \t\r\n"):
                    place = f"{path}: line {number}"
                    yield _record(_parse(line, place), place)


def _parse(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{place}: is not JSON: {error}") from error


def _record(item: Any, place: str) -> Mapping[str, Any]:
    if isinstance(item, str):
        return {"text": item}
    if isinstance(item, dict):
        return item
    raise LoadError(f"{place}: a record is an object or a text, not {type(item).__name__}")
