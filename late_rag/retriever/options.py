"""What a search may be asked for besides the question, and the checks of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, cast

from late_rag.errors import InputError
from late_rag.retriever import inputs
from late_rag.types import Selection

if TYPE_CHECKING:
    from late_rag.filters import Filter

FilterLike: TypeAlias = "Filter | Mapping[str, Any] | str | None"
GroupBy: TypeAlias = Literal["document"] | None
SearchMode: TypeAlias = Literal["maxsim", "hybrid"]
Expand: TypeAlias = int | Literal["document"] | None

_LEAST_FETCHED = 20
_FETCHED = 4


class SearchOptions(TypedDict, total=False):
    """What shapes the hits of a search; each has a default."""

    filter: FilterLike
    """Restricts to chunks whose metadata match; short for ``Selection(filter=…)``, and added to ``selection``."""

    selection: Selection | None
    """Restricts to chunks, documents, or what a filter matches."""

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


@dataclass(frozen=True)
class Checked:
    """Search options that can be followed."""

    top_k: int
    selection: Selection | None
    threshold: float | None
    group_by: GroupBy
    mode: SearchMode
    expand: Expand
    lambda_mult: float | None
    fetch_k: int

    @property
    def wanted(self) -> int:
        """How many hits are ranked before diverse ones are picked."""
        return self.top_k if self.lambda_mult is None else self.fetch_k


def check(top_k: object, options: SearchOptions) -> Checked:
    """Checks what can be checked without a model.

    Raises:
        InputError: a value that cannot be; the message names the option.
        FilterError: a filter that cannot be read.
        TypeError: an option that does not exist.
    """
    for name in options:
        if name not in SearchOptions.__annotations__:
            raise TypeError(f"unknown search option {name!r}; there are: {', '.join(SearchOptions.__annotations__)}")
    count = inputs.check_top_k(top_k)
    group_by, mode = options.get("group_by"), options.get("mode", "maxsim")
    if group_by not in (None, "document"):
        raise InputError(f'group_by must be "document" or None, not {inputs.shown(group_by)}')
    if mode not in ("maxsim", "hybrid"):
        raise InputError(f'mode must be "maxsim" or "hybrid", not {inputs.shown(mode)}')
    lambda_mult = _check_lambda(options.get("lambda_mult"))
    return Checked(
        top_k=count,
        selection=inputs.combined(options.get("selection"), options.get("filter")),
        threshold=inputs.check_threshold(options.get("threshold")),
        group_by=group_by,
        mode=mode,
        expand=_check_expand(options.get("expand")),
        lambda_mult=lambda_mult,
        fetch_k=_check_fetch_k(options.get("fetch_k"), count, diverse=lambda_mult is not None),
    )


def _check_expand(expand: object) -> Expand:
    if expand is None or expand == "document":
        return cast("Expand", expand)
    if isinstance(expand, bool) or not isinstance(expand, Integral) or expand < 0:
        raise InputError(f'expand must be "document" or a number of chunks, not {inputs.shown(expand)}')
    return int(expand)


def _check_lambda(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) <= 1:
        raise InputError(f"lambda_mult must be a number from 0 to 1, not {inputs.shown(value)}")
    return float(value)


def _check_fetch_k(value: object, top_k: int, *, diverse: bool) -> int:
    if value is None:
        return max(_FETCHED * top_k, _LEAST_FETCHED)
    if not diverse:
        raise InputError("fetch_k is how many hits diverse ones are picked from; give lambda_mult as well")
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise InputError(f"fetch_k must be a whole number of at least 1, not {inputs.shown(value)}")
    return max(int(value), top_k)
