"""MaxSim over rows as they are stored: the same number wherever they stand, on any machine.

Its products are sums of integers that are held exactly, so no order of summation can change them. The query becomes
whole numbers, so fine that float32 products are no more exact; int8 rows are whole numbers as they are, float16 rows
times a power of two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from late_rag.scoring.packing import PackedRows, Storage
from late_rag.scoring.products import double_products, integer_products
from late_rag.scoring.scores import blocks_of, segment_maxima, starts_of
from late_rag.scoring.workers import parallel

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.types import TokenEmbeddings

_BASE = 127  # digits of −63 to 63, which is what the integer kernel takes
_DIGITS = 3  # what that rounds off is no more than float32 products do
_MANTISSA = 52
_HALF_GRID = 22
_MARGIN = 1 + 1e-9  # of float64 arithmetic on bounds


class StoredQuery(Protocol):
    """A query made ready to be scored against stored rows."""

    def score(self, documents: Sequence[PackedRows]) -> npt.NDArray[np.float64]:
        """MaxSim over documents that all have rows."""

    def bounds(self, documents: Sequence[PackedRows]) -> npt.NDArray[np.float64]:
        """For each of them a value that its MaxSim does not exceed, in a fraction of the time."""


def stored_query(query: TokenEmbeddings, storage: Storage) -> StoredQuery:
    """``(query tokens, dim)``, at least one token, for rows of that dim in this storage."""
    return _Int8Query(query) if storage == "int8" else _HalfQuery(query)


def stored_maxsim(query: StoredQuery, documents: Sequence[PackedRows]) -> npt.NDArray[np.float64]:
    """MaxSim over stored rows: ``(len(documents),) float64``, −inf where there are none.

    Equal rows have equal scores wherever they stand and whatever stands beside them.
    """
    return _over_blocks(query.score, documents)


def stored_best(
    query: StoredQuery, documents: Sequence[PackedRows], most: int, least: float = -math.inf
) -> npt.NDArray[np.float64]:
    """The same, but −inf also for what is surely not among the ``most`` best, or below ``least``.

    Only those whose upper bound is high enough are scored in full.
    """
    if len(documents) <= 2 * most:
        return stored_maxsim(query, documents)
    bounds = _over_blocks(query.bounds, documents)
    scores = np.full(len(documents), -np.inf)
    first = np.argpartition(bounds, -most)[-most:].tolist()
    scores[first] = stored_maxsim(query, [documents[number] for number in first])
    least = max(least, float(scores[first].min()))
    bounds[first] = -np.inf
    others = np.flatnonzero((bounds >= least) & (bounds > -np.inf)).tolist()
    scores[others] = stored_maxsim(query, [documents[number] for number in others])
    return scores


def _over_blocks(
    work: Callable[[Sequence[PackedRows]], npt.NDArray[np.float64]], documents: Sequence[PackedRows]
) -> npt.NDArray[np.float64]:
    """One value for each document, of as many together as fit into a block; −inf where there are no rows."""
    values = np.full(len(documents), -np.inf)
    filled = [number for number, document in enumerate(documents) if len(document.values)]

    def fill(bounds: tuple[int, int]) -> None:
        numbers = filled[slice(*bounds)]
        values[numbers] = work([documents[number] for number in numbers])

    parallel(fill, list(blocks_of([len(documents[number].values) for number in filled])))
    return values


class _Int8Query:
    """Three digits to the base 127, so that 8-bit products give 21 bits of a query."""

    def __init__(self, query: TokenEmbeddings) -> None:
        largest = float(np.abs(query).max(initial=0.0)) or 1.0
        self._step = largest / (_BASE**_DIGITS // 2)
        left = np.rint(query.T.astype(np.float64) / self._step).astype(np.int64)
        digits = []
        for _ in range(_DIGITS):
            digits.append((left + _BASE // 2) % _BASE - _BASE // 2)
            left = (left - digits[-1]) // _BASE
        self._columns = np.concatenate(digits, axis=1).astype(np.int8)
        self._first = np.ascontiguousarray(digits[-1].astype(np.int8))
        self._first_step = self._step * _BASE ** (_DIGITS - 1)
        left_out = self._step * sum(digit * _BASE**power for power, digit in enumerate(digits[:-1]))
        self._slack = float(np.linalg.norm(left_out, axis=0).sum()) * _MARGIN

    def bounds(self, documents: Sequence[PackedRows]) -> npt.NDArray[np.float64]:
        """By the first digit; what the others add to a product is, by Cauchy and Schwarz, no more than the norms'."""
        products = integer_products(np.concatenate([document.values for document in documents]), self._first)
        maxima = np.maximum.reduceat(products, starts_of([len(document.values) for document in documents]), axis=0)
        scales = np.array([document.scale for document in documents])
        norms = np.array([document.norm for document in documents])
        bounds: npt.NDArray[np.float64] = maxima.sum(axis=1, dtype=np.int64) * scales * self._first_step
        return bounds + np.abs(bounds) * (_MARGIN - 1) + norms * self._slack

    def score(self, documents: Sequence[PackedRows]) -> npt.NDArray[np.float64]:
        rows = np.concatenate([document.values for document in documents])
        parts = np.split(integer_products(rows, self._columns), _DIGITS, axis=1)
        products = parts[-1].astype(np.int64)
        for part in reversed(parts[:-1]):
            products *= _BASE
            products += part
        maxima = np.maximum.reduceat(products, starts_of([len(document.values) for document in documents]), axis=0)
        scales = np.array([document.scale for document in documents])
        scores: npt.NDArray[np.float64] = maxima.sum(axis=1) * scales * self._step
        return scores


class _HalfQuery:
    """Whole numbers in float64, so small that by Cauchy and Schwarz no partial sum leaves the mantissa."""

    def __init__(self, query: TokenEmbeddings) -> None:
        norms = np.linalg.norm(query.astype(np.float64), axis=1)
        largest = max(norms.max(initial=0.0), float(np.finfo(np.float32).tiny))
        room = _MANTISSA - _HALF_GRID - math.log2(largest) - math.log2(len(query))
        self._step = 2.0 ** -math.floor(room - 1)
        self._columns = np.ascontiguousarray(np.rint(query.T.astype(np.float64) / self._step))

    def bounds(self, documents: Sequence[PackedRows]) -> npt.NDArray[np.float64]:
        """None that is cheaper than the score."""
        return np.full(len(documents), np.inf)

    def score(self, documents: Sequence[PackedRows]) -> npt.NDArray[np.float64]:
        lengths = [len(document.values) for document in documents]
        steps = np.array([2.0 ** (math.ceil(math.log2(d.norm)) - _HALF_GRID) if d.norm else 1.0 for d in documents])
        rows = np.concatenate([document.values for document in documents], dtype=np.float64)
        rows /= np.repeat(steps, lengths)[:, None]
        products = double_products(np.rint(rows, out=rows), self._columns)
        scores: npt.NDArray[np.float64] = segment_maxima(products, starts_of(lengths)).sum(axis=0) * steps * self._step
        return scores
