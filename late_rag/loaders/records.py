"""Files of records: each becomes a document with a key of its own, or is named with the reason why it cannot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from late_rag.errors import InputError
from late_rag.loaders.decoding import UNDECODED
from late_rag.loaders.keys import UniqueKeys
from late_rag.loading import TEXT_FIELDS, RecordFields
from late_rag.metadata import check
from late_rag.types import Document, Omission, canonical_json, digest

_LARGEST_INTEGER = 2**63 - 1
_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class Record:
    """What a file says of one record.

    ``place`` is where it stands, for messages; ``key`` is its key where that is none of its fields.
    """

    place: str
    values: Mapping[str, Any]
    key: str | None = None


class BadRecordError(Exception):
    """Why a record cannot become a document."""


def documents(
    path: Path, records: Iterable[Record | Omission], fields: RecordFields, mime_type: str
) -> Iterator[tuple[str, Document] | Omission]:
    """Key and document of each record, or what is wrong with it; omissions are passed on.

    The key is that of the record, else the hash of its content; when it comes again it gets ``#2``, ``#3``, … so that
    nothing is lost. Metadata has ``row``, which counts records from 1, those that cannot be read too, unless a field
    of the record is called so; a field called ``mime_type``, which says how the text is split, is ``mime_type_2``.
    """
    keys, row = UniqueKeys(path), 0
    for item in records:
        if isinstance(item, Omission):
            row += item.lost
            yield item
            continue
        row += 1
        found = _document_or_reason(item, fields, {"mime_type": mime_type, "row": row}, keys)
        yield found
        if not isinstance(found, Omission):
            yield from _remarks(item, found[1])
    if not row:
        yield Omission("all of it: there are no records in it", lost=False)


def _remarks(record: Record, document: Document) -> Iterator[Omission]:
    """What a document lacks of its record, which is no reason to keep records that the file no longer has."""
    if not document.text or document.text.isspace():
        yield Omission(f"{record.place}: its text is empty", lost=False)
    if _is_damaged(record.values):
        what = "has bytes that are not in the encoding of the file, U+FFFD in their place"
        yield Omission(f"{record.place}: {what}", lost=False)


def _document_or_reason(
    record: Record, fields: RecordFields, known: Mapping[str, Any], keys: UniqueKeys
) -> tuple[str, Document] | Omission:
    try:
        return _document(record, fields, known, keys)
    except BadRecordError as error:
        return Omission(f"{record.place}: {error}")
    except RecursionError:
        return Omission(f"{record.place}: has lists and objects that are nested too deep")


def without_text(names: Iterable[str], fields: RecordFields) -> str:
    """The reason that none of a record's fields is its text, and what to do."""
    wanted = " or ".join((fields.text,) if isinstance(fields.text, str) else fields.text or TEXT_FIELDS)
    known = list(names)
    more = f" and {len(known) - _MOST_NAMES:,} more" if len(known) > _MOST_NAMES else ""
    has = ", ".join(name[:80] for name in known[:_MOST_NAMES]) + more
    return (
        f"has no field {wanted} for its text; it has {has or 'no fields'}; "
        "name the field that is its text with --text-field (in Python with RecordFields(text=…))"
    )


def _document(record: Record, fields: RecordFields, known: Mapping[str, Any], keys: UniqueKeys) -> tuple[str, Document]:
    values = _clean(record.values)
    names = fields.text_fields(values)
    if not names:
        raise BadRecordError(without_text(values, fields))
    key_field = fields.key_field(values) if record.key is None else None
    apart = {*names, key_field}
    metadata = {name: values[name] for name in fields.metadata_fields(values) if name not in apart}
    if "mime_type" in metadata:
        metadata[_free("mime_type", metadata)] = metadata.pop("mime_type")
    metadata = {**known, **metadata}
    try:
        check(metadata)
    except InputError as error:
        raise BadRecordError(f"its metadata cannot be stored: {error}") from error
    given = values[key_field] if key_field else _clean(record.key)
    named = given is not None and given != ""
    key = keys.unique(_text(given) if named else digest(canonical_json(values)), warn=named)
    return key, Document(text=_joined(values, names), metadata=metadata)


def _joined(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    texts = [_text(values[name]) for name in names if values[name] is not None]
    if not texts:
        raise BadRecordError(f"its text is null (field {', '.join(names)})")
    return "\n".join(texts)


def _free(name: str, taken: Mapping[str, Any]) -> str:
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value)


def _clean(value: Any) -> Any:
    """The value as it can be stored: no NUL or lone surrogate in a text, integers of more than 64 bits as texts."""
    if isinstance(value, str):
        return value if value.isascii() and "\0" not in value else _storable(value)
    if isinstance(value, Mapping):
        return {_clean(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, int) and not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
        return str(value)
    return value


def _is_damaged(record: Mapping[str, Any]) -> bool:
    """Whether something of a record could not be decoded."""
    left: list[Any] = [record]
    while left:
        value = left.pop()
        if isinstance(value, str):
            if not value.isascii() and UNDECODED in value:
                return True
        elif isinstance(value, Mapping):
            left += [*value, *value.values()]
        elif isinstance(value, list):
            left += value
    return False


def _storable(text: str) -> str:
    return text.replace("\0", " ").replace(UNDECODED, "\ufffd").encode("utf-8", "replace").decode("utf-8")
