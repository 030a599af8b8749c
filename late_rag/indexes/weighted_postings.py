"""Sparse vectors of chunks, kept by dimension: for each the chunks that have a value there, ascending, in one byte.

Written in one pass over the chunks and one over what was kept of them, so that memory is bounded by a batch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from late_rag.errors import CollectionDamagedError

if TYPE_CHECKING:
    import numpy.typing as npt

LEVELS = 255

_MANIFEST = "manifest.json"
_ROWS, _SCALES, _STARTS = "rows.i64", "scales.f32", "starts.i64"
_PLACES, _VALUES = "places.i32", "values.u8"
_FORWARD = "forward.tmp"
_PIECE = 2**20
_ENTRY = np.dtype([("dimension", np.int32), ("place", np.int32), ("value", np.uint8)])


@dataclass(frozen=True)
class SparseVectors:
    """Of some chunks: their row numbers and scales, and the entries ordered by dimension, then chunk.

    ``owners`` are places among ``rows``; a value is ``values * scales[owner]``.
    """

    rows: npt.NDArray[np.int64]
    scales: npt.NDArray[np.float32]
    dimensions: npt.NDArray[np.int32]
    owners: npt.NDArray[np.int32]
    values: npt.NDArray[np.uint8]


class WeightedPostings:
    """What was written: ``places[starts[d]:starts[d + 1]]`` have a value in dimension ``d``."""

    def __init__(
        self,
        rows: npt.NDArray[np.int64],
        scales: npt.NDArray[np.float32],
        starts: npt.NDArray[np.int64],
        places: npt.NDArray[np.int32],
        values: npt.NDArray[np.uint8],
    ) -> None:
        self.rows = rows
        self.scales = scales
        self.starts = starts
        self.places = places
        self.values = values

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def dimensions(self) -> int:
        return len(self.starts) - 1

    def products(self, query: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """``(dimensions,)`` to ``(chunks,)``: dot products with all chunks; only lists of non-zero values are read."""
        sums = np.zeros(len(self.rows), np.float32)
        for dimension in np.flatnonzero(query).tolist():
            listed = slice(int(self.starts[dimension]), int(self.starts[dimension + 1]))
            sums[self.places[listed]] += self.values[listed] * query[dimension]  # each chunk once in a list
        products: npt.NDArray[np.float32] = sums * self.scales
        return products


def empty(dimensions: int) -> WeightedPostings:
    """Of no chunks."""
    starts = np.zeros(dimensions + 1, np.int64)
    return WeightedPostings(
        np.empty(0, np.int64), np.empty(0, np.float32), starts, np.empty(0, np.int32), np.empty(0, np.uint8)
    )


def write(
    folder: Path, dimensions: int, batches: Iterable[SparseVectors], before: WeightedPostings | None = None
) -> None:
    """Writes chunks, in ascending order of their rows, behind those there were before."""
    rows, scales = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    old = np.zeros(dimensions, np.int64)
    if before is not None:
        rows, scales = [before.rows], [before.scales]
        old = np.diff(before.starts)
    counts, sizes = old.copy(), []
    first = sum(map(len, rows))
    with (folder / _FORWARD).open("wb") as file:
        for batch in batches:
            entries = np.empty(len(batch.values), _ENTRY)
            entries["dimension"], entries["place"] = batch.dimensions, batch.owners + first
            entries["value"] = batch.values
            file.write(entries.tobytes())
            sizes.append(len(entries))
            counts += np.bincount(batch.dimensions, minlength=dimensions)
            rows.append(batch.rows)
            scales.append(batch.scales)
            first += len(batch.rows)
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    _invert(folder, starts, old, sizes, before)
    (folder / _FORWARD).unlink()
    for name, array in ((_ROWS, np.concatenate(rows)), (_SCALES, np.concatenate(scales)), (_STARTS, starts)):
        (folder / name).write_bytes(array.tobytes())
    manifest = {"dimensions": dimensions, "chunks": first, "entries": int(starts[-1])}
    (folder / _MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def _invert(
    folder: Path,
    starts: npt.NDArray[np.int64],
    old: npt.NDArray[np.int64],
    sizes: Sequence[int],
    before: WeightedPostings | None,
) -> None:
    """Puts each entry into the list of its dimension; entries come in order, batch by batch."""
    total = int(starts[-1])
    places, values = _new(folder / _PLACES, np.int32, total), _new(folder / _VALUES, np.uint8, total)
    if before is not None:
        for start, theirs, count in zip(starts.tolist(), before.starts.tolist(), old.tolist(), strict=False):
            places[start : start + count] = before.places[theirs : theirs + count]
            values[start : start + count] = before.values[theirs : theirs + count]
    free = starts[:-1] + old
    with (folder / _FORWARD).open("rb") as file:
        for size in sizes:
            entries = np.fromfile(file, _ENTRY, size)
            ordered = entries["dimension"]
            firsts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if size else np.empty(0, int)
            lengths = np.diff(np.append(firsts, size))
            to = np.arange(size) + np.repeat(free[ordered[firsts]] - firsts, lengths)
            places[to], values[to] = entries["place"], entries["value"]
            free[ordered[firsts]] += lengths
    for array in (places, values):
        if isinstance(array, np.memmap):
            array.flush()


def _new(path: Path, dtype: type[Any], length: int) -> npt.NDArray[Any]:
    """Zeros, mapped; written first, for a full disk is an error there, and the end of the process behind a mapping."""
    size = length * np.dtype(dtype).itemsize
    with path.open("wb") as file:
        for place in range(0, size, _PIECE):
            file.write(bytes(min(_PIECE, size - place)))
    return np.memmap(path, dtype, "r+", shape=(length,)) if length else np.empty(0, dtype)


def read(folder: Path) -> WeightedPostings:
    """What ``write`` wrote.

    Raises:
        CollectionDamagedError: sizes or values that ``write`` does not write.
        OSError, ValueError, KeyError, TypeError: other files than it writes.
    """
    manifest = json.loads((folder / _MANIFEST).read_bytes())
    sizes = [manifest[name] for name in ("dimensions", "chunks", "entries")]
    if not all(type(size) is int and 0 <= size < 2**40 for size in sizes):
        raise CollectionDamagedError(f"{folder}: sizes are {str(sizes)[:80]}")
    dimensions, chunks, entries = sizes
    rows, scales = _column(folder / _ROWS, np.int64, chunks), _column(folder / _SCALES, np.float32, chunks)
    starts = _column(folder / _STARTS, np.int64, dimensions + 1)
    places, values = _column(folder / _PLACES, np.int32, entries), _column(folder / _VALUES, np.uint8, entries)
    ascending = not chunks or (rows[0] > 0 and (np.diff(rows) > 0).all())
    if not ascending or not np.isfinite(scales).all() or starts[0] != 0 or starts[-1] != entries:
        raise CollectionDamagedError(f"{folder}: rows do not ascend, or scales or starts cannot be")
    if (np.diff(starts) < 0).any() or (entries and not 0 <= places.min() <= places.max() < chunks):
        raise CollectionDamagedError(f"{folder}: lists do not follow each other, or name chunks that are not there")
    return WeightedPostings(rows, scales, starts, places, values)


def _column(path: Path, dtype: type[Any], length: int) -> npt.NDArray[Any]:
    content = path.read_bytes()
    if len(content) != length * np.dtype(dtype).itemsize:
        raise CollectionDamagedError(f"{path}: has {len(content)} bytes where {length} values are expected")
    return np.frombuffer(content, dtype)
