"""Which backend, and with which options: a name and values, checked against what the backend's table row declares.

::

    IndexSpec("muvera", repetitions=20)

A row of :mod:`late_rag.backends` names the frozen dataclass of its backend's options. The fields' types and defaults
are what may be given, and the texts below the fields are the help; what types cannot say, ``__post_init__`` checks.
"""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self, TypeVar

from late_rag.backends import INDEXES, POOLINGS, Backend, resolve, resolve_options
from late_rag.errors import InputError

__all__ = ["IndexSpec", "Option", "PoolingSpec", "Spec", "check_ranges", "describe", "options_of", "parsed_options"]


class Spec:
    """A backend by name, and options of it; those that are not given have their defaults. Equal where both are."""

    what: ClassVar[str]
    table: ClassVar[Mapping[str, Backend]]
    none: ClassVar[frozenset[str]] = frozenset()
    """Names that may be given besides those of the table; they have no options."""

    __slots__ = ("_items", "name")

    def __init__(self, name: str, /, **options: Any) -> None:
        """Takes both as they are; :meth:`checked` looks at them."""
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "_items", tuple(sorted(options.items())))

    @classmethod
    def of(cls, given: str | Spec | Mapping[str, Any]) -> Self:
        """What a user gave: a name, a spec, or a mapping with ``kind`` and the options, as JSON and YAML have it.

        Raises:
            InputError: something else, an unknown name or option, or a value that cannot be.
        """
        if isinstance(given, str):
            spec = cls(given)
        elif isinstance(given, cls):
            spec = given
        elif isinstance(given, Mapping) and isinstance(given.get("kind"), str):
            spec = cls(given["kind"], **{str(name): value for name, value in given.items() if name != "kind"})
        else:
            raise InputError(
                f"{cls.what} takes a name, {cls.__name__}(name, …) or a mapping with 'kind', not {given!r}"
            )
        spec.checked()
        return spec

    @property
    def options(self) -> dict[str, Any]:
        """The options that were given."""
        return dict(self._items)

    def checked(self) -> dict[str, Any]:
        """All options, those that were not given with their defaults, as JSON has them.

        Raises:
            InputError: an unknown name or option, or a value that cannot be.
            MissingExtraError: the backend's library is not installed.
        """
        if self.name in self.none:
            if self._items:
                raise InputError(f"{self.what} {self.name!r} takes no options, got {', '.join(self.options)}")
            return {}
        options = self.made()
        return {} if options is None else {field.name: getattr(options, field.name) for field in fields(options)}

    def made(self) -> Any:
        """The dataclass of the backend's options with these values; None for a backend without options."""
        if self.name not in self.table:
            names = ", ".join(sorted({*self.table, *self.none}))
            raise InputError(f"unknown {self.what} {self.name!r}; there are: {names}")
        declared = resolve_options(self.table, self.name, self.what)
        known = {option.name: option for option in _declared(declared)}
        for name, value in self._items:
            if name not in known:
                raise InputError(f"{self.what} {self.name!r} has no option {name!r}; {_there_are(known.values())}")
            known[name].check(value, f"option {name!r} of {self.what} {self.name!r}")
        try:
            return None if declared is None else declared(**self.options)
        except InputError as error:
            raise InputError(f"{self.what} {self.name!r}: {error}") from error

    def backend(self) -> Any:
        """The class of the table; see :func:`late_rag.backends.resolve`."""
        return resolve(self.table, self.name, self.what)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen; make another one")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and (self.name, self._items) == (other.name, other._items)

    def __hash__(self) -> int:
        return hash(
            (type(self), self.name, tuple(name for name, _ in self._items))
        )  # values may be lists, or 1 and 1.0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join([repr(self.name), *(f'{k}={v!r}' for k, v in self._items)])})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self.name, self.options)

    name: str
    _items: tuple[tuple[str, Any], ...]


S = TypeVar("S", bound=Spec)


class IndexSpec(Spec):
    """A kind of candidate index, such as ``IndexSpec("exact")``; "auto" leaves the choice to the collection."""

    what = "index"
    table = INDEXES
    none = frozenset({"auto"})
    __slots__ = ()


class PoolingSpec(Spec):
    """A token pooling, such as ``PoolingSpec("hierarchical", pool_factor=2)``."""

    what = "pooling"
    table = POOLINGS
    __slots__ = ()


def _remade(kind: type[Spec], name: str, options: Mapping[str, Any]) -> Spec:
    return kind(name, **options)


@dataclass(frozen=True)
class Option:
    """One option of a backend: its type as annotated, its default (``MISSING`` for none), and what it means."""

    name: str
    type: Any
    default: Any
    help: str

    def check(self, value: object, what: str) -> None:
        """Raises InputError for a value of another type; NaN and infinity are no numbers."""
        if not _fits(self.type, value):
            raise InputError(f"{what} takes {_type_name(self.type)}, not {value!r}")

    def parsed(self, text: str) -> Any:
        """The value that a text of the command line stands for; the text itself where it is none."""
        for kind in _alternatives(self.type):
            if kind is bool and text.lower() in ("true", "false"):
                return text.lower() == "true"
            if kind is types.NoneType and text.lower() == "none":
                return None
            if kind in (int, float):
                try:
                    return kind(text)
                except ValueError:
                    continue
        return text

    def __str__(self) -> str:
        default = "" if self.default is MISSING else f", {self.default!r} if not given"
        return f"{self.name} ({_type_name(self.type)}{default})" + (f": {self.help}" if self.help else "")


def options_of(table: Mapping[str, Backend], name: str, what: str) -> list[Option]:
    """The options that a backend has, as declared; see :func:`late_rag.backends.resolve`."""
    return _declared(resolve_options(table, name, what))


def parsed_options(kind: type[S], name: str, given: Sequence[str]) -> S:
    """The spec of a name and texts ``KEY=VALUE``, as the command line has them.

    Raises:
        InputError: a text without "=", an option twice, and as :meth:`Spec.of`.
    """
    known = {} if name in kind.none else {o.name: o for o in options_of(kind.table, name, kind.what)}
    options: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(f"an option of {kind.what} {name!r} is given as KEY=VALUE, not {text!r}")
        if key in options:
            raise InputError(f"option {key!r} of {kind.what} {name!r} is given twice")
        options[key] = known[key].parsed(value) if key in known else value
    return kind.of(kind(name, **options))


def check_ranges(options: Any, **ranges: tuple[int, int | None]) -> None:
    """Whether whole numbers among a backend's options are in their ranges, ends included; or None where that is given
    by default.

    Args:
        options: the frozen dataclass.
        ranges: by name, the least and the greatest value that there may be, None where there is no greatest.

    Raises:
        InputError: names the first that is none or out of its range, and its value.
    """
    optional = {field.name for field in fields(options) if field.default is None}
    for name, (least, most) in ranges.items():
        value = getattr(options, name)
        if value is None and name in optional:
            continue
        whole = isinstance(value, int) and not isinstance(value, bool)
        if not whole or value < least or (most is not None and value > most):
            there = f"of at least {least:,}" if most is None else f"from {least:,} to {most:,}"
            raise InputError(f"{name} takes a whole number {there}, not {value!r}")


def describe(name: str, options: Mapping[str, Any]) -> str:
    """A name and its options in words, for a line of ``info``."""
    return f"{name} ({', '.join(f'{key} {value}' for key, value in options.items())})" if options else name


def _declared(declared: Any) -> list[Option]:
    if declared is None:
        return []
    hints, helps = typing.get_type_hints(declared), _helps(declared)
    return [Option(f.name, hints[f.name], f.default, helps.get(f.name, "")) for f in fields(declared) if f.init]


def _helps(declared: type) -> dict[str, str]:
    """The text below each field; none where the source is not there."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(declared)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    helps: dict[str, str] = {}
    for field, below in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            text = below.value.value if isinstance(below.value, ast.Constant) else None
            if isinstance(text, str):
                helps[field.target.id] = " ".join(text.split())
    return helps


def _there_are(options: typing.Iterable[Option]) -> str:
    known = "; ".join(map(str, options))
    return f"there are: {known}" if known else "it has none"


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (annotation,)


def _fits(annotation: Any, value: object) -> bool:
    for kind in _alternatives(annotation):
        if typing.get_origin(kind) is Literal:
            if any(type(value) is type(allowed) and value == allowed for allowed in typing.get_args(kind)):
                return True
        elif kind is float:
            if type(value) in (int, float) and math.isfinite(value):  # type: ignore[arg-type]
                return True
        elif type(value) is kind:
            return True
    return False


def _type_name(annotation: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", types.NoneType: "none"}
    found = []
    for kind in _alternatives(annotation):
        literal = typing.get_origin(kind) is Literal
        found += [repr(value) for value in typing.get_args(kind)] if literal else [names.get(kind, str(kind))]
    return " or ".join(found)
