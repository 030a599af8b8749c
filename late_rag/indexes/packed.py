"""All chunks' rows in memory, packed to int8, and the scan that orders every chunk for a query in a few milliseconds.

The scan gives each chunk an upper bound of its exact score: with the query rounded to seven bits (q̂) and the rows as
they are packed (d̂), ``qᵢ·d ≤ q̂ᵢ·d̂ + ‖qᵢ − q̂ᵢ‖·‖d̂‖ + ‖qᵢ‖·‖d − d̂‖`` for every row, hence for the maxima and their
sum. Whoever rescores in the order of the bounds may stop when the next bound is below the k-th exact score.

A :class:`PackedScan` is a value: adding and removing give another one, which shares the blocks that did not change,
so that searches in other threads go on undisturbed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from late_rag.indexes import blocks as packing
from late_rag.indexes.blocks import Block, PackedChunk
from late_rag.indexes.micro_batching import MicroBatching
from late_rag.scoring.scores import starts_of
from late_rag.scoring.workers import parallel

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.types import TokenEmbeddings

QUERY_COLUMNS = 64
"""Query tokens scanned at once: bounds the products to 4 MiB a thread, however many queries there are."""

_SMALL = 2048  # rows; so few are packed anew with each addition
_QUERY_LEVELS = 63  # beyond, processors without VNNI saturate silently
_FLOAT_MARGIN = 1e-5  # of the float32 arithmetic on the bounds, relative to the number of query tokens


class ScanQueries:
    """Queries rounded to seven bits, side by side: ``columns (dim, all query tokens) int8``."""

    def __init__(self, queries: Sequence[TokenEmbeddings]) -> None:
        rows = np.concatenate(queries).astype(np.float32, copy=False)
        largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
        steps = np.where(largest > 0, largest / _QUERY_LEVELS, 1).astype(np.float32)
        rounded = np.rint(rows / steps)
        self.columns = np.ascontiguousarray(rounded.T.astype(np.int8))
        self.steps = steps[:, 0]
        self.starts = starts_of([len(query) for query in queries])
        distances = np.linalg.norm(rows - rounded * steps, axis=1)
        self.slack = np.add.reduceat(distances, self.starts)
        self.norm = np.add.reduceat(np.linalg.norm(rows, axis=1), self.starts)
        self.margin = np.add.reduceat(np.full(len(rows), _FLOAT_MARGIN, np.float32), self.starts)

    def sums(self, block: Block) -> npt.NDArray[np.float32]:
        """``(chunks, queries) float32``: MaxSim of the rounded queries and the packed rows, scales left out."""
        sums: npt.NDArray[np.float32] = np.add.reduceat(
            block.maxima(self.columns).astype(np.float32) * self.steps, self.starts, axis=1
        )
        return sums


class PackedScan:
    """Chunks to be scanned, in ascending order of their row numbers."""

    def __init__(self, blocks: Iterable[Block] = ()) -> None:
        self.blocks = tuple(blocks)
        self.rows = np.concatenate([np.empty(0, np.int64), *(block.rows for block in self.blocks)])
        self.live = np.concatenate([np.empty(0, np.bool_), *(block.live for block in self.blocks)])
        scales, norms, errors = (
            np.concatenate([np.empty(0, np.float32), *(getattr(block, name) for block in self.blocks)])
            for name in ("scales", "norms", "errors")
        )
        self._scales, self._norms, self._errors = scales, norms, errors
        self._bounds = MicroBatching(self._bounds_of, lambda queries: sum(map(len, queries)) <= QUERY_COLUMNS)

    def __len__(self) -> int:
        return int(self.live.sum())

    @property
    def tokens(self) -> int:
        """Rows in all, those of removed chunks included."""
        return sum(block.tokens for block in self.blocks)

    def adding(self, chunks: Iterable[PackedChunk]) -> PackedScan:
        """With chunks above all that are in; those without rows are left out."""
        blocks = list(self.blocks)
        for group in packing.grouped(chunks):
            blocks.append(packing.block_of(group))
            while len(blocks) > 1 and _worth_joining(*blocks[-2:]):
                blocks[-2:] = [packing.joined(blocks[-2:])]
        return PackedScan(blocks)

    def removing(self, rows: Iterable[int]) -> PackedScan:
        """Without these rows, which need not be in; blocks more than half dead are packed anew."""
        gone = np.unique(np.fromiter(rows, np.int64))
        blocks = []
        for block in self.blocks:
            first, last = np.searchsorted(gone, (block.rows[0], block.rows[-1] + 1))
            live = block.live & ~np.isin(block.rows, gone[first:last]) if first < last else block.live
            if int(block.lengths[live].sum()) * 2 < block.tokens:
                if live.any():
                    blocks.append(packing.joined([replace(block, live=live)]))
            else:
                blocks.append(block if live is block.live else replace(block, live=live))
        return PackedScan(blocks)

    def search(
        self, queries: Sequence[TokenEmbeddings], n: int, within: npt.NDArray[np.int64] | None = None
    ) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """For each query the ``n`` chunks of the highest bounds: row numbers and bounds, best first, ties by row."""
        if not self.blocks or n < 1 or (within is not None and not len(within)):
            return [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in queries]
        mask = None if within is None else self._mask(within)
        found: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]] = []
        for group in _query_groups(queries):
            found += [self._best(bounds, n, mask) for bounds in self._bounds(group)]
        return found

    def _mask(self, within: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which of the rows are in ``within``; both ascend."""
        places = np.searchsorted(self.rows, within)
        there = places[places < len(self.rows)]
        mask = np.zeros(len(self.rows), np.bool_)
        mask[there[self.rows[there] == within[: len(there)]]] = True
        return mask

    def _bounds_of(self, group: Sequence[TokenEmbeddings]) -> Sequence[npt.NDArray[np.float32]]:
        """For each query ``(chunks,) float32``: no chunk's exact score is above."""
        queries = ScanQueries(group)
        bounds = np.concatenate(parallel(queries.sums, self.blocks)).T * self._scales
        bounds += (queries.slack + queries.margin)[:, None] * self._norms
        bounds += queries.norm[:, None] * self._errors + queries.margin[:, None]
        bounds[:, ~self.live] = -np.inf
        return list(bounds)

    def _best(
        self, bounds: npt.NDArray[np.float32], n: int, mask: npt.NDArray[np.bool_] | None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        if mask is not None:
            bounds = np.where(mask, bounds, np.float32(-np.inf))
        best = np.argpartition(bounds, -n)[-n:] if n < len(bounds) else np.arange(len(bounds))
        best = best[bounds[best] > -np.inf]
        best = best[np.lexsort((self.rows[best], -bounds[best]))]
        return self.rows[best], bounds[best]


def _query_groups(queries: Sequence[TokenEmbeddings]) -> Iterator[list[TokenEmbeddings]]:
    group: list[TokenEmbeddings] = []
    columns = 0
    for query in queries:
        if group and columns + len(query) > QUERY_COLUMNS:
            yield group
            group, columns = [], 0
        group.append(query)
        columns += len(query)
    if group:
        yield group


def _worth_joining(block: Block, last: Block) -> bool:
    """Whether packing both anew costs little, or so much was added that it will not be done again soon."""
    together = block.tokens + last.tokens
    return together <= packing.BLOCK_TOKENS and block.tokens <= max(_SMALL, 2 * last.tokens)
