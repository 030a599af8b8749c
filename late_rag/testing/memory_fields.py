"""Values and ranges of metadata fields over chunks in memory: plainly what the protocol says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from late_rag.collections.kit.facet_types import Type, given, stored, text_of
from late_rag.filters.fields import metadata_key, named_values
from late_rag.filters.predicate import contains_ignoring_case
from late_rag.filters.values import time_in
from late_rag.types import Chunk, FieldValue

Located: TypeAlias = tuple[Chunk, str | None]
"""A chunk and the location of its source."""

_KINDS = {Type.TIME_TEXT: Type.TEXT}
_VALUES = {Type.BOOL, Type.NUMBER, Type.NAN, Type.TEXT, Type.TIME}


def distinct(chunks: Iterable[Located], name: str, search: str | None = None, order: str = "value") -> list[FieldValue]:
    """The field's distinct values that contain the text, in order."""
    counts: dict[tuple[Type, Any, bool], int] = {}
    for chunk in chunks:
        once: dict[tuple[Type, Any], tuple[Type, Any, bool]] = {}
        for kind, value in _typed(chunk, name):
            once.setdefault((kind, value), (kind, value, isinstance(value, float)))
        for key in once.values():
            counts[key] = counts.get(key, 0) + 1
    keys = sorted(counts, key=lambda key: (-counts[key], *key) if order == "count" else key)
    return [
        FieldValue(given(kind, value), counts[kind, value, real])
        for kind, value, real in keys
        if not search or contains_ignoring_case(text_of(kind, value), search)
    ]


def ends(chunks: Iterable[Located], name: str) -> tuple[Any, Any] | None:
    """The field's range; of equal values the first."""
    found = [(kind, given(kind, value)) for chunk in chunks for kind, value in _typed(chunk, name)]
    numbers = [value for kind, value in found if kind is Type.NUMBER]
    texts = [value for kind, value in found if kind is Type.TEXT]
    if numbers:
        return min(numbers), max(numbers)
    if any((name.startswith("$") and name[1:2] != "$") or time_in(text) is None for text in texts):
        return min(texts), max(texts)
    times = [(time, value) for _, value in found if (time := time_in(value)) is not None]
    if not times:
        return None
    on_the_wall = any(time.instant is None for time, _ in times)
    moments = [(time.wall if on_the_wall else time.instant, value) for time, value in times]
    return min(moments, key=_first)[1], max(moments, key=_first)[1]


def kinds(chunks: Iterable[Located]) -> dict[str, frozenset[str]]:
    """The names of all fields and the kinds of their values."""
    found: dict[str, set[str]] = {}
    for chunk, _ in chunks:
        for name, value in named_values(chunk.metadata).items():
            found.setdefault(name, set()).update(kind.kind for kind, _ in stored(value))
    return {name: frozenset(found[name]) for name in sorted(found)}


def _first(pair: Sequence[Any]) -> Any:
    return pair[0]


def _typed(located: Located, name: str) -> Iterator[tuple[Type, Any]]:
    """What a chunk has under a name, and what its list has; nulls, dicts and lists in lists left out."""
    chunk, source = located
    built_in = {"$id": chunk.id, "$document_id": chunk.document_id, "$text": chunk.text, "$source": source}
    if name in built_in:
        if built_in[name] is not None:
            yield Type.TEXT, built_in[name]
        return
    value = named_values(chunk.metadata).get(metadata_key(name))
    for item in value if isinstance(value, list) else [value]:
        kind, plain = next(iter(stored(item)))
        kind = _KINDS.get(kind, kind)
        if kind in _VALUES:
            yield kind, plain
