"""All chunks' rows in memory, packed to int8, and the scan that orders every chunk for a query in a few milliseconds.

The scan gives each chunk an upper bound of its exact score: with the query rounded to seven bits (q̂) and the rows as
they are packed (d̂), ``qᵢ·d ≤ q̂ᵢ·d̂ + ‖qᵢ − q̂ᵢ‖·‖d̂‖ + ‖qᵢ‖·‖d − d̂‖`` for every row, hence for the maxima and their
sum. Whoever rescores in the order of the bounds may stop when the next bound is below the k-th exact score.

A :class:`PackedScan` is a value: adding and removing give another one, which shares the blocks that did not change,
so that searches in other threads go on undisturbed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from late_rag.scoring.maxsim import segment_maxima, starts_of
from late_rag.scoring.packing import PackedRows
from late_rag.scoring.products import WORKERS, integer_products, parallel

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.types import TokenEmbeddings

BLOCK_TOKENS = 16_384
"""Rows a block holds: 2 MiB at 128 dims, so that a block and its products stay in a core's cache."""

QUERY_COLUMNS = 64
"""Query tokens scanned at once: bounds the products to 4 MiB a thread, however many queries there are."""

COLUMNS = {"rows": np.int64, "lengths": np.int64, "scales": np.float32, "norms": np.float32, "errors": np.float32}
"""A block's arrays of one value a chunk, and their dtypes."""

_QUERY_LEVELS = 63  # beyond, processors without VNNI saturate silently
_FLOAT_MARGIN = 1e-5  # of the float32 arithmetic on the bounds, relative to the number of query tokens


@dataclass(frozen=True)
class Block:
    """Some chunks' rows one after the other; the buffer may be longer than what is used.

    ``values (capacity, dim) uint8``; for each chunk ``rows`` its number, ``lengths`` its tokens, ``scales``, ``norms``
    the largest norm of a row, ``errors`` the largest distance of a row from what was packed, ``live``.
    """

    values: npt.NDArray[np.uint8]
    rows: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    scales: npt.NDArray[np.float32]
    norms: npt.NDArray[np.float32]
    errors: npt.NDArray[np.float32]
    live: npt.NDArray[np.bool_]

    @property
    def tokens(self) -> int:
        return int(self.lengths.sum())

    @property
    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """What is known of each chunk for good."""
        return {name: getattr(self, name) for name in COLUMNS}


@dataclass(frozen=True)
class PackedChunk:
    """One chunk to be scanned: its number, its rows in int8, and how far they are from what is stored."""

    row: int
    packed: PackedRows
    error: float = 0.0


class ScanQueries:
    """Queries rounded to seven bits, side by side: ``columns (dim, all query tokens) int8``."""

    def __init__(self, queries: Sequence[TokenEmbeddings]) -> None:
        rows = np.concatenate(queries).astype(np.float32, copy=False)
        largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
        steps = np.where(largest > 0, largest / _QUERY_LEVELS, 1).astype(np.float32)
        rounded = np.rint(rows / steps)
        self.columns = np.ascontiguousarray(rounded.T.astype(np.int8))
        self.steps = steps
        self.starts = starts_of([len(query) for query in queries])
        distances = np.linalg.norm(rows - rounded * steps, axis=1)
        self.slack = np.add.reduceat(distances, self.starts)
        self.norm = np.add.reduceat(np.linalg.norm(rows, axis=1), self.starts)
        self.margin = np.add.reduceat(np.full(len(rows), _FLOAT_MARGIN, np.float32), self.starts)

    def bounds(self, block: Block) -> npt.NDArray[np.float32]:
        """``(queries, chunks) float32``: no chunk's exact score is above."""
        products = integer_products(block.values[: block.tokens], self.columns)
        maxima = segment_maxima(products, starts_of(block.lengths)) * self.steps
        scores = np.add.reduceat(maxima, self.starts, axis=0) * block.scales
        scores += self.slack[:, None] * block.norms + self.norm[:, None] * block.errors
        scores += self.margin[:, None] * (1 + block.norms)
        scores[:, ~block.live] = -np.inf
        return np.asarray(scores, np.float32)


class PackedScan:
    """Chunks to be scanned, in ascending order of their row numbers."""

    def __init__(self, blocks: Iterable[Block] = ()) -> None:
        self.blocks = tuple(blocks)
        self.rows = np.concatenate([np.empty(0, np.int64), *(block.rows for block in self.blocks)])
        self.live = np.concatenate([np.empty(0, np.bool_), *(block.live for block in self.blocks)])

    def __len__(self) -> int:
        return int(self.live.sum())

    @property
    def tokens(self) -> int:
        """Rows in all, those of removed chunks included."""
        return sum(block.tokens for block in self.blocks)

    def adding(self, chunks: Iterable[PackedChunk]) -> PackedScan:
        """With chunks above all that are in; those without rows are left out."""
        blocks = list(self.blocks)
        for group in _block_groups(chunk for chunk in chunks if len(chunk.packed.values)):
            last = blocks[-1] if blocks else None
            if last is not None and last.tokens + sum(len(c.packed.values) for c in group) <= BLOCK_TOKENS:
                blocks[-1] = _extended(last, group)
            else:
                blocks.append(_new_block(group))
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
                    blocks.append(_compacted(block, live))
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
            found += [self._best(bounds, n, mask) for bounds in self._bounds(ScanQueries(group))]
        return found

    def _mask(self, within: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which of the rows are in ``within``; both ascend."""
        places = np.searchsorted(self.rows, within)
        there = places[places < len(self.rows)]
        mask = np.zeros(len(self.rows), np.bool_)
        mask[there[self.rows[there] == within[: len(there)]]] = True
        return mask

    def _bounds(self, queries: ScanQueries) -> npt.NDArray[np.float32]:
        parts = parallel(lambda blocks: [queries.bounds(block) for block in blocks], _shares(self.blocks))
        return np.concatenate([bounds for part in parts for bounds in part], axis=1)

    def _best(
        self, bounds: npt.NDArray[np.float32], n: int, mask: npt.NDArray[np.bool_] | None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        if mask is not None:
            bounds = np.where(mask, bounds, np.float32(-np.inf))
        best = np.argpartition(bounds, -n)[-n:] if n < len(bounds) else np.arange(len(bounds))
        best = best[bounds[best] > -np.inf]
        best = best[np.lexsort((self.rows[best], -bounds[best]))]
        return self.rows[best], bounds[best]


def _shares(blocks: Sequence[Block]) -> list[tuple[Block, ...]]:
    """Consecutive blocks for each worker, of about as many tokens."""
    ends = np.cumsum([block.tokens for block in blocks])
    worker = np.minimum((ends - 1) * WORKERS // ends[-1], WORKERS - 1)
    pairs = zip(worker, blocks, strict=True)
    return [tuple(block for _, block in group) for _, group in itertools.groupby(pairs, key=lambda pair: pair[0])]


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


def _block_groups(chunks: Iterable[PackedChunk]) -> Iterator[list[PackedChunk]]:
    """Chunks of together at most BLOCK_TOKENS rows, or one longer chunk alone."""
    group: list[PackedChunk] = []
    tokens = 0
    for chunk in chunks:
        if group and tokens + len(chunk.packed.values) > BLOCK_TOKENS:
            yield group
            group, tokens = [], 0
        group.append(chunk)
        tokens += len(chunk.packed.values)
    if group:
        yield group


def _new_block(group: Sequence[PackedChunk]) -> Block:
    return Block(
        values=np.concatenate([chunk.packed.values for chunk in group]),
        rows=np.array([chunk.row for chunk in group], np.int64),
        lengths=np.array([len(chunk.packed.values) for chunk in group], np.int64),
        scales=np.array([chunk.packed.scale for chunk in group], np.float32),
        norms=np.array([chunk.packed.norm for chunk in group], np.float32),
        errors=np.array([chunk.error for chunk in group], np.float32),
        live=np.ones(len(group), np.bool_),
    )


def _extended(block: Block, group: Sequence[PackedChunk]) -> Block:
    """The block and the group after it. Writes behind what the block uses, which none of its readers looks at."""
    more = _new_block(group)
    used, end = block.tokens, block.tokens + more.tokens
    values = block.values
    if len(values) < end or not values.flags.writeable:
        values = np.empty((BLOCK_TOKENS, values.shape[1]), np.uint8)
        values[:used] = block.values[:used]
    values[used:end] = more.values
    joined = {name: np.concatenate([column, more.columns[name]]) for name, column in block.columns.items()}
    return Block(values=values, live=np.concatenate([block.live, more.live]), **joined)


def _compacted(block: Block, live: npt.NDArray[np.bool_]) -> Block:
    kept = np.repeat(live, block.lengths)
    columns = {name: column[live] for name, column in block.columns.items()}
    return Block(values=block.values[: block.tokens][kept], live=np.ones(int(live.sum()), np.bool_), **columns)
