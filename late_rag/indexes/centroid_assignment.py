"""Which centroid a token row belongs to: the best one of its two best coarse cells."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from late_rag.indexes.centroid_training import LEVELS, Centroids, columns, levels_of, row_blocks, stable_order
from late_rag.scoring.products import integer_products
from late_rag.scoring.scores import starts_of
from late_rag.scoring.workers import parallel

if TYPE_CHECKING:
    import numpy.typing as npt

_CELLS = 2
_PART = 131_072
"""Rows sorted by cell at a time: enough of each cell for a product that is worth its call."""


class Assigner:
    """Centroids laid out for rows to be assigned to them."""

    def __init__(self, centroids: Centroids) -> None:
        self._first = centroids.first
        self._cells = min(_CELLS, len(centroids.coarse))
        self._coarse = columns(centroids.coarse)
        levels = np.rint(levels_of(centroids.values) * np.float32(LEVELS / 127)).astype(np.int8)
        self._columns = [columns(levels[begin:end]) for begin, end in pairwise(self._first.tolist())]

    def __call__(self, values: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        """``(rows, dim) uint8``, which may be mapped, to ``(rows,)`` numbers of centroids."""
        parts = [(first, min(first + _PART, len(values))) for first in range(0, len(values), _PART)]
        found = parallel(lambda part: self._part(np.asarray(values[slice(*part)])), parts)
        return np.concatenate([np.empty(0, np.int32), *found])

    def _part(self, values: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        """Row by cell: all rows that have a cell among their best are compared with its centroids at once."""
        cells = self._best_cells(values).ravel()
        order = stable_order(cells, len(self._columns))
        counts = np.bincount(cells, minlength=len(self._columns))
        starts = starts_of(counts)
        codes, scores = np.empty(len(cells), np.int32), np.empty(len(cells), np.int32)
        for cell in np.flatnonzero(counts).tolist():
            width = self._columns[cell].shape[1]
            for begin, end in row_blocks(int(counts[cell]), width):
                places = order[starts[cell] + begin : starts[cell] + end]
                products = integer_products(values[places % len(values)], self._columns[cell])
                best = products.argmax(axis=1)
                codes[places] = best + self._first[cell]
                scores[places] = products[np.arange(len(places)), best]
        best = scores.reshape(self._cells, -1).argmax(axis=0)
        chosen: npt.NDArray[np.int32] = codes.reshape(self._cells, -1)[best, np.arange(len(values))]
        return chosen

    def _best_cells(self, values: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        """``(cells, rows)``: each row's best coarse cells, best first."""
        found = np.empty((self._cells, len(values)), np.int64)
        for begin, end in row_blocks(len(values), self._coarse.shape[1]):
            products = integer_products(values[begin:end], self._coarse)
            for rank in range(self._cells):
                found[rank, begin:end] = products.argmax(axis=1)
                products[np.arange(end - begin), found[rank, begin:end]] = np.iinfo(np.int32).min
        return found
