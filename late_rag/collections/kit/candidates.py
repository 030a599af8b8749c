"""Candidates of one query, best first, asked for in growing numbers as long as a better hit is possible."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from late_rag.indexes.packed import PackedScan
from late_rag.protocols import Index

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.calibration import Calibration
    from late_rag.types import TokenEmbeddings

    Found = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]

_FIRST_ASKED = 64
_GROWTH = 4


@dataclass(frozen=True)
class View:
    """The collection as of commit ``version``; ``gone`` are sorted rows of the index that no longer exist."""

    version: int = -1
    last_row: int = 0
    removed: int = 0
    index_version: int = 0
    index: Index | None = None
    calibration: Calibration | None = None
    mark: int = 0
    gone: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    tail: PackedScan = field(default_factory=PackedScan)


class _Place(Protocol):
    def search(
        self, queries: Sequence[TokenEmbeddings], n: int, within: npt.NDArray[np.int64] | None
    ) -> list[Found]: ...


@dataclass
class _Answer:
    """What one place has given for a query so far; ``bound`` is above the score of all that it has not given."""

    place: _Place
    asked: int
    bound: float


class Candidates:
    """Rows whose score may be among the best, given once.

    ``sure`` are those without a bound of their score; the others are taken in the order of their bounds.
    """

    def __init__(self, view: View, query: TokenEmbeddings, within: npt.NDArray[np.int64] | None) -> None:
        self._gone = view.gone
        self._query = query
        self._within = within
        self._answers: list[_Answer] = []
        self._given: set[int] = set()
        self.sure: list[int] = []
        self._waiting: list[tuple[float, int]] = []

    def begin(self, place: _Place, asked: int, found: Found) -> None:
        """Takes the first answer of a place that can be asked for more."""
        self._answers.append(_Answer(place, asked, _horizon(found, asked)))
        self._put(found)

    def put_sure(self, found: Found) -> None:
        """Takes what a place found whose scores are no bounds."""
        self.sure += [row for row, _ in self._new(found)]

    def _put(self, found: Found) -> None:
        for row, bound in self._new(found):
            heapq.heappush(self._waiting, (-bound, row))

    def _new(self, found: Found) -> Iterator[tuple[int, float]]:
        rows, bounds = found
        if len(self._gone):
            kept = ~np.isin(rows, self._gone)
            rows, bounds = rows[kept], bounds[kept]
        for row, bound in zip(rows.tolist(), bounds.tolist(), strict=True):
            if row not in self._given:
                self._given.add(row)
                yield row, bound

    def take(self, size: int, threshold: float) -> list[int]:
        """The next rows with bounds, best first: none only if none of them can score ``threshold`` or more."""
        taken: list[int] = []
        while len(taken) < size:
            best = -self._waiting[0][0] if self._waiting else -np.inf
            horizon = max(self._answers, key=lambda answer: answer.bound)
            if max(best, horizon.bound) < threshold or max(best, horizon.bound) == -np.inf:
                break
            if horizon.bound >= best and horizon.bound > -np.inf:
                self._ask(horizon)
            else:
                taken.append(heapq.heappop(self._waiting)[1])
        return taken

    def _ask(self, answer: _Answer) -> None:
        answer.asked *= _GROWTH
        found = answer.place.search([self._query], answer.asked, self._within)[0]
        answer.bound = _horizon(found, answer.asked)
        self._put(found)


def _horizon(found: Found, asked: int) -> float:
    """No row that was not found has a higher bound."""
    return float(found[1][-1]) if len(found[1]) >= asked else -np.inf


def first_candidates(
    view: View, queries: Sequence[TokenEmbeddings], top_k: int, within: npt.NDArray[np.int64] | None
) -> list[Candidates]:
    """For each query the candidates of all places, in one pass over the rows for all queries."""
    asked = max(_FIRST_ASKED, _GROWTH * top_k)
    candidates = [Candidates(view, query, within) for query in queries]
    bounded: list[_Place] = [view.tail]
    if view.index is not None and view.index.upper_bounds:
        bounded.append(view.index)
    elif view.index is not None and view.calibration is not None:
        wanted = view.calibration.wanted(top_k)
        for candidate, found in zip(candidates, _alive(view, queries, wanted, within), strict=True):
            candidate.put_sure(found)
    for place in bounded:
        for candidate, found in zip(candidates, place.search(queries, asked, within), strict=True):
            candidate.begin(place, asked, found)
    return candidates


def _alive(
    view: View, queries: Sequence[TokenEmbeddings], wanted: int, within: npt.NDArray[np.int64] | None
) -> list[Found]:
    """Candidates of an index without bounds; where rows that are gone took places, more are asked for."""
    index = view.index
    if index is None:
        return []
    found = index.search(queries, wanted, within)
    for number, query in enumerate(queries):
        asked = wanted
        while len(found[number][0]) >= asked and np.isin(found[number][0], view.gone).sum() > asked - wanted:
            asked *= 2
            found[number] = index.search([query], asked, within)[0]
    return found
