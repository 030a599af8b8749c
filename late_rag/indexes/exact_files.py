"""The files of the exact index: how packed rows are written, read and mapped.

Whether they are what was written is found by whoever keeps them (:mod:`late_rag.collections.local.index_files`); what
is looked at here is that values are possible, for a collection may come from anywhere.

They are written once, into a folder of their own, and never again in place: whoever has mapped them keeps what he has.
A file that somebody else cuts while it is mapped would end the process at the next look at what is gone (SIGBUS); so
what is small is read, and the length of what is mapped is looked at before every scan.
"""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from late_rag.errors import CollectionDamagedError
from late_rag.indexes.blocks import COLUMNS, Block, Layout

if TYPE_CHECKING:
    import numpy.typing as npt

    Columns = Mapping[str, npt.NDArray[Any]]

MAPPED_BYTES = 32 * 2**20
"""Rows of fewer bytes are read; a process that has its own copy of so few does no harm."""

_VALUES = "values.u8"
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Mapped:
    """The file of rows behind an index; ``mapping`` is None where it was read."""

    path: Path
    dim: int
    size: int
    mapping: mmap.mmap | None = None

    def check(self, dim: int) -> None:
        """Raises CollectionDamagedError where the file is shorter than it was, or its rows are not of this dim."""
        if self.mapping is not None and self.mapping.size() < self.size:
            raise CollectionDamagedError(
                f"{self.path}: was cut from {self.size} to {self.mapping.size()} bytes while it was in use; the next "
                "write or optimize() writes it anew"
            )
        if self.size and dim != self.dim:
            raise CollectionDamagedError(f"{self.path}: rows have dim {self.dim}, queries have {dim}")


def write(folder: Path, kind: str, dim: int, blocks: Iterable[Block]) -> None:
    """Writes the rows of all blocks as they come, one array for each property of a chunk, and what belongs together."""
    columns: dict[str, list[npt.NDArray[Any]]] = {name: [np.empty(0, dtype)] for name, dtype in COLUMNS.items()}
    chunks, rows = [], []
    with (folder / _VALUES).open("wb") as file:
        for block in blocks:
            file.write(block.values.data)
            chunks.append(len(block.rows))
            rows.append(len(block.values))
            for name, column in block.columns.items():
                columns[name].append(column)
    for name, parts in columns.items():
        (folder / f"{name}.bin").write_bytes(np.concatenate(parts).tobytes())
    manifest = {"kind": kind, "dim": dim, "chunks": chunks, "rows": rows}
    (folder / _MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def read(folder: Path, kind: str) -> tuple[list[Block], Mapped]:
    """The blocks that were written, and the file that their rows are in.

    Raises:
        CollectionDamagedError: sizes, shapes or values that ``write`` does not write.
        OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError: other files than it writes.
    """
    manifest = json.loads((folder / _MANIFEST).read_bytes())
    chunks, rows = _counts(manifest["chunks"]), _counts(manifest["rows"])
    (dim,) = _counts([manifest["dim"]])
    if manifest["kind"] != kind or len(chunks) != len(rows):
        raise CollectionDamagedError(f"{folder}: the files do not belong together")
    columns = {name: _column(folder / f"{name}.bin", dtype, sum(chunks)) for name, dtype in COLUMNS.items()}
    _check_columns(folder, columns, sum(rows))
    values, mapped = _values(folder / _VALUES, sum(rows), dim)
    return list(_blocks(folder, values, columns, chunks, rows)), mapped


def _counts(values: Any) -> list[int]:
    if not isinstance(values, list) or not all(type(value) is int and 0 <= value < 2**40 for value in values):
        raise CollectionDamagedError(f"not a list of sizes: {str(values)[:80]}")
    return values


def _column(path: Path, dtype: type[Any], length: int) -> npt.NDArray[Any]:
    content = path.read_bytes()
    _check_size(path, len(content), length, np.dtype(dtype).itemsize)
    return np.frombuffer(content, dtype)


def _check_size(path: Path, size: int, rows: int, width: int) -> None:
    if size != rows * width:
        raise CollectionDamagedError(f"{path}: {rows} rows of {width} bytes are {rows * width}, there are {size}")


def _check_columns(folder: Path, columns: Columns, rows: int) -> None:
    numbers, lengths = columns["rows"], columns["lengths"]
    ascending = not len(numbers) or (numbers[0] > 0 and (np.diff(numbers) > 0).all())
    if not ascending or (lengths < 1).any() or (lengths > rows).any():
        raise CollectionDamagedError(f"{folder}: row numbers do not ascend, or chunks have impossible lengths")
    if not all(np.isfinite(columns[name]).all() for name in ("scales", "norms", "errors")):
        raise CollectionDamagedError(f"{folder}: scales, norms or errors are not finite")


def _values(path: Path, rows: int, dim: int) -> tuple[npt.NDArray[np.uint8], Mapped]:
    size = rows * dim
    with path.open("rb") as file:
        _check_size(path, os.fstat(file.fileno()).st_size, rows, dim)
        if size < MAPPED_BYTES:
            content = file.read()
            _check_size(path, len(content), rows, dim)
            return np.frombuffer(content, np.uint8).reshape(rows, dim), Mapped(path, dim, size)
        mapping = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    return np.frombuffer(mapping, np.uint8).reshape(rows, dim), Mapped(path, dim, size, mapping)


def _blocks(
    folder: Path, values: npt.NDArray[np.uint8], columns: Columns, chunks: Sequence[int], rows: Sequence[int]
) -> Iterator[Block]:
    """Blocks that are views of the file."""
    chunk = row = 0
    for size, length in zip(chunks, rows, strict=True):
        known = {name: column[chunk : chunk + size] for name, column in columns.items()}
        if not size or Layout(known["lengths"]).rows != length:
            raise CollectionDamagedError(f"{folder}: a block of {size} chunks does not have {length} rows")
        yield Block(values=values[row : row + length], live=np.ones(size, np.bool_), **known)
        chunk, row = chunk + size, row + length
