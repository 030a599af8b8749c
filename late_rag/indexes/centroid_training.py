"""Centroids for token rows: a two-level spherical k-means of a sample, in int8 products.

Coarse cells first (about the root of the number of centroids), then in each cell as many fine centroids as it has of
the sample. So a row is compared with the coarse cells and the centroids of a few of them only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from late_rag.scoring.packing import ZERO_POINT
from late_rag.scoring.products import integer_products
from late_rag.scoring.scores import starts_of
from late_rag.scoring.workers import parallel

if TYPE_CHECKING:
    import numpy.typing as npt

LEVELS = 63
"""Centroids are rounded to ±63, the most that the integer kernel takes on every processor."""

FINE_LEVELS = 127
"""Where they stand on the other side of the product, as a search has them, they have the full range."""

_COARSE_SAMPLE = 65_536
_COARSE_ROUNDS = 4
_FINE_ROUNDS = 2
_MOST_OF_MEAN = 8
"""So many times its equal share of the centroids a cell has at most: bounds the work on rows that lie in few cells."""

_PRODUCTS = 2**18
"""Numbers that a block of products has at most: 1 MiB of int32; more is taken from the system anew with each block, and
takes half as long again."""

_BLOCK_ROWS = 16_384
_TINY = 1e-12


@dataclass(frozen=True)
class Centroids:
    """What was learned. Rounded rows are ``x · (c − mean)`` apart by one common step, so products of all compare.

    ``mean (dim) float32``; ``coarse (cells, dim) int8`` of ±63; ``values (centroids, dim) uint8``, zero point 128;
    ``step`` is the size of one level of ``values``; those of cell ``i`` are ``first[i]`` to ``first[i + 1]``.
    """

    mean: npt.NDArray[np.float32]
    coarse: npt.NDArray[np.int8]
    values: npt.NDArray[np.uint8]
    first: npt.NDArray[np.int64]
    step: float

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """``(n, dim) float32``: these centroids."""
        return levels_of(self.values[numbers]) * np.float32(self.step) + self.mean


def levels_of(values: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """uint8 of zero point 128 as float32."""
    return values.astype(np.float32) - np.float32(ZERO_POINT)


def train(sample: npt.NDArray[np.uint8], count: int, seed: int) -> Centroids:
    """About ``count`` centroids of ``(rows, dim) uint8``, at least one row; the same for the same seed."""
    random = np.random.default_rng(seed)
    few = np.sort(random.choice(len(sample), min(len(sample), _COARSE_SAMPLE), replace=False))
    cells = min(len(few), max(1, round(count**0.5)))
    coarse, mean = _kmeans(sample[few], cells, _COARSE_ROUNDS, random)
    labels = nearest(sample, columns(rounded(coarse - mean)[0]))
    order = stable_order(labels, cells)
    counts = np.bincount(labels, minlength=cells)
    most = max(1, _MOST_OF_MEAN * -(-count // cells))
    shares = np.clip(np.rint(counts * (count / len(sample))), 1, most).astype(np.int64)
    seeds = random.integers(0, 2**31, cells)
    starts = starts_of(counts)

    def fine(cell: int) -> npt.NDArray[np.float32]:
        mine = order[starts[cell] : starts[cell] + counts[cell]]
        if not len(mine):
            return coarse[cell : cell + 1]
        return _kmeans(sample[mine], int(shares[cell]), _FINE_ROUNDS, np.random.default_rng(seeds[cell]))[0]

    parts = parallel(fine, range(cells))
    values, step = rounded(np.concatenate(parts) - mean, FINE_LEVELS)
    return Centroids(
        mean=mean,
        coarse=rounded(coarse - mean)[0],
        values=(values.astype(np.int16) + ZERO_POINT).astype(np.uint8),
        first=np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64),
        step=step,
    )


def _kmeans(
    values: npt.NDArray[np.uint8], count: int, rounds: int, random: np.random.Generator
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Unit centroids of unit rows, which begin as rows of the sample, and the mean of these beginnings."""
    rows = _unit(levels_of(values))
    centroids = rows[random.choice(len(rows), min(count, len(rows)), replace=False)]
    mean = centroids.mean(axis=0)
    for _ in range(rounds):
        labels = nearest(values, columns(rounded(centroids - mean)[0]))
        centroids = _means(rows, labels, centroids)
    return centroids, mean


def _means(
    rows: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], old: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """The direction of each label's rows; the old one where there are none."""
    counts = np.bincount(labels, minlength=len(old))
    filled = np.flatnonzero(counts)
    new = old.copy()
    new[filled] = _unit(np.add.reduceat(rows[stable_order(labels, len(old))], starts_of(counts)[filled], axis=0))
    return new


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rows of norm 1; zeros stay."""
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    unit: npt.NDArray[np.float32] = rows / np.maximum(norms, np.float32(_TINY))
    return unit


def rounded(moved: npt.NDArray[np.float32], levels: int = LEVELS) -> tuple[npt.NDArray[np.int8], float]:
    """int8 of one common step, and that step."""
    step = float(np.abs(moved).max(initial=0.0)) / levels or 1.0
    return np.rint(moved / np.float32(step)).astype(np.int8), step


def columns(rows: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """``(n, dim)`` to ``(dim, n)``, as the kernel reads it."""
    return np.ascontiguousarray(rows.T)


def nearest(values: npt.NDArray[np.uint8], centroids: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """For each row the number of the centroid ``(dim, n) int8`` with the largest product."""
    blocks = row_blocks(len(values), centroids.shape[1])
    found = parallel(partial(_nearest_of_block, values, centroids), blocks)
    return np.concatenate([np.empty(0, np.int64), *found])


def _nearest_of_block(
    values: npt.NDArray[np.uint8], centroids: npt.NDArray[np.int8], block: tuple[int, int]
) -> npt.NDArray[np.int64]:
    best: npt.NDArray[np.int64] = integer_products(values[slice(*block)], centroids).argmax(axis=1)
    return best


def row_blocks(rows: int, width: int) -> list[tuple[int, int]]:
    """Intervals of rows whose products with so many columns stay small."""
    size = max(1, min(_BLOCK_ROWS, _PRODUCTS // max(1, width)))
    return [(first, min(first + size, rows)) for first in range(0, rows, size)]


def stable_order(labels: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """What sorts labels below ``count``; numpy sorts 16 bits by radix, in a fraction of the time."""
    return np.argsort(labels.astype(np.uint16) if count <= 2**16 else labels, kind="stable")
