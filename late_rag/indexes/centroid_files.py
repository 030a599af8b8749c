"""The files of the centroid index: two arrays that may be large, and one file for each of the small ones.

Whether they are what was written is found by whoever keeps them; what is looked at here is that values are possible,
for a collection may come from anywhere.
"""

from __future__ import annotations

import json
import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from late_rag.errors import CollectionDamagedError
from late_rag.indexes.centroid_postings import Postings
from late_rag.indexes.centroid_training import Centroids

if TYPE_CHECKING:
    import numpy.typing as npt

MAPPED_BYTES = 16 * 2**20
"""Lists of fewer bytes are read; a process that has its own copy of so few does no harm."""

_MOST = 1.001
"""What the mean of unit rows and a step have at most, and what rounding adds."""

_ABOUT = "about.json"
_CHUNKS = "chunks.i32"
_ARRAYS = {
    "numbers": np.int64,
    "sizes": np.int32,
    "values": np.uint8,
    "coarse": np.int8,
    "cells": np.int32,
    "mean": np.float32,
}


@dataclass(frozen=True)
class Fit:
    """How many token rows the centroids were trained for and now have, and the mean cosine of each to its centroid."""

    trained: int
    rows: int
    trained_cosine: float
    cosine: float


@dataclass(frozen=True)
class Held:
    """What the index is made of. ``mapping`` is that of the lists, None where they were read."""

    numbers: npt.NDArray[np.int64]
    centroids: Centroids
    postings: Postings
    fit: Fit
    path: Path
    mapping: mmap.mmap | None = None

    def check(self, dim: int) -> None:
        """Raises CollectionDamagedError where the mapped file was cut, or centroids are not of this dim."""
        size = 4 * len(self.postings.chunks)
        if self.mapping is not None and self.mapping.size() < size:
            raise CollectionDamagedError(
                f"{self.path}: was cut from {size} to {self.mapping.size()} bytes while it was in use; the next "
                "write or optimize() writes it anew"
            )
        if len(self.numbers) and dim != len(self.centroids.mean):
            raise CollectionDamagedError(f"{self.path}: rows have dim {len(self.centroids.mean)}, queries have {dim}")


def write(
    folder: Path, numbers: npt.NDArray[np.int64], centroids: Centroids, postings: Postings, fit: Fit, kind: str
) -> None:
    """Writes all of it; row numbers ``numbers`` are those of the chunks 0, 1, … of the lists."""
    arrays = {
        "numbers": numbers,
        "sizes": np.diff(postings.starts).astype(np.int32),
        "values": centroids.values,
        "coarse": centroids.coarse,
        "cells": np.diff(centroids.first).astype(np.int32),
        "mean": centroids.mean,
    }
    for name, array in arrays.items():
        (folder / f"{name}.bin").write_bytes(np.ascontiguousarray(array).data)
    (folder / _CHUNKS).write_bytes(np.ascontiguousarray(postings.chunks).data)
    about = {"kind": kind, "step": centroids.step, "fit": vars(fit)}
    (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")


def read(folder: Path, kind: str) -> Held:
    """What was written.

    Raises:
        CollectionDamagedError: sizes or values that ``write`` does not write.
        OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError: other files than it writes.
    """
    about = json.loads((folder / _ABOUT).read_bytes())
    arrays = {name: _array(folder / f"{name}.bin", dtype) for name, dtype in _ARRAYS.items()}
    dim = len(arrays["mean"])
    step = float(about["step"])
    centroids = Centroids(
        mean=arrays["mean"],
        coarse=arrays["coarse"].reshape(-1, dim) if dim else arrays["coarse"].reshape(0, 0),
        values=arrays["values"].reshape(-1, dim) if dim else arrays["values"].reshape(0, 0),
        first=_ends(arrays["cells"]),
        step=step,
    )
    starts = _ends(arrays["sizes"])
    chunks, mapping = _chunks(folder / _CHUNKS, int(starts[-1]))
    _check(folder, about["kind"] == kind, arrays, centroids, chunks)
    return Held(arrays["numbers"], centroids, Postings(starts, chunks), _fit(about["fit"]), folder / _CHUNKS, mapping)


def _array(path: Path, dtype: type[Any]) -> npt.NDArray[Any]:
    return np.frombuffer(path.read_bytes(), dtype)


def _ends(sizes: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    if (sizes < 0).any():
        raise CollectionDamagedError("a list of the index has a negative length")
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


def _chunks(path: Path, count: int) -> tuple[npt.NDArray[np.int32], mmap.mmap | None]:
    size = 4 * count
    with path.open("rb") as file:
        found = os.fstat(file.fileno()).st_size
        if found != size:
            raise CollectionDamagedError(f"{path}: {count} entries are {size} bytes, there are {found}")
        if size < MAPPED_BYTES:
            return np.frombuffer(file.read(), np.int32), None
        mapping = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
    return np.frombuffer(mapping, np.int32), mapping


def _fit(fit: dict[str, Any]) -> Fit:
    found = Fit(int(fit["trained"]), int(fit["rows"]), float(fit["trained_cosine"]), float(fit["cosine"]))
    if not 0 <= found.trained <= found.rows or not np.isfinite([found.trained_cosine, found.cosine]).all():
        raise CollectionDamagedError(f"not a fit of centroids: {str(fit)[:200]}")
    return found


def _check(
    folder: Path,
    right_kind: bool,
    arrays: dict[str, npt.NDArray[Any]],
    centroids: Centroids,
    chunks: npt.NDArray[np.int32],
) -> None:
    numbers = arrays["numbers"]
    together = len(centroids.first) == len(centroids.coarse) + 1 and int(centroids.first[-1]) == len(centroids)
    if not right_kind or not together or len(arrays["sizes"]) != len(centroids):
        raise CollectionDamagedError(f"{folder}: the files do not belong together")
    if len(numbers) and (numbers[0] < 1 or (np.diff(numbers) < 1).any()):
        raise CollectionDamagedError(f"{folder}: row numbers do not ascend")
    if len(numbers) and (not len(centroids) or int(arrays["cells"].min()) < 1):
        raise CollectionDamagedError(f"{folder}: there are no centroids, or a cell without any")
    if not (np.abs(centroids.mean) <= _MOST).all() or not 0 < centroids.step <= _MOST:
        raise CollectionDamagedError(f"{folder}: the mean or the step of the centroids cannot be one of unit rows")
    if len(chunks) and (int(chunks.min()) < 0 or int(chunks.max()) >= len(numbers)):
        raise CollectionDamagedError(f"{folder}: a list names a chunk that is not there")
