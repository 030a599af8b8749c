"""The estimate of MaxSim that orders chunks: for each query token the best of its centroids that a chunk has.

A query token probes the lists of its ``probes`` best centroids. A chunk has the product with the best of those that
list it; what no list has gets the lowest product probed, less half of their range. Sums are whole numbers, so that
the best are found by counting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from late_rag.indexes.centroid_postings import Postings
from late_rag.indexes.centroid_training import Centroids
from late_rag.indexes.packed import ScanQueries
from late_rag.scoring.products import integer_products
from late_rag.scoring.workers import parallel

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.types import TokenEmbeddings

UNSEEN = 0.5
"""How far below its lowest probed product a token is put that no list has, as a share of the range of those."""

_GROUP = 16
"""Centroids that one maximum is taken over, to bound the products to look at from below without sorting."""

_PART = 8192
_TOKENS = 32
"""Query tokens whose gains are summed in 16 bits."""

_LEVELS = 32_767 // _TOKENS
_ENTRIES = 2**20
"""Entries of lists gathered at once, besides those of one token."""

_GROUPS_AT_ONCE = 8
_CELLS = 2**22
"""Numbers of the array of tokens and chunks that gains are put into: 8 MiB on each thread."""


@dataclass(frozen=True)
class Probes:
    """What the tokens of one query look up: ``(probes,)`` each, sorted by token, and in each by gain, best last.

    ``gains`` are whole numbers from 0: how much above the token's floor, in steps of ``step``; the floors' sum is
    ``floor``.
    """

    tokens: npt.NDArray[np.int64]
    centroids: npt.NDArray[np.int64]
    gains: npt.NDArray[np.int16]
    floor: float
    step: float


def probes(centroids: Centroids, query: TokenEmbeddings, count: int) -> Probes:
    """For each query token its ``count`` best centroids."""
    scan = ScanQueries([query])
    parts = [(first, min(first + _PART, len(centroids))) for first in range(0, len(centroids), _PART)]
    products = parallel(lambda part: integer_products(centroids.values[slice(*part)], scan.columns), parts)
    count = min(count, len(centroids))
    group = _GROUP if len(centroids) >= 2 * count * _GROUP else 1
    maxima = np.concatenate([_maxima(part, group) for part in products])
    least = np.partition(maxima, len(maxima) - count, axis=0)[len(maxima) - count]
    numbers, tokens, scores = [], [], []
    for (first, _), part in zip(parts, products, strict=True):
        found, token = np.nonzero(part >= least)
        numbers.append(found + first)
        tokens.append(token)
        scores.append(part[found, token])
    return _best(np.concatenate(numbers), np.concatenate(tokens), np.concatenate(scores), count, scan, centroids, query)


def _maxima(products: npt.NDArray[np.int32], group: int) -> npt.NDArray[np.int32]:
    """Of as many groups as there are whole ones: the ``n``-th largest of some is not above that of all."""
    whole = len(products) // group * group
    maxima: npt.NDArray[np.int32] = products[:whole].reshape(group, -1, products.shape[1]).max(axis=0)
    return maxima


def _best(
    numbers: npt.NDArray[np.int64],
    tokens: npt.NDArray[np.int64],
    scores: npt.NDArray[np.int32],
    count: int,
    scan: ScanQueries,
    centroids: Centroids,
    query: TokenEmbeddings,
) -> Probes:
    """The ``count`` best of each token, ties to the lower centroid, and what each gains."""
    order = np.lexsort((numbers, -scores, tokens))
    starts = np.searchsorted(tokens[order], np.arange(len(query)))
    kept = order[(starts[:, None] + np.arange(count)[::-1]).ravel()]  # each token has at least so many
    numbers, tokens, scores = numbers[kept], tokens[kept], scores[kept].reshape(len(query), count)
    products = scores * (scan.steps[:, None] * np.float32(centroids.step))
    floors = products[:, 0] - np.float32(UNSEEN) * (products[:, -1] - products[:, 0])
    gains = products - floors[:, None]
    step = float(gains.max(initial=0.0)) / _LEVELS or 1.0
    floor = float(floors.sum() + (query @ centroids.mean).sum())
    return Probes(tokens, numbers, np.rint(gains / step).astype(np.int16).ravel(), floor, step)


def estimates(found: Probes, postings: Postings, chunks: int, tokens: int) -> npt.NDArray[np.int32]:
    """``(chunks,) int32``: the sum over the query's tokens of the best gain of each chunk; 0 where there is none."""
    bounds = np.searchsorted(found.tokens, np.arange(tokens + 1))
    groups = _groups(found, postings, bounds, tokens, max(1, min(_TOKENS, -(-tokens // 2), _CELLS // max(1, chunks))))

    def gained(group: tuple[int, int]) -> npt.NDArray[np.int16]:
        first, last = group
        mine = slice(bounds[first], bounds[last])
        centroids = found.centroids[mine]
        begins, sizes = postings.starts[centroids], postings.starts[centroids + 1] - postings.starts[centroids]
        best = np.zeros((last - first, chunks), np.int16)
        places = np.concatenate(
            [postings.chunks[begin : begin + size] for begin, size in zip(begins.tolist(), sizes.tolist(), strict=True)]
        ).astype(np.intp)
        places += np.repeat((found.tokens[mine] - first) * chunks, sizes)
        best.reshape(-1)[places] = np.repeat(found.gains[mine], sizes)  # the last of equal places stays: the best
        sums: npt.NDArray[np.int16] = best.sum(axis=0, dtype=np.int16)
        return sums

    total = np.zeros(chunks, np.int32)
    for begin in range(0, len(groups), _GROUPS_AT_ONCE):
        for part in parallel(gained, groups[begin : begin + _GROUPS_AT_ONCE]):
            total += part
    return total


def _groups(
    found: Probes, postings: Postings, bounds: npt.NDArray[np.int64], tokens: int, most: int
) -> list[tuple[int, int]]:
    """Intervals of query tokens of bounded work, at least one token each."""
    sizes = postings.starts[found.centroids + 1] - postings.starts[found.centroids]
    ends = np.concatenate([[0], np.cumsum(sizes)])[bounds]
    return list(_cut(ends.tolist(), tokens, most))


def _cut(ends: list[int], tokens: int, most: int) -> Iterator[tuple[int, int]]:
    first = 0
    for last in range(1, tokens + 1):
        if last == tokens or last - first == most or ends[last + 1] - ends[first] > _ENTRIES:
            yield first, last
            first = last


def highest(values: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.int64]:
    """Places of the ``count`` highest of whole numbers from 0, highest first, ties to the lower place."""
    if count < len(values):
        above = np.cumsum(np.bincount(values)[::-1])
        level = len(above) - 1 - int(np.searchsorted(above, count))
        sure = np.flatnonzero(values > level)
        equal = np.flatnonzero(values == level)[: count - len(sure)]
        places = np.concatenate([sure, equal])
    else:
        places = np.arange(len(values))
    return places[np.argsort(-values[places], kind="stable")]
