"""Token rows rounded to int8, in a file that goes with the building: what is read twice need not fit in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from late_rag.indexes.exact import ascending
from late_rag.indexes.sampling import batches
from late_rag.protocols import silent
from late_rag.scoring.packing import ZERO_POINT
from late_rag.scoring.workers import parallel

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.protocols import Done, Rows
    from late_rag.types import TokenEmbeddings

_LEVELS = 127
_BLOCK = 2048
"""Rows that one thread rounds at a time: 1 MiB at 128 dims, which stays near its core."""

_BATCH = 32_768
"""Rows taken from the stream at a time."""


class Spool:
    """Rows of many chunks as ``values (rows, dim) uint8``, zero point 128, each row by a step of its own.

    So directions are kept, and what rows of different chunks have in common is not how long they are. ``numbers`` and
    ``lengths`` are those of the chunks that have rows. The file has no name once it is open.
    """

    def __init__(self, folder: Path, dim: int) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # closed by close()
        self._dim = dim
        self.numbers = np.empty(0, np.int64)
        self.lengths = np.empty(0, np.int64)
        self.values: npt.NDArray[np.uint8] = np.empty((0, dim), np.uint8)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self.values = np.empty((0, self._dim), np.uint8)  # unmaps
        self._file.close()

    def fill(self, rows: Rows, after: int = 0, progress: Done = silent) -> None:
        """Takes all rows of a stream; those of chunks without rows are left out.

        Raises:
            InputError: row numbers that do not ascend, or are not above ``after``.
        """
        numbers: list[int] = []
        lengths: list[int] = []
        for batch in batches(ascending(rows, after), _BATCH):
            found = [embeddings for _, embeddings in batch]
            numbers += [number for number, _ in batch]
            lengths += map(len, found)
            joined = np.concatenate(found)
            parts = [joined[first : first + _BLOCK] for first in range(0, len(joined), _BLOCK)]
            for block in parallel(rounded_rows, parts):
                self._file.write(block.data)
            progress(len(numbers))
        self._file.flush()
        self.numbers, self.lengths = np.array(numbers, np.int64), np.array(lengths, np.int64)
        if count := int(self.lengths.sum()):
            self.values = np.memmap(self._file, np.uint8, "r", shape=(count, self._dim))

    def sample(self, most: int, seed: int) -> npt.NDArray[np.uint8]:
        """At most so many rows: all, or runs of 64, so that the file is read in pages."""
        run = 64
        if len(self.values) <= max(most, run):
            return np.array(self.values)
        runs = len(self.values) // run
        starts = np.sort(np.random.default_rng(seed).choice(runs, min(runs, max(1, most // run)), replace=False)) * run
        return np.concatenate([self.values[start : start + run] for start in starts.tolist()])


def rounded_rows(rows: TokenEmbeddings) -> npt.NDArray[np.uint8]:
    """``(n, dim) float32`` to uint8 of zero point 128, each row's largest value at the end of the range."""
    largest = np.maximum(rows.max(axis=1), -rows.min(axis=1))
    steps = np.where(largest > np.finfo(np.float32).tiny * _LEVELS, _LEVELS / np.maximum(largest, 1e-30), 0)
    values = rows * steps.astype(np.float32)[:, None]
    values += np.float32(ZERO_POINT + 0.5)  # above 0, where truncation rounds down
    return values.astype(np.uint8)
