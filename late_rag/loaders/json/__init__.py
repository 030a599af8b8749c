"""JSON (records in a list, in an object, or one alone) and JSON lines, each also under the name of the other.

Records are read one by one, so that what is wrong with one costs no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, ClassVar

from late_rag.errors import LoadError
from late_rag.loaders.decoding import MARK, open_text
from late_rag.loaders.json.values import NotJsonError, Value, Values, parse
from late_rag.loaders.records import Record, documents
from late_rag.loading import LoadOptions, RecordFields
from late_rag.types import Document, Omission

_CONVERSATIONS = ("messages", "conversation", "conversations", "dialog", "dialogue", "turns")
_SPEAKERS = ("role", "from", "speaker", "author")
_SAYINGS = ("content", "value", "text")
_BLANK = "\0 \t\r\n"


class JsonLoader:
    """One document for each record; a record is an object, a text alone, or a conversation."""

    records: ClassVar[bool] = True

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        yield from documents(path, _json(path, options.fields), options.fields, "application/json")


class JsonLinesLoader:
    """One document for each line that is not blank; a file of one JSON text is read as such."""

    records: ClassVar[bool] = True

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        read = _json if _is_one_text(path) else _lines
        yield from documents(path, read(path, options.fields), options.fields, "application/jsonl")


def _lines(path: Path, fields: RecordFields) -> Iterator[Record | Omission]:
    with open_text(path, errors=MARK) as file:
        for number, line in enumerate(file, start=1):
            if line.strip(_BLANK):
                yield from _records([_line_value(number, line)], fields)


def _line_value(number: int, line: str) -> Value:
    try:
        return Value(number, parse(line.replace("\0", " ").strip(_BLANK)))
    except NotJsonError as error:
        return Value(number, problem=str(error))


def _is_one_text(path: Path) -> bool:
    """Whether the lines are no records of their own but parts of one text, or there is only one line."""
    with open_text(path, errors=MARK) as file:
        first, second = (*islice((line.strip(_BLANK) for line in file if line.strip(_BLANK)), 2), "", "")[:2]
    if not first or not second:
        return bool(first)
    try:
        parse(first)
    except NotJsonError:
        return first[0] == "[" or (first[-1] in "{[," and second[0] != "{")
    return False


def _json(path: Path, fields: RecordFields) -> Iterator[Record | Omission]:
    with open_text(path, errors=MARK) as file:
        values = Values(file)
        if values.peek() == "[":
            yield from _list(values, fields)
        elif not values.peek():
            raise LoadError(f"{path}: is not JSON: there is nothing in it but white space")
        else:
            yield from _objects(path, values, fields)


def _list(values: Values, fields: RecordFields) -> Iterator[Record | Omission]:
    values.in_lines = False
    values.skip()
    yield from _records(values.elements(), fields, numbered=True)
    if values.peek():
        yield Omission(f"line {values.line}: is not JSON: something follows the list; put each record on its own line")


def _objects(path: Path, values: Values, fields: RecordFields) -> Iterator[Record | Omission]:
    """What does not begin with a list: one value, or several, which are records."""
    first = values.value()
    if values.peek():
        yield from _records(chain([first], values.sequence()), fields)
    elif first.problem:
        yield from _inside_broken(path, first, fields)
    elif isinstance(first.value, dict) and not _is_record(first.value, fields):
        yield from _inside(first, fields)
    else:
        yield from _records([first], fields)


def _inside_broken(path: Path, whole: Value, fields: RecordFields) -> Iterator[Record | Omission]:
    """The records in an object of which something cannot be read, which is named; else what is wrong with it."""
    with open_text(path, errors=MARK) as file:
        values = Values(file, in_lines=False)
        members = list[tuple[str, Value | list[Value]]]()
        if values.peek() == "{":
            values.skip()
            members += values.members()
    lists = {name: inner for name, inner in members if isinstance(inner, list)}
    found = _only_list({name: [value.value for value in inner] for name, inner in lists.items()}, fields)
    single = [(name, inner) for name, inner in members if isinstance(inner, Value)]
    if _is_record({name: inner.value if isinstance(inner, Value) else [] for name, inner in members}, fields):
        raise LoadError(f"{path}: line {whole.line}: {whole.problem}")
    if found is not None:
        yield from _numbered(lists[found], found, fields)
        yield from (Omission(f"line {inner.line}: {inner.problem}") for _, inner in single if inner.problem)
        yield from _beside(found, [name for name, _ in members if name])
    elif not lists and _are_records([inner.value for _, inner in single if not inner.problem], fields):
        yield from _named(single, fields)
    else:
        raise LoadError(f"{path}: line {whole.line}: {whole.problem}")


def _numbered(values: Iterable[Value], name: str, fields: RecordFields) -> Iterator[Record | Omission]:
    for number, value in enumerate(values, start=1):
        place = f"record {number} of {name}"
        yield Omission(f"{place}: {value.problem}") if value.problem else _record(value.value, place, fields)


def _named(members: Iterable[tuple[str, Value]], fields: RecordFields) -> Iterator[Record | Omission]:
    """The records whose names are their keys: objects only."""
    for name, value in members:
        place = f"record {name}" if name else f"line {value.line}"
        if value.problem or isinstance(value.value, str):
            yield Omission(f"{place}: {value.problem or 'a record among objects is one, not a text'}")
        else:
            yield _record(value.value, place, fields, name)


def _are_records(items: list[Any], fields: RecordFields) -> bool:
    """Whether most of the values of an object are objects, and some of those are records."""
    return 2 * sum(isinstance(item, dict) for item in items) > len(items) and _any_record(items, fields)


def _beside(name: str, names: Iterable[str]) -> Iterator[Omission]:
    others = [other for other in names if other != name]
    if others:
        yield Omission(f"what stands beside the list {name}: {', '.join(others[:20])}", lost=False)


def _records(values: Iterable[Value], fields: RecordFields, *, numbered: bool = False) -> Iterator[Record | Omission]:
    for number, value in enumerate(values, start=1):
        place = f"record {number} (line {value.line})" if numbered else f"line {value.line}"
        yield Omission(f"{place}: {value.problem}") if value.problem else _record(value.value, place, fields)


def _record(item: Any, place: str, fields: RecordFields, key: str | None = None) -> Record | Omission:
    if isinstance(item, str):
        return Record(place, {"text": item}, key)
    if not isinstance(item, dict):
        kind = "null" if item is None else type(item).__name__
        return Omission(f"{place}: a record is an object or a text, not {kind}")
    return Record(place, _with_conversation(item, fields), key)


def _is_record(item: Any, fields: RecordFields) -> bool:
    return isinstance(item, dict) and bool(fields.text_fields(_with_conversation(item, fields)))


def _inside(value: Value, fields: RecordFields) -> Iterator[Record | Omission]:
    """The records in an object that is none: those of its only list, or its fields; else itself, which is told."""
    item: dict[str, Any] = value.value
    name = _only_list(item, fields)
    if name is not None:
        yield from _numbered((Value(value.line, inner) for inner in item[name]), name, fields)
        yield from _beside(name, item)
    elif _are_records(list(item.values()), fields):
        yield from _named(((key, Value(value.line, inner)) for key, inner in item.items()), fields)
    else:
        yield _record(item, f"line {value.line}", fields)


def _only_list(item: dict[str, Any], fields: RecordFields) -> str | None:
    """The name of the only list of records; where there is none of records, of the only list of objects."""
    lists = {name: inner for name, inner in item.items() if isinstance(inner, list) and _has_object(inner)}
    names = [name for name, inner in lists.items() if _any_record(inner, fields)] or list(lists)
    return names[0] if len(names) == 1 else None


def _has_object(items: list[Any]) -> bool:
    return any(isinstance(item, dict) for item in items)


def _any_record(items: Iterable[Any], fields: RecordFields) -> bool:
    return any(_is_record(item, fields) for item in items)


def _with_conversation(item: dict[str, Any], fields: RecordFields) -> dict[str, Any]:
    """The record, where it has a conversation and no text with what is said in it as its text."""
    if fields.text is not None or fields.text_fields(item):
        return item
    for name in _CONVERSATIONS:
        said = _said(item.get(name))
        if said:
            rest = {other: value for other, value in item.items() if other != name}
            return {**rest, "text": "\n\n".join(said)}
    return item


def _said(turns: Any) -> list[str]:
    """What is said in each turn and by whom; nothing where these are no turns."""
    said = list[str]()
    for turn in turns if isinstance(turns, list) else []:
        speaker = next((turn[name] for name in _SPEAKERS if name in turn), None) if isinstance(turn, dict) else None
        if not isinstance(speaker, str):
            return []
        text = _saying(next((turn[name] for name in _SAYINGS if turn.get(name)), None))
        said += [f"{speaker}: {text}"] if text else []
    return said


def _saying(content: Any) -> str:
    """A text, or the texts of a list of parts."""
    if isinstance(content, list):
        return "\n".join(filter(None, (_saying(part.get("text")) for part in content if isinstance(part, dict))))
    return content if isinstance(content, str) else ""
