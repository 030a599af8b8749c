"""Token embeddings as they are stored: one byte a number and one scale a chunk, or half precision.

int8: ``value = round(x / scale)`` in [−127, 127], kept as ``value + 128`` in uint8, which is what the integer kernel
reads. The scale is a float32 with its last eight bits zero, so that ``value * scale`` is exact in float32 and packing
what was unpacked gives the same bytes and the same scale: export, import and copy lose nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from late_rag.errors import InputError

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.types import TokenEmbeddings

Storage = Literal["int8", "float16"]

ZERO_POINT = 128
LARGEST = 127
_LOW_BITS = np.uint32(0xFF)


@dataclass(frozen=True, slots=True)
class PackedRows:
    """The rows of one chunk: ``(tokens, dim)`` uint8 or float16, their scale, and the largest norm of a row."""

    values: npt.NDArray[np.uint8] | npt.NDArray[np.float16]
    scale: float
    norm: float


def check(embeddings: object, dim: int, name: str) -> TokenEmbeddings:
    """The embeddings, if they are ``(tokens, dim) float32`` (or float16) without NaN and infinity.

    Raises:
        InputError: names the embeddings by ``name``, what they are and what was expected.
    """
    if not isinstance(embeddings, np.ndarray) or embeddings.dtype not in (np.float32, np.float16):
        kind = embeddings.dtype if isinstance(embeddings, np.ndarray) else type(embeddings).__name__
        raise InputError(f"{name} must be a float32 array of shape (tokens, {dim}), not {kind}")
    if embeddings.ndim != 2 or embeddings.shape[1] != dim:
        raise InputError(f"{name} have shape {embeddings.shape}, expected (tokens, {dim})")
    rows = embeddings.astype(np.float32, copy=False)
    if not np.isfinite(rows).all():
        raise InputError(f"{name} hold NaN or infinity")
    return rows


def _scale(rows: TokenEmbeddings) -> float:
    """The smallest scale of few enough bits under which no value leaves [−127, 127]."""
    largest = np.abs(rows).max(initial=0.0)
    exact = np.float32(largest / LARGEST)
    if exact < np.finfo(np.float32).tiny * 2**8:  # nothing but zeros and the nearly zero
        return 1.0
    bits = exact.view(np.uint32)
    if bits & _LOW_BITS:
        bits = (bits & ~_LOW_BITS) + (_LOW_BITS + np.uint32(1))
    return float(np.uint32(bits).view(np.float32))


def pack(rows: TokenEmbeddings, storage: Storage = "int8") -> PackedRows:
    """``(tokens, dim) float32`` as it is stored; the norm is that of what is stored.

    Raises:
        InputError: values beyond float16, where that is the storage.
    """
    if storage == "float16":
        if np.abs(rows).max(initial=0.0) > np.finfo(np.float16).max:
            raise InputError("embeddings hold values beyond float16; scale them, or use storage='int8'")
        halves = rows.astype(np.float16)
        return PackedRows(halves, 1.0, _largest_norm(halves.astype(np.float32)))
    scale = _scale(rows)
    values = np.clip(np.rint(rows / np.float32(scale)), -LARGEST, LARGEST)
    return PackedRows((values + ZERO_POINT).astype(np.uint8), scale, _largest_norm(values) * scale)


def _largest_norm(rows: npt.NDArray[np.float32]) -> float:
    squares = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    return float(np.sqrt(squares.max(initial=0.0)))


def unpack(packed: PackedRows) -> TokenEmbeddings:
    """``(tokens, dim) float32``, the very values that are stored."""
    if packed.values.dtype == np.float16:
        return packed.values.astype(np.float32)
    return (packed.values.astype(np.float32) - ZERO_POINT) * np.float32(packed.scale)


def from_blob(blob: bytes, scale: float, norm: float, dim: int, storage: Storage) -> PackedRows:
    """Reads rows from the bytes of ``values`` without copying them."""
    if storage == "int8":
        return PackedRows(np.frombuffer(blob, np.uint8).reshape(-1, dim), scale, norm)
    return PackedRows(np.frombuffer(blob, np.float16).reshape(-1, dim), scale, norm)
