"""Indexes of one vector a chunk, whose dot product with a query's one vector stands for MaxSim: scanned in int8.

A subclass says how token rows become that vector (MUVERA, SMVE). It is packed and kept like a chunk of one row, in the
files of the exact index; what the scan gives is the estimate itself, as there is no bound of MaxSim in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

import numpy as np

from late_rag.errors import CollectionDamagedError
from late_rag.indexes import exact_files
from late_rag.indexes.blocks import Block, PackedChunk, block_of
from late_rag.indexes.exact import ascending
from late_rag.indexes.packed import PackedScan, ScanQueries
from late_rag.indexes.sampling import batches, first_rows
from late_rag.protocols import silent
from late_rag.scoring.packing import pack
from late_rag.scoring.workers import CORES, parallel
from late_rag.types import batched

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.protocols import Done, Rows
    from late_rag.types import TokenEmbeddings

_BLOCK_BYTES = 2**21


class ChunkEncoding(Protocol):
    """How rows become one vector. What was drawn or learned for it is kept beside the index."""

    @property
    def dim(self) -> int:
        """Of the token rows."""

    @property
    def width(self) -> int:
        """Of the one vector."""

    def query(self, rows: TokenEmbeddings) -> npt.NDArray[np.float32]:
        """``(tokens, dim)`` to ``(width,)``."""

    def chunks(self, rows: TokenEmbeddings, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """``(tokens, dim)`` of chunks one after the other, each of at least one row, to ``(chunks, width)``."""

    def write(self, folder: Path) -> None:
        """Into files whose names no index has."""


class SingleVectorIndex:
    """Scans one vector a chunk; its scores are estimates."""

    kind: ClassVar[str]
    slow_build: ClassVar[bool] = False
    upper_bounds: ClassVar[bool] = False
    recall: ClassVar[float] = 0.9

    def __init__(self, encoding: ChunkEncoding, scan: _Scan, mapped: exact_files.Mapped, options: Any) -> None:
        self._encoding = encoding
        self._scan = scan
        self._mapped = mapped
        self._options = options

    def __len__(self) -> int:
        return len(self._scan)

    @classmethod
    def drawn(cls, options: Any, dim: int, sample: Sequence[TokenEmbeddings]) -> ChunkEncoding:
        """A new encoding for rows of this dim, of which some are given."""
        raise NotImplementedError

    @classmethod
    def read(cls, options: Any, folder: Path) -> ChunkEncoding:
        """What an encoding of these options wrote."""
        raise NotImplementedError

    @classmethod
    def create(
        cls, folder: Path, rows: Rows, dim: int, options: Any = None, device: str = "cpu", progress: Done = silent
    ) -> Self:
        """Draws the encoding, learns from the first rows what it has to learn, and writes the vectors of all."""
        stream = iter(rows)
        first = list(first_rows(stream))
        encoding = cls.drawn(options, dim, [embeddings for _, embeddings in first if len(embeddings)])
        encoding.write(folder)
        exact_files.write(folder, cls.kind, encoding.width, _blocks(encoding, chain(first, stream), 0, progress))
        return cls.open(folder, options, device)

    @classmethod
    def open(cls, folder: Path, options: Any = None, device: str = "cpu") -> Self:  # noqa: ARG003  # protocol
        """What ``create`` or ``add`` wrote."""
        encoding = cls.read(options, folder)
        blocks, mapped = exact_files.read(folder, cls.kind)
        if mapped.dim != encoding.width:
            raise CollectionDamagedError(f"{folder}: vectors of {mapped.dim} numbers, {encoding.width} are expected")
        return cls(encoding, _Scan(blocks), mapped, options)

    def add(self, folder: Path, rows: Rows, progress: Done = silent) -> Self:
        """The vectors there are, and behind them those of more rows, encoded in the same way."""
        last = int(self._scan.rows[-1]) if len(self._scan.rows) else 0
        self._encoding.write(folder)
        blocks = chain(self._scan.blocks, _blocks(self._encoding, rows, last, progress))
        exact_files.write(folder, self.kind, self._encoding.width, blocks)
        return self.open(folder, self._options)

    def search(
        self, queries: Sequence[TokenEmbeddings], n: int, within: npt.NDArray[np.int64] | None = None
    ) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """Row numbers and estimates of their scores, best first.

        Raises:
            CollectionDamagedError: the file that is mapped was cut since it was opened, or its rows are not of the
                queries' dim.
        """
        self._mapped.check(self._encoding.width)
        for query in queries:
            if query.shape[1] != self._encoding.dim:
                raise CollectionDamagedError(
                    f"{self._mapped.path}: made of rows of dim {self._encoding.dim}, queries have {query.shape[1]}"
                )
        return self._scan.search([self._encoding.query(query)[None] for query in queries], n, within)

    def close(self) -> None:
        """Lets go of the vectors; the file is unmapped when no search reads it any more."""
        self._scan = _Scan()


class _Scan(PackedScan):
    """The products alone: what bounds add for rounding would favour vectors that are long."""

    def _bounds_of(self, group: Sequence[TokenEmbeddings]) -> Sequence[npt.NDArray[np.float32]]:
        estimates = np.concatenate(parallel(ScanQueries(group).sums, self.blocks)).T * self._scales
        return list(estimates)


def _blocks(encoding: ChunkEncoding, rows: Rows, after: int, progress: Done) -> Iterator[Block]:
    def vectors(batch: Sequence[tuple[int, TokenEmbeddings]]) -> list[PackedChunk]:
        lengths = np.array([len(embeddings) for _, embeddings in batch], np.int64)
        encoded = encoding.chunks(np.concatenate([embeddings for _, embeddings in batch]), lengths)
        return [PackedChunk(row, pack(vector[None])) for (row, _), vector in zip(batch, encoded, strict=True)]

    def packed() -> Iterator[PackedChunk]:
        for group in batched(batches(ascending(rows, after), width=encoding.width), CORES):
            for chunks in parallel(vectors, group):
                yield from chunks

    done = 0
    for group in batched(packed(), max(1, _BLOCK_BYTES // encoding.width)):
        yield block_of(group)
        done += len(group)
        progress(done)
