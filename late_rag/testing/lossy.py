"""An index that loses candidates on purpose, so that what stands on approximate indexes is tested."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from late_rag.errors import InputError
from late_rag.indexes.exact import ExactIndex
from late_rag.protocols import silent

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.protocols import Done, Rows
    from late_rag.types import TokenEmbeddings


@dataclass(frozen=True, slots=True)
class LossyOptions:
    """What is lost."""

    loss: float = 0.05
    """The share of the rows that a query finds too late, from 0 to 1."""

    delay: float = 0.25
    """By how many ranks at most, as a share of all rows; 1 puts some of them behind everything."""

    def __post_init__(self) -> None:
        for name, value in (("loss", self.loss), ("delay", self.delay)):
            if not 0 <= value <= 1:
                raise InputError(f"{name} is from 0 to 1, not {value}")


class LossyIndex:
    """The exact index, of which each query finds a share of the rows too late: the same query always the same ones.

    So more candidates find more. Its scores are far below the exact ones, so that nobody can take them for upper
    bounds. To be used by name it needs a row: ``backends.INDEXES["lossy"] = Backend("late_rag.testing.lossy",
    "LossyIndex", options="LossyOptions")``.
    """

    kind: ClassVar[str] = "lossy"
    slow_build: ClassVar[bool] = False
    upper_bounds: ClassVar[bool] = False
    recall: ClassVar[float] = 0.9

    def __init__(self, exact: ExactIndex, options: LossyOptions) -> None:
        self._exact = exact
        self._options = options

    def __len__(self) -> int:
        return len(self._exact)

    @classmethod
    def create(
        cls,
        folder: Path,
        rows: Rows,
        dim: int,
        options: LossyOptions | None = None,
        device: str = "cpu",
        progress: Done = silent,
    ) -> LossyIndex:
        """Writes the files of the exact index, in a folder of their own."""
        (folder / "exact").mkdir()
        exact = ExactIndex.create(folder / "exact", rows, dim, None, device, progress)
        return cls(exact, options or LossyOptions())

    @classmethod
    def open(cls, folder: Path, options: LossyOptions | None = None, device: str = "cpu") -> LossyIndex:
        """What ``create`` or ``add`` wrote."""
        return cls(ExactIndex.open(folder / "exact", None, device), options or LossyOptions())

    def add(self, folder: Path, rows: Rows, progress: Done = silent) -> LossyIndex:
        """The same with more rows."""
        (folder / "exact").mkdir()
        return type(self)(self._exact.add(folder / "exact", rows, progress), self._options)

    def close(self) -> None:
        """Lets go of the files."""
        self._exact.close()

    def search(
        self, queries: Sequence[TokenEmbeddings], n: int, within: npt.NDArray[np.int64] | None = None
    ) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """Row numbers, those that come too late further behind, and half of the scores, best first."""
        found = self._exact.search(queries, max(1, len(self)), within)
        return [self._late(query, rows, scores, n) for query, (rows, scores) in zip(queries, found, strict=True)]

    def _late(
        self, query: TokenEmbeddings, rows: npt.NDArray[np.int64], scores: npt.NDArray[np.float32], n: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        random = np.random.default_rng(zlib.crc32(query.tobytes()))
        fates, delays = random.random((2, int(rows.max(initial=0)) + 1))[:, rows]
        ranks = np.arange(len(rows)) + np.where(fates < self._options.loss, delays * self._options.delay * len(self), 0)
        return rows[np.argsort(ranks, kind="stable")[:n]], scores[:n] * np.float32(0.5)
