"""The exact index: no candidates are lost, because every chunk is scanned (see :mod:`late_rag.indexes.packed`).

On disk it is the packed rows in one array that is mapped, not read: processes share it, and opening takes no time.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from late_rag.errors import CollectionDamagedError, InputError
from late_rag.indexes.blocks import COLUMNS, Block, Layout, PackedChunk
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

    def __init__(self) -> None:
        self._scan = PackedScan()

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
        """Row numbers and upper bounds of their scores, best first."""
        return self._scan.search(queries, n, within)

    def save(self, folder: Path) -> None:
        """Writes the packed rows and, beside them, one array for each property of a chunk."""
        blocks = self._scan.blocks
        columns = {
            name: np.concatenate([np.empty(0, dtype), *(block.columns[name] for block in blocks)])
            for name, dtype in COLUMNS.items()
        }
        for name, column in columns.items():
            np.save(folder / f"{name}.npy", column, allow_pickle=False)
        with (folder / "values.u8").open("wb") as file:
            for block in blocks:
                file.write(block.values.tobytes())
        manifest = {
            "kind": self.kind,
            "dim": blocks[0].values.shape[1] if blocks else 0,
            "chunks": [len(block.rows) for block in blocks],
            "rows": [len(block.values) for block in blocks],
            "checks": _checks(columns),
        }
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")

    @classmethod
    def open(cls, folder: Path) -> ExactIndex:
        """What ``save`` wrote, with the rows mapped from the file.

        Raises:
            CollectionDamagedError: files are missing or are not what was written.
        """
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
            columns = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in COLUMNS}
            shape = sum(manifest["rows"]), manifest["dim"]
            if manifest["kind"] != cls.kind or manifest["checks"] != _checks(columns):
                raise CollectionDamagedError(f"{folder}: the files do not belong together")
            if (folder / "values.u8").stat().st_size != shape[0] * shape[1]:
                raise CollectionDamagedError(f"{folder / 'values.u8'}: not {shape[0]} rows of {shape[1]} bytes")
            values = np.memmap(folder / "values.u8", np.uint8, "r", shape=shape) if shape[0] else np.empty(shape)
            blocks = list(_mapped_blocks(values, columns, manifest["chunks"]))
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise CollectionDamagedError(f"{folder}: {error}") from error
        index = cls()
        index._scan = PackedScan(blocks)
        return index


def _checks(columns: dict[str, npt.NDArray[Any]]) -> dict[str, int]:
    return {name: zlib.crc32(column.tobytes()) for name, column in columns.items()}


def _mapped_blocks(
    values: npt.NDArray[np.uint8], columns: dict[str, npt.NDArray[Any]], sizes: Sequence[int]
) -> Iterator[Block]:
    """Blocks that are views of the file; ``sizes`` are their numbers of chunks."""
    chunk = row = 0
    for size in sizes:
        known = {name: column[chunk : chunk + size] for name, column in columns.items()}
        end = row + Layout(known["lengths"]).rows
        yield Block(values=np.asarray(values[row:end]), live=np.ones(size, np.bool_), **known)
        chunk, row = chunk + size, end
