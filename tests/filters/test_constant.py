"""Filters that say the same of everything, against what they say of documents."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from late_rag.filters import And, Condition, Filter, Not, Or, matches, parse
from late_rag.filters.constant import constant

LEAVES = st.sampled_from(
    [Condition("a", "in", []), Condition("a", "not_in", []), Condition("a", "==", 1), Condition("b", "not_in", [1, 2])]
)
FILTERS: st.SearchStrategy[Filter] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: And(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Or(tuple(parts))),
    ),
    max_leaves=8,
)
ALL: list[dict[str, Any]] = [{}, {"a": 1}, {"b": 1}, {"a": 1, "b": 2}, {"a": [1], "b": None}]


@given(FILTERS)
def test_what_is_constant_is_so_for_every_document(wanted: Filter) -> None:
    said = {matches(wanted, metadata) for metadata in ALL}
    expected = constant(wanted)
    assert expected is None or said == {expected}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a in []", False),
        ("not a in []", True),
        ("a in [] or b == 1", None),
        ("a in [] and b == 1", False),
        ("not a in [] or b == 1", True),
        ("not (a in [] and b == 1)", True),
        ("a == 1", None),
    ],
)
def test_forms(text: str, expected: bool | None) -> None:
    assert constant(parse(text)) is expected
