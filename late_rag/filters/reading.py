"""The text form of filters, read: ``year >= 2020 and not (lang in ["en", "de"])``.

    filter     = all { "or" all }
    all        = one { "and" one }
    one        = "not" one | "(" filter ")" | condition
    condition  = field operator [ value ]
    value      = text | number | date | datetime | true | false | null | nan | inf | list | dict

Words that mean something (``and``, ``in``, ``true``, …) may be written in capitals. Fields with other signs than
letters, digits, ``_``, ``.`` and ``-`` stand between backticks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from late_rag.errors import FilterError
from late_rag.filters.lexing import Token, tokens
from late_rag.filters.operators import OPERATORS, Operator
from late_rag.filters.tree import MAX_DEPTH, And, Condition, Filter, Not, Or
from late_rag.metadata import MAX_DEPTH as MAX_VALUE_DEPTH

_WORDS: Mapping[str, Any] = {
    "true": True,
    "false": False,
    "null": None,
    "none": None,
    "nan": math.nan,
    "inf": math.inf,
}
_MAX_BRACKETS = 4 * MAX_DEPTH
_SHOWN = 60


def read(text: str) -> Filter:
    """The filter that a text stands for.

    Raises:
        FilterError: says at which character the text stops to make sense, and what there could be.
    """
    if not text.strip():
        raise FilterError("the filter is empty; write one such as 'year >= 2020 and topic == \"x\"'")
    return _Reader(tokens(text)).whole()


def _cut(text: str) -> str:
    """A word as an error shows it."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


class _Reader:
    """Recursive descent; each method reads one rule of the grammar."""

    def __init__(self, found: list[Token]) -> None:
        self._tokens = found
        self._next = 0
        self._depth = 0

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._token
        self._next += 1
        return token

    def _take_word(self, word: str) -> bool:
        if self._token.kind != "name" or self._token.text.lower() != word:
            return False
        self._next += 1
        return True

    def _take_mark(self, mark: str) -> bool:
        if self._token.kind != "mark" or self._token.text != mark:
            return False
        self._next += 1
        return True

    def _expect(self, mark: str) -> None:
        if not self._take_mark(mark):
            raise self._wanted(f"{mark!r}")

    def _wanted(self, what: str) -> FilterError:
        token = self._token
        found = f"{_cut(token.text)} at character {token.place}" if token.kind != "end" else "the end of the filter"
        return FilterError(f"expected {what}, found {found}")

    def whole(self) -> Filter:
        result = self._any()
        if self._token.kind != "end":
            raise self._wanted("`and`, `or` or the end")
        return result

    def _any(self) -> Filter:
        operands = [self._all()]
        while self._take_word("or"):
            operands.append(self._all())
        return Or(tuple(operands)) if len(operands) > 1 else operands[0]

    def _all(self) -> Filter:
        operands = [self._one()]
        while self._take_word("and"):
            operands.append(self._one())
        return And(tuple(operands)) if len(operands) > 1 else operands[0]

    def _one(self) -> Filter:
        self._depth += 1
        if self._depth > _MAX_BRACKETS:
            raise FilterError(f"more than {_MAX_BRACKETS} brackets are open at character {self._token.place}")
        if self._take_word("not"):
            result: Filter = Not(self._one())
        elif self._take_mark("("):
            result = self._any()
            self._expect(")")
        else:
            result = self._condition()
        self._depth -= 1
        return result

    def _condition(self) -> Filter:
        if self._token.kind not in ("name", "quoted") or self._token.text.lower() in ("and", "or"):
            raise self._wanted("the name of a field")
        field = self._take()
        operator = self._operator(field)
        value = None if operator.takes == "nothing" else self._value(operator, MAX_VALUE_DEPTH)
        try:
            return Condition(field.text if field.kind == "name" else field.value, operator.name, value)
        except FilterError as error:
            raise FilterError(f"{error} (at character {field.place})") from None

    def _operator(self, field: Token) -> Operator:
        if self._token.kind not in ("name", "operator"):
            raise self._wanted(f"an operator after {_cut(field.text)}")
        token = self._take()
        name = token.text.lower()
        if name == "not" and self._take_word("in"):
            name = "not_in"
        if name not in OPERATORS:
            known = ", ".join(OPERATORS)
            raise FilterError(f"unknown operator {_cut(token.text)!r} at character {token.place}; there are {known}")
        return OPERATORS[name]

    def _value(self, operator: Operator, depth: int) -> Any:
        if depth <= 0:
            raise FilterError(f"more than {MAX_VALUE_DEPTH} lists and dicts are open at character {self._token.place}")
        if self._token.kind == "literal":
            return self._take().value
        if self._take_mark("["):
            return self._items(operator, depth - 1)
        if self._take_mark("{"):
            return dict(self._pairs(operator, depth - 1))
        if self._token.kind == "name" and self._token.text.lower() in _WORDS:
            return _WORDS[self._take().text.lower()]
        if self._token.kind == "name":
            raise self._wanted(f'a value after {operator.text} (a text stands in quotes: "{_cut(self._token.text)}")')
        raise self._wanted(f"a value after {operator.text}")

    def _items(self, operator: Operator, depth: int) -> list[Any]:
        items: list[Any] = []
        while not self._take_mark("]"):
            if items:
                self._expect_comma("]")
            items.append(self._value(operator, depth))
        return items

    def _pairs(self, operator: Operator, depth: int) -> list[tuple[str, Any]]:
        pairs: list[tuple[str, Any]] = []
        while not self._take_mark("}"):
            if pairs:
                self._expect_comma("}")
            if not isinstance(self._token.value, str) or self._token.kind != "literal":
                raise self._wanted("a key in quotes")
            key = self._take().value
            self._expect(":")
            pairs.append((key, self._value(operator, depth)))
        return pairs

    def _expect_comma(self, closing: str) -> None:
        if not self._take_mark(","):
            raise self._wanted(f"',' or {closing!r}")
