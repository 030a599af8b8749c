"""Files of records: each becomes a document with a key of its own."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from late_rag.errors import LoadError
from late_rag.loading import TEXT_FIELDS, RecordFields
from late_rag.types import Document, canonical_json, digest

logger = logging.getLogger(__name__)

_LARGEST_INTEGER = 2**63 - 1


def documents(
    path: Path, records: Iterable[Mapping[str, Any]], fields: RecordFields, mime_type: str
) -> Iterator[tuple[str, Document]]:
    """Key and document of each record.

    The key is that of the record, else the hash of its content; when it comes again it gets ``#2``, ``#3``, … so that
    nothing is lost. Metadata has ``row``, which counts records from 1, unless a field of the record is called so.

    Raises:
        LoadError: a record without any of the fields that are its text.
    """
    keys = _UniqueKeys(path)
    for row, raw in enumerate(records, start=1):
        record = _clean(raw)
        names = fields.text_fields(record)
        if not names:
            wanted = " or ".join((fields.text,) if isinstance(fields.text, str) else fields.text or TEXT_FIELDS)
            raise LoadError(f"{path}: record {row} has no field {wanted} for its text; it has {', '.join(record)}")
        key_field = fields.key_field(record)
        text = "\n".join(_text(record[name]) for name in names if record[name] is not None)
        kept = record if fields.metadata is None else {n: record[n] for n in fields.metadata if n in record}
        rest = {name: value for name, value in kept.items() if name not in names and name != key_field}
        key = keys.unique(record.get(key_field) if key_field else None, record)
        yield key, Document(text=text, metadata={"mime_type": mime_type, "row": row, **rest})


class _UniqueKeys:
    """Gives each record of a file a key of its own; remembers a hash of each key."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count: dict[bytes, int] = {}

    def unique(self, given: Any, record: Mapping[str, Any]) -> str:
        named = given is not None and given != ""
        key = _text(given) if named else digest(canonical_json(record))
        count = self._seen(key)
        if count == 1:
            return key
        if named and count == 2:
            logger.warning("%s: the key %r comes more than once", self._path, key)
        while self._seen(candidate := f"{key}#{count}") > 1:
            count += 1
        return candidate

    def _seen(self, key: str) -> int:
        short = bytes.fromhex(digest(key))
        self._count[short] = self._count.get(short, 0) + 1
        return self._count[short]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def _clean(value: Any) -> Any:
    """The value as it can be stored: no NUL or lone surrogate in a text, integers of more than 64 bits as texts."""
    if isinstance(value, str):
        return value.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {_clean(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, int) and not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
        return str(value)
    return value
