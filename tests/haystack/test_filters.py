"""Haystack's filters mean what Haystack's own predicate says, alone and in the collection."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from haystack.dataclasses import Document
from haystack.errors import FilterError as HaystackFilterError
from haystack.utils.filters import document_matches_filter
from hypothesis import given, settings
from hypothesis import strategies as st

from haystack_integrations.document_stores.late_rag import LateInteractionDocumentStore
from haystack_integrations.document_stores.late_rag.filters import field_name, to_filter
from late_rag import errors
from late_rag.filters import matches

ORDER = (">", ">=", "<", "<=")

_words = st.sampled_from(["", "red", "green", "Red", "grün"])
_numbers = st.sampled_from([-1, 0, 1, 2, 0.0, 1.0, 1.5, float("nan"), float("inf"), 2**53, 2**53 + 1])
_time_texts = st.sampled_from(
    [
        *("2020-01-01", "2020-01-01T00:00:00", "2020-01-01 00:00", "2020-01-01T01:00:00+01:00", "2020-01-01T00:00:00Z"),
        *("2020-01-02", "2019-12-31T23:59:59.999999", "2020-01-01T12:30:00.5-05:30", "2020-99-99"),
    ]
)
_whole_times = _time_texts.filter(lambda text: text != "2020-99-99")
_times = st.sampled_from(
    [
        datetime(2020, 1, 1),
        datetime(2020, 1, 1, tzinfo=UTC),
        datetime(2020, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime(2020, 1, 2, 3, 4, 5, 6),
    ]
)
_inner = _words | st.sampled_from([2, 2.0, 3]) | st.none()
_scalars = st.none() | st.booleans() | _numbers | _words | _time_texts | _times
_values = _scalars | st.lists(_inner, max_size=3) | st.dictionaries(st.sampled_from(["d", "e"]), _inner, max_size=2)
_meta = st.dictionaries(
    st.sampled_from(["a", "b", "c", "$e", "score"]),
    _values | st.dictionaries(st.sampled_from(["d", "e"]), _values, min_size=1, max_size=2),
    max_size=4,
)
_content = st.sampled_from([None, "red", "green"])
_documents = st.builds(
    lambda number, content, meta: Document(id=str(number), content=content, meta=meta),
    st.integers(0, 3),
    _content,
    _meta,
)

_fields = st.sampled_from(
    ["meta.a", "a", "meta.b", "b", "meta.c.d", "meta.c.e", "meta.c", "c.d", "$e", "meta.$e", "missing", "score"]
)
_conditions = st.one_of(
    st.builds(dict, field=_fields, operator=st.sampled_from(["==", "!="]), value=_values),
    st.builds(dict, field=_fields, operator=st.sampled_from(["in", "not in"]), value=st.lists(_values, max_size=3)),
    st.builds(
        dict,
        field=_fields,
        operator=st.sampled_from(ORDER),
        value=st.none() | st.booleans() | _numbers | _whole_times | _times,
    ),
    st.builds(dict, field=st.just("content"), operator=st.sampled_from(["==", "!="]), value=_content),
    st.builds(
        dict,
        field=st.just("content"),
        operator=st.sampled_from(["in", "not in"]),
        value=st.lists(_content, max_size=2),
    ),
    st.builds(
        dict, field=st.just("id"), operator=st.sampled_from(["==", "!="]), value=st.sampled_from(["0", "1", None, 1])
    ),
)
filters: st.SearchStrategy[dict[str, Any]] = st.recursive(
    _conditions,
    lambda inner: st.builds(
        dict, operator=st.sampled_from(["AND", "OR", "NOT"]), conditions=st.lists(inner, max_size=3)
    ),
    max_leaves=5,
)


def oracle(wanted: dict[str, Any], document: Document) -> bool | None:
    """What Haystack says; None where it raises, because of a value that the document happens to have."""
    try:
        return document_matches_filter(wanted, document)
    except (HaystackFilterError, TypeError):
        return None


@settings(max_examples=600, deadline=None)
@given(filters, st.lists(_documents, min_size=1, max_size=6))
def test_a_filter_means_what_haystack_says(wanted: dict[str, Any], documents: list[Document]) -> None:
    translated = to_filter(wanted)
    assert translated is not None
    for document in documents:
        expected = oracle(wanted, document)
        if expected is not None:
            found = matches(translated, document.meta, document.id, document.id, document.content or "")
            assert found == expected, document


EVERY_KIND: list[Any] = [
    *(None, True, False, 0, 1, 1.0, -0.5, 2**53 + 1, float("nan"), "", "red", "2020-99-99"),
    *("2020-01-01", "2020-01-01T00:00:00", "2020-01-01T00:00:00Z", "2020-01-01T01:00:00+01:00", "2020-01-02"),
    *(datetime(2020, 1, 1), datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2)),
    *([], ["red"], ["red", 2], {}, {"d": "red"}),
]


@pytest.mark.parametrize("operator", ["==", "!=", "in", "not in", *ORDER])
def test_every_kind_of_value_against_every_other(operator: str) -> None:
    compared = 0
    for value in EVERY_KIND:
        wanted = {"field": "meta.a", "operator": operator, "value": [value] if "in" in operator else value}
        expected = [oracle(wanted, Document(meta={"a": stored})) for stored in EVERY_KIND]
        try:
            translated = to_filter(wanted)
        except HaystackFilterError:
            assert operator in ORDER
            continue
        assert translated is not None
        for stored, matching in zip(EVERY_KIND, expected, strict=True):
            if matching is not None:
                compared += 1
                assert matches(translated, {"a": stored}) == matching, (stored, value)
    assert compared > (100 if operator in ORDER else 500)


META: list[dict[str, Any]] = [
    {},
    {"a": 1, "b": "2020-01-01"},
    {"a": 1.5, "b": "red"},
    {"a": True, "b": "2020-01-01T00:00:00Z"},
    {"a": None, "b": datetime(2020, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))},
    {"a": 0, "b": ["red", 2, None], "$e": 2},
    {"a": "green", "c": {"d": 2, "e": "grün"}},
    {"a": False, "c": {"d": "2020-01-02"}, "$e": "red"},
    {"a": float("nan"), "b": [], "c": {}},
    {"a": "", "b": datetime(2020, 1, 1), "c": {"d": None}, "score": 1},
    {"a": 2**53 + 1, "b": {"d": "red"}, "c": ["red"]},
]
DOCUMENTS = [
    Document(id=str(number), content=("red", "green", None)[number % 3], meta=meta) for number, meta in enumerate(META)
]


@pytest.fixture(scope="module")
def store() -> Iterator[LateInteractionDocumentStore]:
    made = LateInteractionDocumentStore()
    made.write_documents(DOCUMENTS)
    yield made
    made.close()


@settings(max_examples=300, deadline=None)
@given(wanted=filters)
def test_the_store_finds_what_haystack_says(store: LateInteractionDocumentStore, wanted: dict[str, Any]) -> None:
    expected = {document.id: oracle(wanted, document) for document in DOCUMENTS}
    found = {document.id for document in store.filter_documents(wanted)}
    certain = {name for name, matching in expected.items() if matching is not None}
    assert found & certain == {name for name in certain if expected[name]}


@settings(max_examples=300, deadline=None)
@given(
    st.builds(dict, field=_fields, operator=st.sampled_from(ORDER), value=_words | st.lists(_numbers, max_size=2))
    | st.builds(dict, field=_fields, operator=st.sampled_from(["in", "not in"]), value=_scalars)
)
def test_what_haystack_refuses_is_refused_without_documents(wanted: dict[str, Any]) -> None:
    with pytest.raises(HaystackFilterError) as raised:
        to_filter(wanted)
    assert isinstance(raised.value, errors.FilterError)
    with pytest.raises(HaystackFilterError):
        document_matches_filter({**wanted, "field": "meta.a"}, Document(meta={"a": 2}))


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({"field": "meta.a", "operator": "=", "value": 1}, "unknown comparison operator '='"),
        ({"field": "meta.a", "operator": ["=="], "value": 1}, "unknown comparison operator"),
        ({"operator": "and", "conditions": []}, "unknown logical operator 'and'; there are AND, OR, NOT"),
        ({"operator": "AND", "conditions": [{}]}, "'operator' key missing"),
        ({"operator": "AND", "conditions": {"field": "meta.a"}}, "takes a list of filters"),
        ({"operator": "OR", "conditions": ["meta.a"]}, "a filter as a dict, got 'meta.a'"),
        ({"field": "meta.a", "value": 1}, "'operator' key missing"),
        ({"year": 2020}, "'operator' key missing"),
        ({"field": 1, "operator": "==", "value": 1}, "takes the name of a field, got 1"),
        ({"field": "embedding", "operator": "==", "value": None}, "'embedding' cannot be filtered"),
        ({"field": "content", "operator": ">", "value": "2020-01-01"}, "in no order"),
        ({"field": "meta.a", "operator": "==", "value": {1, 2}}, "set cannot be stored"),
        ({"field": "meta.a", "operator": "==", "value": 2**64}, "64 bits"),
    ],
)
def test_what_is_no_filter_is_named(wanted: dict[str, Any], named: str) -> None:
    with pytest.raises(HaystackFilterError, match=named) as raised:
        to_filter(wanted)
    assert isinstance(raised.value, errors.FilterError)


def test_filters_may_not_be_too_deep() -> None:
    wanted: dict[str, Any] = {"field": "meta.a", "operator": "==", "value": 2}
    for _ in range(1000):
        wanted = {"operator": "NOT", "conditions": [wanted]}
    with pytest.raises(HaystackFilterError, match="20 levels"):
        to_filter(wanted)


def test_nothing_restricts_nothing() -> None:
    assert to_filter(None) is None
    assert to_filter({}) is None


def test_a_date_is_its_first_moment(store: LateInteractionDocumentStore) -> None:
    """As YAML reads one; Haystack's own predicate takes only texts and datetimes."""
    wanted = {"field": "meta.b", "operator": "<=", "value": date(2020, 1, 1)}
    assert [document.id for document in store.filter_documents(wanted)] == ["1", "3", "9"]


@pytest.mark.parametrize("value", ["2020-01-01", 2])
def test_a_value_of_another_kind_does_not_match(value: Any) -> None:
    """Haystack's own predicate raises, if it comes to see such a document."""
    for operator in ORDER:
        translated = to_filter({"field": "meta.a", "operator": operator, "value": value})
        assert translated is not None
        assert not any(matches(translated, {"a": stored}) for stored in ("red", "1000", ["2020"], {"d": 2}))


def test_a_forgotten_prefix_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        to_filter({"field": "person.name", "operator": "==", "value": "Ada"})
    assert "did you mean 'meta.person.name'?" in caplog.text


@pytest.mark.parametrize(("name", "expected"), [("a", "a"), ("meta.a.b", "a.b"), ("meta.$a", "$$a"), ("id", "id")])
def test_fields_of_the_metadata(name: str, expected: str) -> None:
    assert field_name(name) == expected
