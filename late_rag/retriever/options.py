"""What a search may be asked for besides the question, and the checks of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeAlias, TypedDict

from late_rag.errors import InputError
from late_rag.filters.selection import Selection
from late_rag.retriever import inputs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from late_rag.filters import Filter
    from late_rag.types import Hit

FilterLike: TypeAlias = "Filter | Mapping[str, Any] | str | None"
GroupBy: TypeAlias = Literal["document"] | None
SearchMode: TypeAlias = Literal["maxsim", "hybrid"]
Expand: TypeAlias = int | Literal["document"] | None

_LEAST_FETCHED = 20
_FETCHED = 4


class Searched(Protocol):
    """What a search is asked of: a retriever."""

    def _search(self, queries: list[str], config: SearchConfig) -> list[list[Hit]]: ...


class Shape(TypedDict, total=False):
    """What shapes the hits of a search, whichever chunks it is restricted to; each has a default."""

    threshold: float | None
    """The least ``similarity`` of a hit."""

    group_by: GroupBy
    """"document" gives the best chunk of each of the ``top_k`` best documents."""

    mode: SearchMode
    """"maxsim" orders by MaxSim; "hybrid" by the sum of reciprocal ranks in that order and in that of BM25."""

    expand: Expand
    """What each hit has as ``context``: the text of its "document", or of so many chunks before and after it too."""

    lambda_mult: float | None
    """Diversity by maximal marginal relevance: 1 is relevance alone, 0 difference alone; None is off."""

    fetch_k: int | None
    """From how many hits diverse ones are picked; four times ``top_k``, and at least 20, where it is not said."""


class SearchOptions(Shape, total=False):
    """What a search may be asked for besides how many hits there are to be; each has a default."""

    filter: FilterLike
    """Restricts to chunks whose metadata match; short for ``Selection(filter=…)``, and added to ``selection``."""

    selection: Selection | None
    """Restricts to chunks, documents, or what a filter matches."""


SHAPE = tuple(Shape.__annotations__)


@dataclass(frozen=True)
class SearchConfig:
    """The options of a search, which are checked when it is made; that needs no model.

    Raises:
        InputError: a value that cannot be; the message names the option.
        FilterError: a filter that cannot be read.
    """

    top_k: int = 10
    filter: FilterLike = None
    selection: Selection | None = None
    threshold: float | None = None
    group_by: GroupBy = None
    mode: SearchMode = "maxsim"
    expand: Expand = None
    lambda_mult: float | None = None
    fetch_k: int | None = None

    meant: Selection | None = field(init=False, repr=False, compare=False)
    """What ``selection`` and ``filter`` restrict to together."""

    def __post_init__(self) -> None:
        if self.group_by not in (None, "document"):
            raise InputError(f'group_by must be "document" or None, not {inputs.shown(self.group_by)}')
        if self.mode not in ("maxsim", "hybrid"):
            raise InputError(f'mode must be "maxsim" or "hybrid", not {inputs.shown(self.mode)}')
        for name, check in _CHECKS.items():
            if (value := getattr(self, name)) is not None or name == "top_k":
                object.__setattr__(self, name, check(value))
        if self.fetch_k is not None and self.lambda_mult is None:
            raise InputError("fetch_k is how many hits diverse ones are picked from; give lambda_mult as well")
        restricts = self.selection is not None or self.filter is not None
        object.__setattr__(self, "meant", inputs.combined(self.selection, self.filter) if restricts else None)

    @classmethod
    def asked(cls, **options: Any) -> Self:
        """The options as a caller gives them.

        Raises:
            TypeError: an option that does not exist.
        """
        for name in options:
            if name not in _OPTIONS:
                raise TypeError(f"unknown search option {name!r}; there are: {', '.join(_OPTIONS[1:])}")
        return cls(**options)

    @classmethod
    def of(cls, component: object, **asked: Any) -> Self:
        """The options of a component that has what shapes its hits as attributes of the same names.

        Args:
            component: holds configuration, which is checked now.
            asked: the other options, and what holds for one search in place of the component's.

        Raises:
            TypeError: an option that does not exist.
        """
        return cls.asked(**{name: getattr(component, name) for name in SHAPE if name not in asked}, **asked)

    @property
    def wanted(self) -> int:
        """How many hits are ranked before diverse ones are picked."""
        if self.lambda_mult is None:
            return self.top_k
        return max(_FETCHED * self.top_k, _LEAST_FETCHED) if self.fetch_k is None else max(self.fetch_k, self.top_k)

    def search(self, retriever: Searched, query: str) -> list[Hit]:
        """What :meth:`Retriever.search` finds with these options."""
        return retriever._search([inputs.check_query(query)], self)[0]  # noqa: SLF001 - of this package

    def search_batch(self, retriever: Searched, queries: Iterable[str]) -> list[list[Hit]]:
        """What :meth:`Retriever.search_batch` finds with these options."""
        return retriever._search(inputs.check_queries(queries), self)  # noqa: SLF001 - of this package


_OPTIONS = tuple(option.name for option in fields(SearchConfig) if option.init)


def _check_expand(expand: object) -> Expand:
    if expand == "document":
        return "document"
    if isinstance(expand, bool) or not isinstance(expand, Integral) or expand < 0:
        raise InputError(f'expand must be "document" or a number of chunks, not {inputs.shown(expand)}')
    return int(expand)


def _check_lambda(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise InputError(f"lambda_mult must be a number from 0 to 1, not {inputs.shown(value)}")
    return float(value)


def _check_fetch_k(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise InputError(f"fetch_k must be a whole number of at least 1, not {inputs.shown(value)}")
    return int(value)


_CHECKS: Mapping[str, Callable[[object], object]] = {
    "top_k": inputs.check_top_k,
    "threshold": inputs.check_threshold,
    "expand": _check_expand,
    "lambda_mult": _check_lambda,
    "fetch_k": _check_fetch_k,
}
