"""What components are given in lists, checked before anything is done with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from late_rag.errors import InputError
from late_rag.metadata import MAX_DEPTH
from late_rag.retriever.inputs import shown

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
