"""What a collection says about a field is what the naive definition says about its chunks' metadata."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from late_rag.collections.local import LocalCollection, facets, field_values
from late_rag.filters import matches
from late_rag.filters.fields import lookup
from late_rag.filters.selection import Selection
from late_rag.filters.times import time_of
from late_rag.filters.values import MISSING
from late_rag.metadata import encode
from late_rag.protocols import CollectionSettings
from late_rag.testing.collection_base import DIM
from late_rag.types import Chunk, FieldValue

_zones = st.sampled_from([None, UTC, timezone(timedelta(hours=2)), ZoneInfo("Europe/Berlin")])
_moments: st.SearchStrategy[date] = st.builds(
    lambda minutes, zone: datetime(2020, 1, 1, tzinfo=zone) + timedelta(minutes=minutes),
    st.sampled_from([-120, 0, 1, 60]),
    _zones,
)
_edges = [date(2020, 1, 1), date(1, 1, 1), datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))]
_times = _moments | st.sampled_from(_edges)
_instants = _moments.filter(lambda moment: cast("datetime", moment).tzinfo is not None)
_texts = st.sampled_from(
    ["", "a", "A", "Straße", "STRASSE", "1", "true", "a\0b", "\ue000", "\U00010000", "2020-01-01", "2020-01-01T00:00Z"]
)
_numbers = st.sampled_from(
    [0, 1, -1, 2**53 + 1, 2**63 - 1, 0.0, -0.0, 1.0, 0.1, 2.0**53, 2.0**63, 1e300, math.inf, -math.inf, math.nan]
)
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), _numbers, _texts, _times, _times.map(str)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)
_kinds = [_numbers, _texts, _times, _instants | st.sampled_from(["2020-01-01T01:00+01:00", "2019-12-31T23:00Z"])]
_metadata = st.dictionaries(st.sampled_from(["a", "b", "a.b"]), _values, max_size=3)
_chunks = st.lists(_metadata, max_size=6) | st.sampled_from(_kinds).flatmap(
    lambda kind: st.lists(st.fixed_dictionaries({"a": kind | st.lists(kind, max_size=3)}), max_size=6)
)
_selections = st.one_of(
    st.none(),
    st.builds(Selection, ids=st.lists(st.sampled_from("012345"))),
    st.sampled_from([Selection(filter="b exists"), Selection(filter='a != "a"'), Selection(filter="a > 0")]),
)
NAMES = ("a", "b", "a.b", "missing")


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCollection]:
    folder = tmp_path_factory.mktemp("fields") / "c.rag"
    collection = LocalCollection.create(folder, CollectionSettings(model="test", model_id="test-1", dim=DIM))
    yield collection
    collection.close()


def fill(collection: LocalCollection, chunks: list[dict[str, Any]]) -> None:
    collection.clear()
    made = [Chunk(str(number), "d", "text", metadata=metadata) for number, metadata in enumerate(chunks)]
    collection.add(made, [np.empty((0, DIM), np.float32)] * len(made))


def scalars(metadata: Mapping[str, Any], name: str) -> list[Any]:
    """A chunk's values under a name; of equal numbers in one list the first."""
    value = lookup(metadata, name)
    found: dict[Any, Any] = {}
    for item in value if isinstance(value, list) else [value]:
        if item is not MISSING and not isinstance(item, list | dict | None):
            found.setdefault(item if type(item) in (int, float) else rank(item), item)
    return list({rank(item): item for item in found.values()}.values())


def rank(value: Any) -> tuple[Any, ...]:
    """The same for the same values, and in their order."""
    if isinstance(value, bool):
        return 0, value
    if isinstance(value, int | float):
        return (2, 0) if math.isnan(value) else (1, value, isinstance(value, float))
    return (3, value) if isinstance(value, str) else (4, text(value))


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return str(*encode(value).values()) if isinstance(value, date) else json.dumps(value)


def selected(chunks: list[dict[str, Any]], selection: Selection | None) -> list[dict[str, Any]]:
    if selection is None:
        return chunks
    if selection.ids is not None:
        return [metadata for number, metadata in enumerate(chunks) if str(number) in selection.ids]
    assert selection.filter is not None
    return [metadata for metadata in chunks if matches(selection.filter, metadata)]


@given(chunks=_chunks, selection=_selections, search=st.none() | st.sampled_from(["a", "ss", "1", "E", "2020-01", ""]))
@settings(deadline=None)
def test_values_are_those_of_the_metadata(
    collection: LocalCollection, chunks: list[dict[str, Any]], selection: Selection | None, search: str | None
) -> None:
    fill(collection, chunks)
    for name in NAMES:
        counts: dict[Any, int] = {}
        known: dict[Any, Any] = {}
        for value in (value for metadata in selected(chunks, selection) for value in scalars(metadata, name)):
            known.setdefault(rank(value), value)
            counts[rank(value)] = counts.get(rank(value), 0) + 1
        assert collection.count_distinct([name], selection) == {name: len(counts)}
        wanted = sorted(key for key in known if (search or "").casefold() in text(known[key]).casefold())
        found, total = collection.field_values(name, selection, search=search)
        assert [(rank(item.value), item.chunks) for item in found] == [(key, counts[key]) for key in wanted]
        assert [type(item.value) for item in found] == [type(known[key]) for key in wanted]
        assert collection.field_values(name, selection, search=search, offset=1, limit=2) == (found[1:3], total)
        often, _ = collection.field_values(name, selection, search=search, order="count")
        assert [rank(item.value) for item in often] == sorted(wanted, key=lambda key: (-counts[key], key))


@given(chunks=_chunks, selection=_selections)
@settings(deadline=None)
def test_ranges_are_those_of_the_metadata(
    collection: LocalCollection, chunks: list[dict[str, Any]], selection: Selection | None
) -> None:
    fill(collection, chunks)
    for name in NAMES:
        by_chunk = [scalars(metadata, name) for metadata in selected(chunks, selection)]
        found = collection.field_range(name, selection)
        ordered, position = comparable([value for values in by_chunk for value in values])
        if not ordered:
            assert found is None
            continue
        assert found is not None
        for end, wanted in zip(found, (min(map(position, ordered)), max(map(position, ordered))), strict=True):
            equal = ([value for value in values if in_order(value, ordered, position, wanted)] for values in by_chunk)
            assert rank(end) in map(rank, next(filter(None, equal)))


def in_order(value: Any, ordered: list[Any], position: Callable[[Any], Any], wanted: Any) -> bool:
    return any(rank(value) == rank(other) for other in ordered) and position(value) == wanted


def comparable(values: list[Any]) -> tuple[list[Any], Callable[[Any], Any]]:
    """The values that have a range together, and what they are compared by."""
    if numbers := [value for value in values if rank(value)[0] == 1]:
        return numbers, lambda value: value
    texts = [value for value in values if isinstance(value, str)]
    if any(time_of(value) is None for value in texts):
        return texts, lambda value: value
    times = [value for value in values if isinstance(value, str | date)]
    everywhere = all(time_of(value).instant is not None for value in times)  # type: ignore[union-attr]
    return times, lambda value: time_of(value).instant if everywhere else time_of(value).wall  # type: ignore[union-attr]


@pytest.mark.parametrize("rows", [None, np.arange(1, 100)])
def test_counting_sorts_only_distinct_values(collection: LocalCollection, rows: npt.NDArray[np.int64] | None) -> None:
    """Each type of value is read from the index, where equal ones stand together."""
    with collection._database.reading() as connection:
        reader = field_values.FieldReader(connection, rows)
        query = f"EXPLAIN QUERY PLAN {reader._distinct('year')}"
        plan = [line for *_, line in connection.execute(query, {"key": "year", "rows": reader._rows})]
    runs = [line for line in plan if "facets" in line]
    assert len(runs) == 14
    assert all("USING COVERING INDEX facets_by_value (key=? AND type=?" in line for line in runs)
    assert len([line for line in plan if "TEMP B-TREE" in line]) == 1


def test_a_search_looks_at_each_value_once(collection: LocalCollection) -> None:
    fill(collection, [{"a": f"v{number % 3}"} for number in range(300)])
    seen: list[str] = []

    def text_of(_: int, value: str) -> str:
        seen.append(value)
        return value

    with collection._database.reading() as connection:
        connection.create_function("late_rag_text", 2, text_of)
        found, total = field_values.FieldReader(connection, None).values("a", "V2", "value", 0, 10)
        facets.prepare(connection)
    assert (found, total) == ([FieldValue("v2", 100)], 1)
    assert sorted(seen) == ["v0", "v1", "v2"]
