"""LangChain's dicts mean what a naive reading of them in Python says, alone and in a search of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document

from langchain_late_rag import LateInteractionVectorStore
from langchain_late_rag.filters import OPERATORS, to_filter
from late_rag.errors import FilterError
from late_rag.filters import And, Condition, F, Filter, Not, Or, matches, parse

MISSING = object()

_words = st.sampled_from(["", "a", "b", "ab", "abc", "B", "ä"])
_scalars = st.none() | st.booleans() | st.sampled_from([-1, 0, 1, 2, 1.0, 1.5]) | _words
_lists = st.lists(_scalars, max_size=3)
_ordered = st.sampled_from([-1, 0, 1, 2, 1.5]) | _words
_values = _scalars | _lists | st.dictionaries(st.sampled_from(["d", "e"]), _scalars, max_size=2)
_metadata = st.dictionaries(st.sampled_from(["a", "b", "c"]), _values, max_size=3)
_fields = st.sampled_from(["a", "b", "c", "c.d", "missing"])


def same(stored: Any, value: Any) -> bool:
    """Equality in which a bool is no number, also inside of lists and dicts."""
    if isinstance(stored, bool) or isinstance(value, bool):
        return stored is value
    if isinstance(stored, list) and isinstance(value, list):
        return len(stored) == len(value) and all(map(same, stored, value))
    if isinstance(stored, dict) and isinstance(value, dict):
        return stored.keys() == value.keys() and all(same(stored[key], value[key]) for key in value)
    return stored is not MISSING and stored == value


def equals(stored: Any, value: Any) -> bool:
    return (stored is MISSING and value is None) or same(stored, value)


def comparable(stored: Any, value: Any) -> bool:
    if isinstance(value, str):
        return isinstance(stored, str)
    return isinstance(stored, int | float) and not isinstance(stored, bool)


def has(stored: Any, value: Any) -> bool:
    return isinstance(stored, list) and any(same(item, value) for item in stored)


NAIVE: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": equals,
    "$ne": lambda stored, value: not equals(stored, value),
    "$gt": lambda stored, value: comparable(stored, value) and stored > value,
    "$gte": lambda stored, value: comparable(stored, value) and stored >= value,
    "$lt": lambda stored, value: comparable(stored, value) and stored < value,
    "$lte": lambda stored, value: comparable(stored, value) and stored <= value,
    "$between": lambda stored, ends: (
        all(comparable(stored, end) for end in ends) and ends[0] <= stored and stored <= ends[1]
    ),
    "$in": lambda stored, values: any(equals(stored, value) for value in values),
    "$nin": lambda stored, values: not any(equals(stored, value) for value in values),
    "$contains": has,
    "$any": lambda stored, values: any(has(stored, value) for value in values),
    "$all": lambda stored, values: isinstance(stored, list) and all(has(stored, value) for value in values),
    "$matches": lambda stored, part: isinstance(stored, str) and part in stored,
    "$imatches": lambda stored, part: isinstance(stored, str) and part.lower() in stored.lower(),
    "$like": lambda stored, start: isinstance(stored, str) and stored.startswith(start.removesuffix("%")),
    "$exists": lambda stored, wanted: (stored is not MISSING) == wanted,
    "$is_empty": lambda stored, wanted: (stored is MISSING or stored in (None, "", [], {})) == wanted,
}

_TAKES: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("$eq", "$ne", "$contains"), _scalars | _lists),
    **dict.fromkeys(("$gt", "$gte", "$lt", "$lte"), _ordered),
    "$between": st.lists(_ordered, min_size=2, max_size=2),
    **dict.fromkeys(("$in", "$nin", "$any", "$all"), _lists),
    **dict.fromkeys(("$matches", "$imatches"), _words),
    "$like": _words.map(lambda word: f"{word}%"),
    **dict.fromkeys(("$exists", "$is_empty"), st.booleans()),
}

_operators = st.sampled_from(sorted(_TAKES)).flatmap(lambda name: st.tuples(st.just(name), _TAKES[name]))
_operator_dicts = st.lists(_operators, min_size=1, max_size=2).map(dict)
_conditions = st.dictionaries(
    _fields,
    _scalars | _operator_dicts | st.builds(lambda inner: {"$not": inner}, _operator_dicts),
    min_size=1,
    max_size=2,
)
_core = st.builds(
    lambda field, operator, value: {"field": field, "op": operator, "value": value},
    _fields,
    st.sampled_from(["==", "!="]),
    _scalars,
)
filters = st.recursive(
    _conditions | _core,
    lambda inner: st.one_of(
        st.builds(
            lambda name, parts: {name: parts},
            st.sampled_from(["$and", "$or", "$nor", "and", "or"]),
            st.lists(inner, min_size=1, max_size=3),
        ),
        st.builds(lambda name, part: {name: part}, st.sampled_from(["$not", "not"]), inner),
        st.builds(lambda parts, more: {"$or": parts} | more, st.lists(inner, min_size=1, max_size=2), _conditions),
    ),
    max_leaves=5,
)


def naive(wanted: dict[str, Any], metadata: dict[str, Any]) -> bool:
    if "op" in wanted:
        return equals(value_of(wanted["field"], metadata), wanted["value"]) == (wanted["op"] == "==")
    return all(naive_entry(key, value, metadata) for key, value in wanted.items())


def naive_entry(key: str, value: Any, metadata: dict[str, Any]) -> bool:
    match key.removeprefix("$"):
        case "and":
            return all(naive(part, metadata) for part in value)
        case "or":
            return any(naive(part, metadata) for part in value)
        case "nor":
            return not any(naive(part, metadata) for part in value)
        case "not":
            return not naive(value, metadata)
    return naive_condition(value_of(key, metadata), value)


def naive_condition(stored: Any, value: Any) -> bool:
    if not isinstance(value, dict):
        return equals(stored, value)
    return all(
        not naive_condition(stored, operand) if name == "$not" else NAIVE[name](stored, operand)
        for name, operand in value.items()
    )


def value_of(field: str, metadata: dict[str, Any]) -> Any:
    if field == "c.d":
        inner = metadata.get("c")
        return inner.get("d", MISSING) if isinstance(inner, dict) else MISSING
    return metadata.get(field, MISSING)


@settings(max_examples=600, deadline=None)
@given(filters, st.lists(_metadata, min_size=1, max_size=8))
def test_a_dict_means_what_it_naively_says(wanted: dict[str, Any], documents: list[dict[str, Any]]) -> None:
    translated = to_filter(wanted)
    assert translated is not None
    for metadata in documents:
        assert matches(translated, metadata) == naive(wanted, metadata), metadata


def test_every_operator_has_a_naive_definition() -> None:
    assert OPERATORS.keys() == NAIVE.keys() == _TAKES.keys()


METADATA: list[dict[str, Any]] = [
    {},
    {"a": 1},
    {"a": 1.5, "b": "a"},
    {"a": True, "b": ""},
    {"a": None, "b": "abc"},
    {"a": "ab", "b": ["a", 1, None]},
    {"a": "B", "b": [], "c": {"d": 2, "e": "ä"}},
    {"b": -1, "c": {"d": "ab"}},
    {"a": 0, "b": [True], "c": {}},
    {"a": 2, "b": "ä", "c": {"d": None}},
]


@pytest.fixture(scope="module")
def store() -> Iterator[LateInteractionVectorStore]:
    with LateInteractionVectorStore() as made:
        made.add_documents([Document(page_content="passage", metadata=item) for item in METADATA], ids=IDS)
        yield made


IDS = [str(number) for number in range(len(METADATA))]


@settings(max_examples=100, deadline=None)
@given(wanted=filters)
def test_a_search_finds_what_a_dict_naively_says(store: LateInteractionVectorStore, wanted: dict[str, Any]) -> None:
    found = {document.id for document in store.similarity_search("passage", k=100, filter=wanted)}
    assert found == {name for name, metadata in zip(IDS, METADATA, strict=True) if naive(wanted, metadata)}


_core_filters: st.SearchStrategy[Filter] = st.recursive(
    st.builds(Condition, _fields, st.sampled_from(["==", "!=", "contains"]), _values)
    | st.builds(Condition, _fields, st.sampled_from(["exists", "is_empty"])),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Or(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(_core_filters)
def test_the_cores_own_forms_stay_what_they_are(wanted: Filter) -> None:
    assert to_filter(wanted) == to_filter(str(wanted)) == to_filter(wanted.to_dict()) == wanted


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"year": 2020}, 'year == 2020'),
        ({"year": {"$gte": 2020, "$lt": 2024}}, "year >= 2020 and year < 2024"),
        ({"year": 2020, "lang": {"$nin": ["de"]}}, 'year == 2020 and lang not in ["de"]'),
        ({"$or": [{"year": 2020}, F("lang") == "en"]}, 'year == 2020 or lang == "en"'),
        ({"and": [{"a": 1}, {"field": "b", "op": "exists"}]}, "a == 1 and b exists"),
        ({"$not": {"a": {"$exists": False}}}, "not (not (a exists))"),
        ({"a": {"$not": {"$gt": 1, "$lt": 9}}}, "not (a > 1 and a < 9)"),
        ({"$source": {"$like": "%.pdf"}}, '`$source` like "%.pdf"'),
        ({"$$price": 3}, "`$$price` == 3"),
        ({"size": {"w": 1}}, 'size == {"w": 1}'),
        ({"size": {"$eq": {"gte": 1}}}, 'size == {"gte": 1}'),
        ({"field": "biology"}, 'field == "biology"'),
        ({"value": 3, "op": "+"}, 'value == 3 and op == "+"'),
        (None, None),
    ],
)  # fmt: skip
def test_forms(given: Any, meant: str | None) -> None:
    assert to_filter(given) == (None if meant is None else parse(meant))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "at least one key"),
        ({"$or": [{}]}, "at least one key"),
        ({"year": {"$regex": "a"}}, r"year: unknown operator '\$regex'.*\$gte.*\$not"),
        ({"year": {"$gte": 1, "lt": 2}}, "year: unknown operator 'lt'"),
        ({"year": {"gte": 2020}}, r"operators start with \$: \$gte"),
        ({"$xor": [{"a": 1}]}, r"unknown operator '\$xor'"),
        ({"lang": ["en", "de"]}, r"lang: a list alone.*\$in"),
        ({"$and": []}, "at least one filter"),
        ({"$or": {"a": 1}}, "takes a list"),
        ({"$and": [3]}, "expected a filter as a dict"),
        ({"a": {"$in": "en"}}, "takes a list"),
        ({"a": {"$between": [1]}}, "least and the greatest"),
        ({"a": {"$exists": 1}}, "true or false"),
        ({"a": {"$not": 3}}, "takes a dict of operators"),
        ({"a": {"$not": {}}}, "takes a dict of operators"),
        ({"a": {"$gt": None}}, "takes a number"),
        ({"field": "a", "value": 1}, '"field", "op"'),
        ({"field": "a", "op": "~", "value": 1}, "unknown operator '~'"),
        ({3: 1}, "name is a string"),
        (3, "a filter is a text, a dict"),
        (lambda document: True, "a filter is a text, a dict"),
        ("year >=", "expected a value"),
    ],
)
def test_what_is_no_filter_says_why(given: Any, message: str) -> None:
    with pytest.raises(FilterError, match=message):
        to_filter(given)


@pytest.mark.parametrize("wrapped", [lambda inner: {"$not": inner}, lambda inner: {"$and": [inner]}])
def test_a_filter_too_deep_is_an_error(wrapped: Callable[[Any], Any]) -> None:
    wanted: dict[str, Any] = {"a": 1}
    for _ in range(5_000):
        wanted = wrapped(wanted)
    with pytest.raises(FilterError, match="20 levels"):
        to_filter(wanted)


def test_operators_nested_too_deep_are_an_error() -> None:
    operators: dict[str, Any] = {"$gt": 1}
    for _ in range(5_000):
        operators = {"$not": operators}
    with pytest.raises(FilterError, match="20 levels"):
        to_filter({"a": operators})


def test_what_was_given_stays_as_it_is() -> None:
    given = {"$or": [{"a": {"$in": [1, 2]}}, {"b": 1}]}
    to_filter(given)
    assert given == {"$or": [{"a": {"$in": [1, 2]}}, {"b": 1}]}
