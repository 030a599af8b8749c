"""Arrays of float32 of which the shape is known: written as they are, and never read where the size is another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from late_rag.errors import CollectionDamagedError

if TYPE_CHECKING:
    import numpy.typing as npt


_LARGEST = 1e9


def write(folder: Path, **arrays: npt.NDArray[np.float32]) -> None:
    """Each into a file of its name."""
    for name, array in arrays.items():
        _path(folder, name).write_bytes(np.ascontiguousarray(array, np.float32).tobytes())


def read(folder: Path, name: str, width: int) -> npt.NDArray[np.float32]:
    """``(rows, width)``, as many rows as there are.

    Raises:
        CollectionDamagedError: a size that is no number of rows, or values that products of would not be finite.
    """
    path = _path(folder, name)
    content = path.read_bytes()
    if len(content) % (4 * width):
        raise CollectionDamagedError(f"{path}: {len(content)} bytes are no rows of {width} numbers")
    found = np.frombuffer(content, np.float32).reshape(-1, width)
    if not (np.abs(found) <= _LARGEST).all():
        raise CollectionDamagedError(f"{path}: values are not finite, or too large")
    return found


def _path(folder: Path, name: str) -> Path:
    return folder / f"{name}.f32"
