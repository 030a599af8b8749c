"""Some chunks' packed rows, laid out so that the maxima over each chunk cost little more than the products.

Each chunk's rows are padded to a multiple of ``group`` by repeating the last one, which changes no maximum. The first
rows of all groups stand first, then the second rows of all, and so on: then most of the maxima are element by element
over long runs of memory, and only one row a group is left to be looked at chunk by chunk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from late_rag.scoring.packing import PackedRows
from late_rag.scoring.products import integer_products
from late_rag.scoring.scores import starts_of

if TYPE_CHECKING:
    import numpy.typing as npt

BLOCK_TOKENS = 16_384
"""Rows a block holds: 2 MiB at 128 dims, so that a block and its products stay near the core that reads them."""

COLUMNS = {"rows": np.int64, "lengths": np.int64, "scales": np.float32, "norms": np.float32, "errors": np.float32}
"""A block's arrays of one value a chunk, and their dtypes."""

_GROUPS_A_CHUNK = 16  # about: more make the maxima slower, fewer make the padding longer


@dataclass(frozen=True)
class PackedChunk:
    """One chunk to be scanned: its number, its rows in int8, and how far they are from what is stored."""

    row: int
    packed: PackedRows
    error: float = 0.0


class Layout:
    """Where the rows of chunks of these lengths stand; follows from the lengths alone.

    ``group`` rows form a group; ``rows`` there are with the padding; ``starts`` is each chunk's first group.
    """

    def __init__(self, lengths: npt.NDArray[np.int64]) -> None:
        self._lengths = lengths
        self.group = 1 << max(0, int(lengths.mean() / _GROUPS_A_CHUNK).bit_length() - 1)
        self._groups = -(-lengths // self.group)
        self.starts = starts_of(self._groups)
        self.rows = int(self._groups.sum()) * self.group

    def sources(self) -> npt.NDArray[np.int64]:
        """``(rows,)``: for each row here, which of the chunks' rows one after the other it is."""
        groups = np.arange(self.rows // self.group) - np.repeat(self.starts, self._groups)
        within = groups * self.group + np.arange(self.group)[:, None]
        last, first = (np.repeat(values, self._groups) for values in (self._lengths - 1, starts_of(self._lengths)))
        sources: npt.NDArray[np.int64] = first + np.minimum(within, last)
        return sources.ravel()


@dataclass(frozen=True)
class Block:
    """Packed rows of some chunks, in the order of their numbers.

    ``values (layout.rows, dim) uint8``; for each chunk ``rows`` its number, ``lengths`` its tokens, ``scales``,
    ``norms`` the largest norm of a row, ``errors`` the largest distance of a row from what was packed, ``live``.
    """

    values: npt.NDArray[np.uint8]
    rows: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    scales: npt.NDArray[np.float32]
    norms: npt.NDArray[np.float32]
    errors: npt.NDArray[np.float32]
    live: npt.NDArray[np.bool_]

    @cached_property
    def layout(self) -> Layout:
        return Layout(self.lengths)

    @cached_property
    def tokens(self) -> int:
        """Rows without the padding."""
        return int(self.lengths.sum())

    @property
    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """What is known of each chunk for good."""
        return {name: getattr(self, name) for name in COLUMNS}

    def maxima(self, query: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
        """``(dim, n) int8`` to ``(chunks, n) int32``: each chunk's largest product with each query token."""
        products = integer_products(self.values, query)
        groups = products.reshape(self.layout.group, -1, query.shape[1]).max(axis=0)
        maxima: npt.NDArray[np.int32] = np.maximum.reduceat(groups, self.layout.starts, axis=0)
        return maxima

    def plain(self) -> npt.NDArray[np.uint8]:
        """``(tokens, dim) uint8``: the chunks' rows one after the other, without the padding."""
        rows = np.empty((self.tokens, self.values.shape[1]), np.uint8)
        rows[self.layout.sources()] = self.values
        return rows


def block_of(group: Sequence[PackedChunk]) -> Block:
    """A block of chunks that have rows."""
    values = np.concatenate([chunk.packed.values for chunk in group])
    lengths = np.array([len(chunk.packed.values) for chunk in group], np.int64)
    return Block(
        values=values[Layout(lengths).sources()],
        rows=np.array([chunk.row for chunk in group], np.int64),
        lengths=lengths,
        scales=np.array([chunk.packed.scale for chunk in group], np.float32),
        norms=np.array([chunk.packed.norm for chunk in group], np.float32),
        errors=np.array([chunk.error for chunk in group], np.float32),
        live=np.ones(len(group), np.bool_),
    )


def joined(blocks: Sequence[Block]) -> Block:
    """The live chunks of some blocks as one block."""
    kept = [np.repeat(block.live, block.lengths) for block in blocks]
    values = np.concatenate([block.plain()[rows] for block, rows in zip(blocks, kept, strict=True)])
    columns = {name: np.concatenate([block.columns[name][block.live] for block in blocks]) for name in COLUMNS}
    live = np.ones(len(columns["rows"]), np.bool_)
    return Block(values=values[Layout(columns["lengths"]).sources()], live=live, **columns)


def grouped(chunks: Iterable[PackedChunk]) -> Iterator[list[PackedChunk]]:
    """Chunks of together at most BLOCK_TOKENS rows, or one longer chunk alone; those without rows are left out."""
    group: list[PackedChunk] = []
    tokens = 0
    for chunk in chunks:
        length = len(chunk.packed.values)
        if group and tokens + length > BLOCK_TOKENS:
            yield group
            group, tokens = [], 0
        if length:
            group.append(chunk)
            tokens += length
    if group:
        yield group
