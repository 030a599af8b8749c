"""An index that loses candidates on purpose, so that what stands on approximate indexes is tested."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from late_rag.indexes.exact import ExactIndex

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.types import TokenEmbeddings


class LossyIndex:
    """The exact index, of whose candidates each query loses a share: the same query always the same ones.

    Its scores are far below the exact ones, so that nobody can take them for upper bounds. To be used by name it needs
    a row: ``backends.INDEXES["lossy"] = Backend("late_rag.testing", "LossyIndex")``. A subclass may set another loss.
    """

    kind: ClassVar[str] = "lossy"
    slow_build: ClassVar[bool] = False
    upper_bounds: ClassVar[bool] = False
    recall: ClassVar[float] = 0.9
    loss: ClassVar[float] = 0.05
    """The share of the rows that a query cannot find, from 0 to 1."""

    def __init__(self) -> None:
        self._exact = ExactIndex()

    def __len__(self) -> int:
        return len(self._exact)

    def build(self, rows: Iterable[tuple[int, TokenEmbeddings]]) -> None:
        """Replaces whatever is in the index."""
        self._exact.build(rows)

    def add(self, rows: Sequence[int], embeddings: Sequence[TokenEmbeddings]) -> None:
        """Appends rows above all that are in; ``InputError`` for one that is not."""
        self._exact.add(rows, embeddings)

    def save(self, folder: Path) -> None:
        """Writes the files of the exact index."""
        self._exact.save(folder)

    @classmethod
    def open(cls, folder: Path) -> LossyIndex:
        """What ``save`` wrote; ``CollectionDamagedError`` where it is not."""
        index = cls()
        index._exact = ExactIndex.open(folder)
        return index

    def search(
        self, queries: Sequence[TokenEmbeddings], n: int, within: npt.NDArray[np.int64] | None = None
    ) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """Row numbers and half their scores, best first, of the rows that are not lost."""
        found = self._exact.search(queries, max(1, len(self)), within)
        return [self._left(query, rows, scores, n) for query, (rows, scores) in zip(queries, found, strict=True)]

    def _left(
        self, query: TokenEmbeddings, rows: npt.NDArray[np.int64], scores: npt.NDArray[np.float32], n: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        fates = np.random.default_rng(zlib.crc32(query.tobytes())).random(int(rows.max(initial=0)) + 1)
        left = np.flatnonzero(fates[rows] >= self.loss)[:n]
        return rows[left], scores[left] * np.float32(0.5)
