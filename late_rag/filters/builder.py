"""Filters in Python: ``F("year") >= 2020``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from late_rag.errors import FilterError
from late_rag.filters.operators import check_field
from late_rag.filters.tree import Condition, Filter


class F:
    """A field to compare; each comparison is a :class:`Filter`.

    ``(F("year") >= 2020) & ~F("lang").in_(["en", "de"])``. A bare name is a metadata key, dots descend into dicts;
    ``$id``, ``$document_id``, ``$text`` and ``$source`` are the rest.

    Raises:
        FilterError: there is no such ``$`` field.
    """

    __slots__ = ("name",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, name: str) -> None:
        check_field(name)
        self.name = name

    def __eq__(self, value: object) -> Filter:  # type: ignore[override]
        return Condition(self.name, "==", value)

    def __ne__(self, value: object) -> Filter:  # type: ignore[override]
        return Condition(self.name, "!=", value)

    def __gt__(self, value: Any) -> Filter:
        return Condition(self.name, ">", value)

    def __ge__(self, value: Any) -> Filter:
        return Condition(self.name, ">=", value)

    def __lt__(self, value: Any) -> Filter:
        return Condition(self.name, "<", value)

    def __le__(self, value: Any) -> Filter:
        return Condition(self.name, "<=", value)

    def in_(self, values: Iterable[Any]) -> Filter:
        """Equals one of the values."""
        return Condition(self.name, "in", _listed(values))

    def not_in(self, values: Iterable[Any]) -> Filter:
        """Equals none of the values."""
        return Condition(self.name, "not_in", _listed(values))

    def contains(self, value: Any) -> Filter:
        """Is a list with an element that equals the value."""
        return Condition(self.name, "contains", value)

    def any(self, values: Iterable[Any]) -> Filter:
        """Is a list that contains at least one of the values."""
        return Condition(self.name, "any", _listed(values))

    def all(self, values: Iterable[Any]) -> Filter:
        """Is a list that contains each of the values."""
        return Condition(self.name, "all", _listed(values))

    def matches(self, part: str, *, ignore_case: bool = False) -> Filter:
        """Is a text with this part in it."""
        return Condition(self.name, "imatches" if ignore_case else "matches", part)

    def like(self, pattern: str) -> Filter:
        """Is a text of this pattern: ``%`` is any run of characters, ``_`` any one; a backslash makes them plain."""
        return Condition(self.name, "like", pattern)

    def exists(self) -> Filter:
        """Is there, be it with the value None."""
        return Condition(self.name, "exists")

    def is_empty(self) -> Filter:
        """Is missing, None, or an empty text, list or dict."""
        return Condition(self.name, "is_empty")

    def __bool__(self) -> NoReturn:
        raise FilterError(f"{self!r} alone is no condition; compare it, or write {self!r}.exists()")

    def __repr__(self) -> str:
        return f"F({self.name!r})"


def _listed(values: Iterable[Any]) -> Any:
    """A list of any iterable; a text or dict stays, for the error that names it."""
    return values if isinstance(values, str | bytes | dict) or not isinstance(values, Iterable) else list(values)
