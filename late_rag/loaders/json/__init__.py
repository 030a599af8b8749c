"""JSON (records in a list, in an object, or one alone) and JSON lines, each also under the name of the other.

Records are read one by one, so that what is wrong with one costs no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import StringIO
from itertools import chain, islice
from pathlib import Path
from typing import Any, ClassVar

from late_rag.errors import LoadError
from late_rag.loaders import decoding
from late_rag.loaders.decoding import bounded_lines, open_text
from late_rag.loaders.json.conversations import with_conversation
from late_rag.loaders.json.values import NotJsonError, Value, Values, parse
from late_rag.loaders.records import Record, documents
from late_rag.loading import LoadOptions, RecordFields
from late_rag.types import Document, Omission

_BLANK = "\0 \t\r\n"
_LEVELS = 4
"""How many objects inside each other are looked through for a list of records."""

_MOST_NAMES = 20
_LONGEST_NAME = 80

_Name = tuple[str, ...]
"""Where a value is in an object: its name, after those of the objects that it is in."""

_Member = tuple[str, Value | list[Value]]
"""Of an object in which something is broken: a name and its value, or the elements of its list."""

_Part = tuple[_Name, Value | list[Value]]
"""The same by where it is."""


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
    with open_text(path) as file:
        for number, line in enumerate(bounded_lines(file), start=1):
            if line is None:
                yield Omission(f"line {number}: has more than {decoding.LONGEST_LINE:,} characters, which is the limit")
            elif line.strip(_BLANK):
                yield from _records([_line_value(number, line)], fields)


def _line_value(number: int, line: str) -> Value:
    try:
        return Value(number, parse(line.replace("\0", " ").strip(_BLANK)))
    except NotJsonError as error:
        return Value(number, problem=str(error))


def _is_one_text(path: Path) -> bool:
    """Whether the lines are no records of their own but parts of one text, or there is only one line."""
    with open_text(path) as file:
        lines = (line if line is None else line.strip(_BLANK) for line in bounded_lines(file))
        first, second = (*islice((line for line in lines if line != ""), 2), "", "")[:2]
    if "" in (first, second):
        return first != ""
    if first is None:
        return False
    try:
        parse(first)
    except NotJsonError:
        return first[0] == "[" or (first[-1] in "{[," and second is not None and second[0] != "{")
    return False


def _json(path: Path, fields: RecordFields) -> Iterator[Record | Omission]:
    with open_text(path) as file:
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
    with open_text(path) as file:
        members = _members(Values(file, in_lines=False))
    if not _is_record({name: inner.value if isinstance(inner, Value) else [] for name, inner in members}, fields):
        parts: list[_Part] = [((name,), inner) for name, inner in members]
        single = [(name, inner) for name, inner in members if isinstance(inner, Value)]
        good = [value.value for _, value in single if not value.problem]
        if len(single) == len(members) and _are_records(good, fields):
            yield from _named(single, fields)
            return
        if _only_list(_elements(parts), fields) is None:
            parts = list(_broken_parts(members))
        name = _only_list(_elements(parts), fields)
        if name is not None:
            yield from _from_list(parts, name, fields)
            return
    raise LoadError(f"{path}: line {whole.line}: {whole.problem}")


def _members(values: Values) -> list[_Member]:
    if values.peek() != "{":
        return []
    values.skip()
    return list(values.members())


def _broken_parts(members: Iterable[_Member], above: _Name = ()) -> Iterator[_Part]:
    """The parts of an object, as :func:`_parts` gives them, of which some cannot be read."""
    for name, inner in members:
        place, may_go_down = (*above, name), len(above) < _LEVELS - 1
        if may_go_down and isinstance(inner, Value) and inner.text.startswith("{"):
            yield from _broken_parts(_members(Values(StringIO(inner.text), in_lines=False, line=inner.line)), place)
        elif may_go_down and isinstance(inner, Value) and isinstance(inner.value, dict) and inner.value:
            for inner_place, part in _parts(inner.value, place).items():
                is_list = isinstance(part, list)
                yield inner_place, [Value(inner.line, item) for item in part] if is_list else Value(inner.line, part)
        else:
            yield place, inner


def _elements(parts: Iterable[_Part]) -> dict[_Name, Any]:
    """The values in the lists among the parts."""
    return {name: [value.value for value in inner] for name, inner in parts if isinstance(inner, list)}


def _from_list(parts: list[_Part], name: _Name, fields: RecordFields) -> Iterator[Record | Omission]:
    """The records of one list, and what is wrong beside it."""
    lists = {place: inner for place, inner in parts if isinstance(inner, list)}
    yield from _numbered(lists[name], _dotted(name), fields)
    for _, inner in parts:
        if isinstance(inner, Value) and inner.problem:
            yield Omission(f"line {inner.line}: {inner.problem}")
    yield from _beside(name, [place for place, _ in parts if place[-1]])


def _numbered(values: Iterable[Value], name: str, fields: RecordFields) -> Iterator[Record | Omission]:
    for number, value in enumerate(values, start=1):
        place = f"record {number} of {name}"
        if value.problem:
            yield Omission(f"{place} (line {value.line}): {value.problem}")
        else:
            yield _record(value.value, place, fields)


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


def _beside(name: _Name, names: Iterable[_Name]) -> Iterator[Omission]:
    others = [_dotted(other) for other in names if other != name]
    if others:
        yield Omission(f"what stands beside the list {_dotted(name)}: {', '.join(others[:_MOST_NAMES])}", lost=False)


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
    return Record(place, with_conversation(item, fields), key)


def _is_record(item: Any, fields: RecordFields) -> bool:
    return isinstance(item, dict) and bool(fields.text_fields(with_conversation(item, fields)))


def _inside(value: Value, fields: RecordFields) -> Iterator[Record | Omission]:
    """The records in an object that is none: those of its only list, or its fields; else itself, which is told."""
    item: dict[str, Any] = value.value
    own: dict[_Name, Any] = {(name,): inner for name, inner in item.items()}
    name = _only_list(own, fields)
    if name is None and _are_records(list(item.values()), fields):
        yield from _named(((key, Value(value.line, inner)) for key, inner in item.items()), fields)
        return
    parts = _parts(item) if name is None else own
    name = _only_list(parts, fields)
    if name is not None:
        yield from _numbered((Value(value.line, inner) for inner in parts[name]), _dotted(name), fields)
        yield from _beside(name, parts)
    elif len(lists := _lists(parts, fields)) > 1:
        names = ", ".join(map(_dotted, lists[:_MOST_NAMES]))
        yield Omission(
            f"line {value.line}: has {len(lists)} lists of records ({names}); write one of them into a file of its own"
        )
    else:
        yield _record(item, f"line {value.line}", fields)


def _parts(item: dict[str, Any], above: _Name = ()) -> dict[_Name, Any]:
    """The values of an object and of the objects in it, a few levels down."""
    parts = dict[_Name, Any]()
    for name, inner in item.items():
        if len(above) < _LEVELS - 1 and isinstance(inner, dict) and inner:
            parts |= _parts(inner, (*above, name))
        else:
            parts[*above, name] = inner
    return parts


def _dotted(name: _Name) -> str:
    return ".".join(part[:_LONGEST_NAME] for part in name)


def _only_list(item: dict[_Name, Any], fields: RecordFields) -> _Name | None:
    """The name of the only list of records; where there is none of records, of the only list of objects."""
    names = _lists(item, fields)
    return names[0] if len(names) == 1 else None


def _lists(item: dict[_Name, Any], fields: RecordFields) -> list[_Name]:
    """The names of the lists of records; where there is none of records, of those of objects."""
    lists = {name: inner for name, inner in item.items() if isinstance(inner, list) and _has_object(inner)}
    return [name for name, inner in lists.items() if _any_record(inner, fields)] or list(lists)


def _has_object(items: list[Any]) -> bool:
    return any(isinstance(item, dict) for item in items)


def _any_record(items: Iterable[Any], fields: RecordFields) -> bool:
    return any(_is_record(item, fields) for item in items)
