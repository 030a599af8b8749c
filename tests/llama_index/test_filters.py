"""LlamaIndex's filters mean what LlamaIndex's own in-memory store makes of them, alone and in a collection."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.utils import build_metadata_filter_fn

from late_rag import Chunk, Retriever, Selection
from late_rag.errors import FilterError
from late_rag.filters import F, matches, parse
from late_rag.testing import HashEncoder
from llama_index.retrievers.late_rag.filters import to_filter
from llama_index.vector_stores.late_rag import LateInteractionVectorStore

ORDER = {FilterOperator.GT, FilterOperator.GTE, FilterOperator.LT, FilterOperator.LTE}
LISTS = {FilterOperator.IN, FilterOperator.NIN, FilterOperator.ANY, FilterOperator.ALL}
ELEMENTS = {FilterOperator.CONTAINS, FilterOperator.ANY, FilterOperator.ALL}
TEXTS = {FilterOperator.TEXT_MATCH, FilterOperator.TEXT_MATCH_INSENSITIVE}

_words = st.sampled_from(["", "a", "b", "ab", "abc", "B", "ä", "Ä", "1"])
_integers = st.sampled_from([-1, 0, 1, 2])
_floats = st.sampled_from([-0.0, 0.5, 1.0, 1.5, float("inf")])
_scalars = st.none() | st.booleans() | _integers | _floats | _words
_lists = st.lists(_scalars | st.lists(_words, max_size=2), max_size=3)
_stored = _scalars | _lists | st.dictionaries(st.sampled_from(["a", "d"]), _scalars, max_size=2)
_metadata = st.dictionaries(st.sampled_from(["a", "b", "c", "$c"]), _stored, max_size=4)
_value_lists = st.lists(_words, max_size=3) | st.lists(_integers, max_size=3) | st.lists(_floats, max_size=3)
_values = st.none() | _integers | _floats | _words | _value_lists
_keys = st.sampled_from(["a", "b", "c", "$c", "missing"])

_any_condition = st.builds(MetadataFilter, key=_keys, value=_values, operator=st.sampled_from(FilterOperator))


def refused(wanted: MetadataFilter) -> bool:
    """Whether the operator can be given no such value, whatever is stored."""
    if wanted.operator in LISTS:
        return not isinstance(wanted.value, list)
    if wanted.operator in TEXTS:
        return not isinstance(wanted.value, str)
    return wanted.operator in ORDER and (wanted.value is None or isinstance(wanted.value, list))


_conditions = _any_condition.filter(lambda wanted: not refused(wanted))
_joiners = st.sampled_from([*FilterCondition, None])
_flat = st.builds(MetadataFilters, filters=st.lists(_conditions, max_size=3), condition=_joiners)
_nested = st.recursive(
    _conditions,
    lambda inner: st.builds(MetadataFilters, filters=st.lists(inner, max_size=3), condition=_joiners),
    max_leaves=5,
)


def oracle(wanted: MetadataFilters | MetadataFilter, metadata: dict[str, Any]) -> bool:
    """LlamaIndex's own function, which takes flat filters alone: asked for each, and for what joins them."""
    if isinstance(wanted, MetadataFilter):
        return oracle(MetadataFilters(filters=[wanted]), metadata)
    if not any(isinstance(part, MetadataFilters) for part in wanted.filters):
        return build_metadata_filter_fn(lambda _: metadata, wanted)("id")
    outcomes = {str(place): int(oracle(part, metadata)) for place, part in enumerate(wanted.filters)}
    hold = [MetadataFilter(key=key, value=1) for key in outcomes]
    return oracle(MetadataFilters(filters=hold, condition=wanted.condition), outcomes)


def dropped(wanted: MetadataFilters | MetadataFilter, metadata: dict[str, Any]) -> bool:
    """What is not measured: keys of a dict as its elements, and [True] as equal to [1]."""
    if isinstance(wanted, MetadataFilters):
        return any(dropped(part, metadata) for part in wanted.filters)
    stored = metadata.get(wanted.key)
    if isinstance(stored, dict):
        return wanted.operator in ELEMENTS
    whole = wanted.operator in (FilterOperator.EQ, FilterOperator.NE) and isinstance(wanted.value, list)
    return whole and isinstance(stored, list) and any(isinstance(item, bool) for item in stored)


def measured(wanted: MetadataFilters | MetadataFilter, metadata: dict[str, Any]) -> bool | None:
    """What the oracle says; None where it fails on what is stored."""
    try:
        expected = oracle(wanted, metadata)
    except TypeError:
        return None
    return None if dropped(wanted, metadata) else expected


def meant(wanted: MetadataFilters | MetadataFilter, metadata: dict[str, Any]) -> bool:
    translated = to_filter(wanted)
    return translated is None or matches(translated, metadata)


@settings(max_examples=600, deadline=None)
@given(_flat, st.lists(_metadata, min_size=1, max_size=8))
def test_flat_filters_mean_what_the_oracle_says(wanted: MetadataFilters, nodes: list[dict[str, Any]]) -> None:
    for metadata in nodes:
        expected = measured(wanted, metadata)
        assert expected is None or meant(wanted, metadata) == expected, metadata


@settings(max_examples=300, deadline=None)
@given(_nested, st.lists(_metadata, min_size=1, max_size=8))
def test_nested_filters_mean_what_the_oracle_says(
    wanted: MetadataFilters | MetadataFilter, nodes: list[dict[str, Any]]
) -> None:
    for metadata in nodes:
        expected = measured(wanted, metadata)
        assert expected is None or meant(wanted, metadata) == expected, metadata


@pytest.mark.parametrize("name", FilterOperator)
@settings(max_examples=150, deadline=None)
@given(data=st.data(), metadata=_metadata)
def test_each_operator_means_what_the_oracle_says(
    name: FilterOperator, data: st.DataObject, metadata: dict[str, Any]
) -> None:
    wanted = MetadataFilter(key=data.draw(_keys), value=data.draw(_values), operator=name)
    if refused(wanted):
        with pytest.raises(FilterError, match=r"takes a (list|text|number)"):
            to_filter(wanted)
        return
    expected = measured(wanted, metadata)
    assert expected is None or meant(wanted, metadata) == expected


METADATA: list[dict[str, Any]] = [
    {},
    {"a": 1, "$c": 1},
    {"a": 1.5, "b": "a"},
    {"a": True, "b": ""},
    {"a": None, "b": "abc"},
    {"a": "ab", "b": ["a", 1, None]},
    {"a": "B", "b": [], "c": {"d": 2}},
    {"b": -1, "c": "Ä"},
    {"a": 0, "b": [True, False], "c": {}},
    {"a": 2, "b": "ä", "c": [0.5, "ab"]},
]


@pytest.fixture(scope="module")
def retriever() -> Iterator[Retriever]:
    with Retriever.create(None, "minilm", chunking="whole") as made:
        made.add([Chunk(str(place), str(place), "passage", metadata=item) for place, item in enumerate(METADATA)])
        yield made


@settings(max_examples=300, deadline=None)
@given(wanted=_nested)
def test_a_collection_finds_what_the_oracle_says(
    retriever: Retriever, wanted: MetadataFilters | MetadataFilter
) -> None:
    selection = Selection(filter=to_filter(wanted))
    found = {chunk.id for batch in retriever.collection.iterate(selection) for chunk, _ in batch}
    for place, metadata in enumerate(METADATA):
        expected = measured(wanted, metadata)
        assert expected is None or (str(place) in found) == expected, metadata


@pytest.mark.parametrize(
    ("key", "name", "value", "text"),
    [
        ("year", "==", 2020, "year in [2020]"),
        ("flag", "==", 1, "flag in [1, true]"),
        ("lang", "!=", "en", 'not (lang in ["en"])'),
        ("year", ">=", 2020, "year >= 2020"),
        ("lang", "<", "f", 'lang < "f"'),
        ("lang", "in", ["en", "de"], 'lang in ["en", "de"]'),
        ("lang", "nin", ["en"], 'lang not in ["en"]'),
        ("tags", "contains", "a", 'tags any ["a"] or tags matches "a"'),
        ("tags", "any", [2, 3], "tags any [2, 3]"),
        ("name", "text_match", "Art", 'name matches "Art"'),
        ("name", "text_match_insensitive", "art", 'name imatches "art"'),
        ("name", "is_empty", None, 'name in [null, "", []]'),
        ("$source", "text_match", ".pdf", '`$source` matches ".pdf"'),
        ("$price", "==", 3, "`$$price` in [3]"),
        ("$$id", "==", 3, "`$$id` in [3]"),
        ("size.w", "==", 3, "size.w in [3]"),
    ],
)
def test_forms(key: str, name: str, value: Any, text: str) -> None:
    wanted = MetadataFilter(key=key, operator=FilterOperator(name), value=value)
    assert to_filter(wanted) == to_filter(MetadataFilters(filters=[wanted])) == parse(text)


def test_times_compare_as_times() -> None:
    wanted = MetadataFilter(key="day", operator=FilterOperator.GTE, value="2024-05-01")
    translated = to_filter(wanted)
    assert translated is not None
    days = [date(2024, 5, 1), datetime(2024, 5, 1, 8, tzinfo=UTC), "2024-05-01T00:00:00", date(2024, 4, 30), 20240501]
    assert [matches(translated, {"day": day}) for day in days] == [True, True, True, False, False]


def test_what_the_core_reads_is_taken_as_it_is() -> None:
    wanted = (F("year") >= 2020) & ~F("lang").in_(["en"])
    assert to_filter(wanted) == to_filter(str(wanted)) == to_filter(wanted.to_dict()) == wanted


def test_no_filter_restricts_nothing() -> None:
    assert to_filter(None) is None
    assert to_filter(MetadataFilters(filters=[])) is None
    assert to_filter(MetadataFilters(filters=[], condition=FilterCondition.NOT)) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "filter"),
        (3, "filter"),
        ("year >=", "expected a value"),
        (MetadataFilter(key="a", operator=FilterOperator.IN, value="en"), r"a in takes a list, got 'en'"),
        (MetadataFilter(key="a", operator=FilterOperator.ALL, value="en"), r"a all takes a list, got 'en'"),
        (MetadataFilter(key="a", operator=FilterOperator.GT, value=None), "a > takes a number"),
        (MetadataFilter(key="a", operator=FilterOperator.TEXT_MATCH, value=1), "a matches takes a text"),
    ],
)
def test_what_is_no_filter_says_why(given: Any, message: str) -> None:
    with pytest.raises(FilterError, match=message):
        to_filter(given)


def test_a_filter_too_deep_is_an_error() -> None:
    wanted = MetadataFilters(filters=[MetadataFilter(key="a", value=1)])
    for _ in range(500):
        wanted = MetadataFilters(filters=[wanted], condition=FilterCondition.NOT)
    with pytest.raises(FilterError, match="20 levels"):
        to_filter(wanted)


def test_what_was_given_stays_as_it_is() -> None:
    given = MetadataFilters(filters=[MetadataFilter(key="a", operator=FilterOperator.IN, value=[0, 1])])
    to_filter(given)
    assert given == MetadataFilters(filters=[MetadataFilter(key="a", operator=FilterOperator.IN, value=[0, 1])])


def test_fields_of_the_collection_match(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    file = tmp_path / "files" / "yard.txt"
    file.write_text("Bicycles stand in the yard")
    location = tmp_path / "c.rag"
    with Retriever.create(location, HashEncoder()) as writer:
        writer.sync(file.parent)
        writer.add([Chunk("n1", "d1", "Travel by train", metadata={"$id": "own"})])
    store = LateInteractionVectorStore(location, mode="read")
    for key, wanted, other in (
        ("$id", "n1", "own"),
        ("$$id", "own", "n1"),
        ("$document_id", "d1", "n1"),
        ("$text", "Travel by train", "travel by train"),
        ("$source", str(file), str(file.parent)),
    ):
        text = "Bicycles stand in the yard" if key == "$source" else "Travel by train"
        for name in (FilterOperator.EQ, FilterOperator.CONTAINS, FilterOperator.LTE):
            assert [node.get_content() for node in store.get_nodes(filters=only(key, name, wanted))][-1:] == [text]
        assert store.get_nodes(filters=only(key, FilterOperator.EQ, other)) == []
        assert len(store.get_nodes(filters=only(key, FilterOperator.NE, wanted))) == 1


def only(key: str, name: FilterOperator, value: Any) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key=key, operator=name, value=value)])
