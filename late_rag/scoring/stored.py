"""MaxSim over rows as they are stored: the same number wherever they stand, on any machine.

Its products are sums of integers that are held exactly, so no order of summation can change them. The query becomes
whole numbers, so fine that float32 products are no more exact; int8 rows are whole numbers as they are, float16 rows
times a power of two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from late_rag.scoring.maxsim import blocks_of, segment_maxima, starts_of
from late_rag.scoring.packing import PackedRows, Storage
from late_rag.scoring.products import double_products, integer_products
from late_rag.scoring.workers import parallel

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.types import TokenEmbeddings

_BASE = 127  # digits of −63 to 63, which is what the integer kernel takes
_DIGITS = 3  # what that rounds off is no more than float32 products do
_MANTISSA = 52
_HALF_GRID = 22


class StoredQuery(Protocol):
    """A query made ready to be scored against stored rows."""

    def score(self, documents: Sequence[PackedRows]) -> npt.NDArray[np.float64]:
        """MaxSim over documents that all have rows."""


def stored_query(query: TokenEmbeddings, storage: Storage) -> StoredQuery:
    """``(query tokens, dim)``, at least one token, for rows of that dim in this storage."""
    return _Int8Query(query) if storage == "int8" else _HalfQuery(query)


def stored_maxsim(query: StoredQuery, documents: Sequence[PackedRows]) -> npt.NDArray[np.float64]:
    """MaxSim over stored rows: ``(len(documents),) float64``, −inf where there are none.

    Equal rows have equal scores wherever they stand and whatever stands beside them.
    """
    scores = np.full(len(documents), -np.inf)
    filled = [number for number, document in enumerate(documents) if len(document.values)]

    def score(bounds: tuple[int, int]) -> None:
        numbers = filled[slice(*bounds)]
        scores[numbers] = query.score([documents[number] for number in numbers])

    parallel(score, list(blocks_of([len(documents[number].values) for number in filled])))
    return scores


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

    def score(self, documents: Sequence[PackedRows]) -> npt.NDArray[np.float64]:
        lengths = [len(document.values) for document in documents]
        steps = np.array([2.0 ** (math.ceil(math.log2(d.norm)) - _HALF_GRID) if d.norm else 1.0 for d in documents])
        rows = np.concatenate([document.values for document in documents], dtype=np.float64)
        rows /= np.repeat(steps, lengths)[:, None]
        products = double_products(np.rint(rows, out=rows), self._columns)
        scores: npt.NDArray[np.float64] = segment_maxima(products, starts_of(lengths)).sum(axis=0) * steps * self._step
        return scores
