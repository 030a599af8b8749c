"""Front matter: the block of YAML (``---``) or TOML (``+++``) that a Markdown file may begin with.

A block is front matter only if it is a mapping; text between two rules is text. As in Pandoc, no blank line follows
the first rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from late_rag.errors import InputError
from late_rag.metadata import MAX_DEPTH, check_value

MOST_CHARACTERS = 1 << 18
"""Of a block: one whose end is not found in as many is text."""

MOST_VALUES = 10_000
"""Of a block, counting what aliases repeat: none of more are kept."""

_CLOSING = {
    "---": re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE),
    "+++": re.compile(r"^\+\+\+[ \t]*$", re.MULTILINE),
}
_DEEP_KEY = re.compile(rf"""(?<![\w"'-])(?:[\w"'-]+[ \t]*\.[ \t]*){{{MAX_DEPTH}}}""")
_LONGEST_NUMBER = 30


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What a block says, and where the text below it begins.

    ``problem`` says why its values are left out, where they are.
    """

    end: int
    values: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None


def front_matter(text: str) -> FrontMatter | None:
    """The front matter of a text, with the values that metadata can hold; None if it has none."""
    head = text[:MOST_CHARACTERS]
    mark, start = _opening(head)
    closing = _CLOSING[mark].search(head, start) if mark else None
    if closing is None:
        return None
    end = min(closing.end() + 1, len(text))
    try:
        values = _mapping(mark, head[start : closing.start()])
        return None if values is None else FrontMatter(end, _stored(values, _Budget(MOST_VALUES), MAX_DEPTH))
    except _TooMuchError as error:
        return FrontMatter(end, problem=f"the values of its front matter: {error}")


def _opening(head: str) -> tuple[str, int]:
    """The mark that the first line is, and where the line below it begins; no mark if this is no front matter."""
    start = len(head) - len(head.lstrip())
    line, _, below = head[start:].partition("\n")
    mark = line.rstrip()
    next_line, _, _ = below.partition("\n")
    indented = start > 0 and head[start - 1] != "\n"
    if mark not in _CLOSING or indented or not next_line.strip():
        return "", 0
    return mark, start + len(line) + 1


def _mapping(mark: str, block: str) -> Mapping[Any, Any] | None:
    """What a block holds; None if it cannot be read or is no mapping."""
    if not block:
        return {}
    try:
        value = _read_yaml(block) if mark == "---" else _read_toml(block)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, Mapping) else None


def _read_toml(block: str) -> Any:
    import tomllib

    if _DEEP_KEY.search(block):  # tomllib's time and memory grow with the square of a key's parts
        raise _TooMuchError(f"they are nested more than {MAX_DEPTH} deep")
    return tomllib.loads(block)


def _read_yaml(block: str) -> Any:
    import yaml

    try:
        _check_depth(block)
        return yaml.load(block, Loader=_yaml_loader())  # noqa: S506 - a subclass of the safe loader
    except (yaml.YAMLError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(str(error)) from error


def _check_depth(block: str) -> None:
    """Libyaml's composer calls itself for each level, and ends the process where there are too many."""
    import yaml

    depth = 0
    for event in yaml.parse(block, Loader=_yaml_loader()):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _TooMuchError(f"they are nested more than {MAX_DEPTH} deep")


@cache
def _yaml_loader() -> Any:
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the C one where there is one
        """Keys are texts as they are written; what only looks like a number or date stays a text."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:  # noqa: ARG002
            named = [(key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]
            return {key.value: self.construct_object(value, deep=True) for key, value in named}

        def construct_number(self, node: Any) -> Any:
            return self._plain(self.construct_yaml_int, node) if len(node.value) <= _LONGEST_NUMBER else node.value

        def construct_date(self, node: Any) -> Any:
            return self._plain(self.construct_yaml_timestamp, node)

        def _plain(self, construct: Any, node: Any) -> Any:
            try:
                value = construct(node)
                check_value(value, "")
            except (ValueError, InputError):
                return node.value
            return value

    Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_number)
    Loader.add_constructor("tag:yaml.org,2002:timestamp", Loader.construct_date)
    return Loader


class _TooMuchError(Exception):
    """More values, or deeper ones, than are read."""


@dataclass
class _Budget:
    left: int

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise _TooMuchError(f"there are more than {MOST_VALUES:,}")


_LEFT_OUT = object()


def _stored(value: Any, budget: _Budget, depth: int) -> Any:
    """The value without what metadata cannot hold."""
    budget.spend()
    if depth <= 0:
        raise _TooMuchError(f"they are nested more than {MAX_DEPTH} deep")
    if isinstance(value, Mapping):
        items = {key: _stored(item, budget, depth - 1) for key, item in value.items() if _can_be_held(key)}
        return {key: item for key, item in items.items() if item is not _LEFT_OUT}
    if isinstance(value, list):
        return [item for item in (_stored(item, budget, depth - 1) for item in value) if item is not _LEFT_OUT]
    return value if _can_be_held(value) else _LEFT_OUT


def _can_be_held(value: Any) -> bool:
    try:
        check_value(value, "")
    except InputError:
        return False
    return True
