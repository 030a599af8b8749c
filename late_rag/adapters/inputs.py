"""What components are given in lists, checked before anything is done with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any, TypeVar

from late_rag.errors import InputError
from late_rag.metadata import MAX_DEPTH
from late_rag.retriever.inputs import shown
from late_rag.retriever.modalities import FILE_KEYS

T = TypeVar("T")


def listed(values: Any, kind: type[T], name: str, what: str) -> list[T]:
    """The values as a list of one kind.

    Args:
        values: any iterable but a text, whose letters nobody means, a mapping, or one value alone.
        kind: what each of them is.
        name: the argument, for errors.
        what: the same in words, in the plural.

    Raises:
        InputError: something else, or something else in it.
    """
    if isinstance(values, (str, bytes, Mapping, kind)) or not isinstance(values, Iterable):
        raise InputError(f"{name} takes a list of {what}, not {shown(values)}")
    items = list(values)
    for place, item in enumerate(items):
        if not isinstance(item, kind):
            raise InputError(f"{name} takes a list of {what}; {name}[{place}] is {shown(item)}")
    return items


def without_tuples(value: Any, depth: int = MAX_DEPTH + 1) -> Any:
    """A copy of metadata with lists in place of tuples, which splitters of frameworks write.

    What is nested deeper than metadata may be stays as it is, and is refused when it is checked.
    """
    if depth <= 0:
        return value
    if isinstance(value, Mapping):
        return {key: without_tuples(item, depth - 1) for key, item in value.items()}
    return [without_tuples(item, depth - 1) for item in value] if isinstance(value, list | tuple) else value


def times_as_text(value: Any) -> Any:
    """A copy of a file's metadata with dates and datetimes as ISO 8601 texts, which filters read as the same times.

    Stores of the frameworks write JSON, which has no times.
    """
    if isinstance(value, Mapping):
        return {key: times_as_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [times_as_text(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def item_name(name: str, place: int, identity: str | None, metadata: Any, document: str | None = None) -> str:
    """How an error names one item of several: ``documents[3] (id 'a', file 'handbook.md')``.

    Args:
        name: the argument that has the items.
        place: of this one.
        identity: its own id, which may be one that tells nobody anything.
        metadata: where its file may be named, under the keys that loaders and frameworks use.
        document: the id of the document that it is a part of.
    """
    known = metadata if isinstance(metadata, Mapping) else {}
    files = [value for key in FILE_KEYS if isinstance(value := known.get(key), str)]
    parts = {"id": identity, "document": None if document == identity else document, "file": next(iter(files), None)}
    told = ", ".join(f"{what} {shown(value)}" for what, value in parts.items() if value)
    return f"{name}[{place}]{f' ({told})' if told else ''}"


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Puts the name of an item in front of what is wrong with it.

    Raises:
        InputError: where there was one.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
