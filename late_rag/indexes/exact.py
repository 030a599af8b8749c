"""The exact index: no candidates are lost, because every chunk is scanned (see :mod:`late_rag.indexes.packed`).

On disk it is the packed rows in one array (:mod:`late_rag.indexes.exact_files`), which is mapped where it is large:
processes share it, and opening takes no time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from late_rag.errors import CollectionDamagedError, InputError
from late_rag.indexes import exact_files
from late_rag.indexes.blocks import PackedChunk
from late_rag.indexes.packed import PackedScan
from late_rag.scoring.packing import pack, unpack

if TYPE_CHECKING:
    import numpy.typing as npt

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

    def __init__(self) -> None:
        self._scan = PackedScan()
        self._mapped: exact_files.Mapped | None = None

    def __len__(self) -> int:
        return len(self._scan)

    def build(self, rows: Iterable[tuple[int, TokenEmbeddings]]) -> None:
        """Replaces whatever is in the index."""
        self._scan = PackedScan().adding(packed_chunk(row, embeddings) for row, embeddings in rows)

    def add(self, rows: Sequence[int], embeddings: Sequence[TokenEmbeddings]) -> None:
        """Appends rows above all that are in.

        Raises:
            InputError: a row that is not above all before it.
        """
        numbers = [*self._scan.rows[-1:].tolist(), *rows]
        if any(later <= earlier for earlier, later in pairwise(numbers)):
            raise InputError(f"rows must be above all that are in the index and ascend, got {list(rows)[:5]}…")
        self._scan = self._scan.adding(packed_chunk(row, rows_) for row, rows_ in zip(rows, embeddings, strict=True))

    def search(
        self, queries: Sequence[TokenEmbeddings], n: int, within: npt.NDArray[np.int64] | None = None
    ) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """Row numbers and upper bounds of their scores, best first.

        Raises:
            CollectionDamagedError: the file that is mapped was cut since it was opened, or its rows are not of the
                queries' dim.
        """
        if self._mapped is not None:
            self._mapped.check(queries[0].shape[1] if queries else self._mapped.dim)
        return self._scan.search(queries, n, within)

    def save(self, folder: Path) -> None:
        """Writes the packed rows and, beside them, one array for each property of a chunk."""
        exact_files.write(folder, self.kind, self._scan.blocks)

    @classmethod
    def open(cls, folder: Path) -> ExactIndex:
        """What ``save`` wrote, with the rows mapped from the file where they are many.

        Raises:
            CollectionDamagedError: files are missing or are not what was written.
        """
        index = cls()
        try:
            blocks, index._mapped = exact_files.read(folder, cls.kind)
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise CollectionDamagedError(f"{folder}: not index files as late_rag writes them: {error!r}") from error
        index._scan = PackedScan(blocks)
        return index
