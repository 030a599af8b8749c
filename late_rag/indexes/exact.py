"""The exact index: no candidates are lost, because every chunk is scanned (see :mod:`late_rag.indexes.packed`).

On disk it is the packed rows in one array (:mod:`late_rag.indexes.exact_files`), which is mapped where it is large:
processes share it, and opening takes no time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from late_rag.errors import InputError
from late_rag.indexes import exact_files
from late_rag.indexes.blocks import Block, PackedChunk, block_of, grouped
from late_rag.indexes.packed import PackedScan
from late_rag.protocols import silent
from late_rag.scoring.packing import pack, unpack

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.protocols import Done, Rows
    from late_rag.types import TokenEmbeddings


def packed_chunk(row: int, embeddings: TokenEmbeddings) -> PackedChunk:
    """Rows in int8, and the largest distance of one from what it was."""
    packed = pack(embeddings)
    distances = np.linalg.norm(embeddings - unpack(packed), axis=1)
    return PackedChunk(row, packed, float(distances.max(initial=0.0)))


class ExactIndex:
    """Scans all rows; approximate scores are upper bounds of the exact ones."""

    kind: ClassVar[str] = "exact"
    slow_build: ClassVar[bool] = False
    upper_bounds: ClassVar[bool] = True
    recall: ClassVar[float] = 1.0

    def __init__(self, scan: PackedScan, mapped: exact_files.Mapped) -> None:
        self._scan = scan
        self._mapped: exact_files.Mapped = mapped

    def __len__(self) -> int:
        return len(self._scan)

    @classmethod
    def create(
        cls, folder: Path, rows: Rows, dim: int, options: None = None, device: str = "cpu", progress: Done = silent
    ) -> ExactIndex:
        """Writes the packed rows block by block and, beside them, one array for each property of a chunk."""
        exact_files.write(folder, cls.kind, dim, _blocks(rows, 0, progress))
        return cls.open(folder, options, device)

    @classmethod
    def open(cls, folder: Path, options: None = None, device: str = "cpu") -> ExactIndex:  # noqa: ARG003  # protocol
        """What ``create`` or ``add`` wrote, with the rows mapped from the file where they are many."""
        blocks, mapped = exact_files.read(folder, cls.kind)
        return cls(PackedScan(blocks), mapped)

    def add(self, folder: Path, rows: Rows, progress: Done = silent) -> ExactIndex:
        """The blocks there are, and behind them those of more rows."""
        last = int(self._scan.rows[-1]) if len(self._scan.rows) else 0
        exact_files.write(folder, self.kind, self._mapped.dim, chain(self._scan.blocks, _blocks(rows, last, progress)))
        return self.open(folder)

    def search(
        self, queries: Sequence[TokenEmbeddings], n: int, within: npt.NDArray[np.int64] | None = None
    ) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """Row numbers and upper bounds of their scores, best first.

        Raises:
            CollectionDamagedError: the file that is mapped was cut since it was opened, or its rows are not of the
                queries' dim.
        """
        self._mapped.check(queries[0].shape[1] if queries else self._mapped.dim)
        return self._scan.search(queries, n, within)

    def close(self) -> None:
        """Lets go of the rows; the file is unmapped when no search reads it any more."""
        self._scan = PackedScan()


def _blocks(rows: Rows, after: int, progress: Done) -> Iterator[Block]:
    done = 0
    for group in grouped(packed_chunk(row, embeddings) for row, embeddings in ascending(rows, after)):
        yield block_of(group)
        done += len(group)
        progress(done)


def ascending(rows: Rows, after: int) -> Iterator[tuple[int, TokenEmbeddings]]:
    """Rows that ascend and are above ``after``.

    Raises:
        InputError: a row that is not.
    """
    for row, embeddings in rows:
        if row <= after:
            raise InputError(f"rows must be above all that are in the index and ascend, got {row} after {after}")
        after = row
        yield row, embeddings
