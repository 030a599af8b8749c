"""What a filter means: the predicate, on one chunk's metadata. Every engine's translation is measured against it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from late_rag.filters.fields import lookup, metadata_key
from late_rag.filters.parsing import parse
from late_rag.filters.tree import And, Condition, Filter, Not
from late_rag.filters.values import MISSING, Key, equal, given_keys, ordered, stored_keys

_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def matches(
    filter: Filter | Mapping[str, Any] | str,  # noqa: A002
    metadata: Mapping[str, Any],
    id: str | None = None,  # noqa: A002
    document_id: str | None = None,
    text: str | None = None,
    source: str | None = None,
) -> bool:
    """Whether a chunk with this metadata (and id, document, text, source) is meant by the filter.

    Raises:
        FilterError: the filter cannot be read.
    """
    built_in = {"$id": id, "$document_id": document_id, "$text": text, "$source": source}
    return _holds(parse(filter), metadata, built_in)


def _holds(filter: Filter, metadata: Mapping[str, Any], built_in: Mapping[str, str | None]) -> bool:  # noqa: A002
    if isinstance(filter, Condition):
        if filter.field in built_in:
            return _text_condition(filter, built_in[filter.field])
        return _condition(filter, lookup(metadata, metadata_key(filter.field)))
    if isinstance(filter, Not):
        return not _holds(filter.filter, metadata, built_in)
    combine = all if isinstance(filter, And) else any
    return combine(_holds(operand, metadata, built_in) for operand in filter.operands)


def _text_condition(condition: Condition, text: str | None) -> bool:
    """The built-in fields hold plain texts: none is a time, and none is a list."""
    name, given = condition.operator, condition.value
    if text is None:
        return _condition(condition, MISSING)
    if name in ("==", "!="):
        return (isinstance(given, str) and text == given) == (name == "==")
    if name in ("in", "not_in"):
        return (text in given) == (name == "in")
    if name in _ORDER:
        return isinstance(given, str) and _ORDER[name](text, given)
    return _condition(condition, text)


def _condition(condition: Condition, stored: Any) -> bool:
    negated = _NEGATED.get(condition.operator)
    if negated is not None:
        return not _TESTS[negated](stored, condition.value)
    return _TESTS[condition.operator](stored, condition.value)


def _equals(stored: Any, given: Any) -> bool:
    return given is None if stored is MISSING else equal(stored, given)


def _contains(stored: Any, given: Any) -> bool:
    return isinstance(stored, list) and any(equal(item, given) for item in stored)


def _in_order(holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda stored, given: ordered(stored, given, holds)


def _any(stored: Any, given: Any) -> bool:
    if not isinstance(stored, list):
        return False
    there = _keys(stored)
    return any(not there.isdisjoint(given_keys(value)) for value in given)


def _all(stored: Any, given: Any) -> bool:
    if not isinstance(stored, list):
        return False
    there = _keys(stored)
    return all(not there.isdisjoint(given_keys(value)) for value in given)


def _keys(stored: list[Any]) -> set[Key]:
    """All that is in the list is found by: both lists may be long."""
    return {key for item in stored for key in stored_keys(item)}


def _is_empty(stored: Any) -> bool:
    return stored is MISSING or stored is None or (isinstance(stored, str | list | dict) and not stored)


def like(text: str, pattern: str) -> bool:
    """SQL's LIKE, case kept: ``%`` is any run of characters, ``_`` any one; a backslash takes the next as it is."""
    return _like_pattern(pattern).fullmatch(text) is not None


@lru_cache(maxsize=64)
def _like_pattern(pattern: str) -> re.Pattern[str]:
    """Each part between two ``%`` is taken where it is first found, for good, so that no pattern is slow."""
    parts = [""]
    for sign in re.findall(r"\\.|.", pattern, re.DOTALL):
        if sign == "%":
            parts.append("")
        else:
            parts[-1] += "." if sign == "_" else re.escape(sign[-1])
    first, *rest = parts
    if not rest:
        return re.compile(first, re.DOTALL)
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return re.compile(f"{first}{middle}.*{rest[-1]}", re.DOTALL)


def contains_ignoring_case(text: str, part: str) -> bool:
    """Whether the part is in the text, both with case folded as Unicode says."""
    return part.casefold() in text.casefold()


def _on_texts(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda stored, given: isinstance(stored, str) and test(stored, given)


_NEGATED: Mapping[str, str] = {"!=": "==", "not_in": "in"}

_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": _equals,
    **{name: _in_order(holds) for name, holds in _ORDER.items()},
    "in": lambda stored, given: any(_equals(stored, value) for value in given),
    "contains": _contains,
    "any": _any,
    "all": _all,
    "matches": _on_texts(operator.contains),
    "imatches": _on_texts(contains_ignoring_case),
    "like": _on_texts(like),
    "exists": lambda stored, _: stored is not MISSING,
    "is_empty": lambda stored, _: _is_empty(stored),
}
