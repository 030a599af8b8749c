"""The rows of the table ``embeddings``: how they are written, and what is checked each time they are read.

Each has a checksum over its number and all its columns, so that damage is an error and never another score. It is a
sum of 64-bit words, which numpy takes over many rows at once for a microsecond each.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from late_rag.errors import CollectionDamagedError
from late_rag.protocols import CollectionSettings
from late_rag.scoring.packing import PackedRows, from_blob

if TYPE_CHECKING:
    import numpy.typing as npt

COLUMNS = 'tokens, scale, norm, "values", checksum'

_WORD = 8
_ROW, _TOKENS, _SCALE, _NORM = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5
"""Odd numbers without a pattern, so that equal changes of two columns do not cancel out."""


def values(row: int, packed: PackedRows) -> tuple[int, float, float, bytes, int]:
    """In the order of COLUMNS; ``row`` is 0 for what has no number yet."""
    tokens, scale, norm, blob = len(packed.values), float(packed.scale), float(packed.norm), packed.values.tobytes()
    return tokens, scale, norm, blob, _checksum(row, tokens, scale, norm, _sum(blob))


def read(found: Sequence[Any], settings: CollectionSettings, place: str) -> list[PackedRows]:
    """Rows ``(row, *COLUMNS)`` as they were written.

    Args:
        found: The rows.
        settings: The collection's.
        place: Where the rows are from, for the error.

    Raises:
        CollectionDamagedError: names the row.
    """
    if not found:
        return []
    width = settings.dim * (1 if settings.storage == "int8" else 2)
    for row, tokens, scale, norm, blob, checksum in found:
        right = type(blob) is bytes and type(tokens) is int and len(blob) == tokens * width
        if not (right and type(checksum) is int and _is_positive(scale) and _is_positive(norm, zero=True)):
            raise CollectionDamagedError(f"{place}: the embeddings in row {row} are damaged; {_ADVICE}")
    sums = _sums([values[4] for values in found]).tolist()
    for (row, tokens, scale, norm, _, checksum), words in zip(found, sums, strict=True):
        if _checksum(row, tokens, scale, norm, words) != checksum:
            raise CollectionDamagedError(
                f"{place}: the embeddings in row {row} are not those that were written; {_ADVICE}"
            )
    return [from_blob(values[4], values[2], values[3], settings.dim, settings.storage) for values in found]


_ADVICE = "late-rag verify names the chunk: delete it, or restore a copy"


def _is_positive(number: object, *, zero: bool = False) -> bool:
    return type(number) is float and math.isfinite(number) and (number > 0 or (zero and number == 0))


def _checksum(row: int, tokens: int, scale: float, norm: float, words: int) -> int:
    """As SQLite keeps it: 64 bits with a sign."""
    scale_bits, norm_bits = struct.unpack("<QQ", struct.pack("<dd", scale, norm))
    total: int = (words + row * _ROW + tokens * _TOKENS + scale_bits * _SCALE + norm_bits * _NORM) % 2**64
    return total - 2**64 if total >= 2**63 else total


def _sum(blob: bytes) -> int:
    whole = len(blob) - len(blob) % _WORD
    return int(np.frombuffer(blob, "<u8", whole // _WORD).sum()) + int.from_bytes(blob[whole:], "little")


def _sums(blobs: Sequence[bytes]) -> npt.NDArray[np.uint64]:
    """Of each its little-endian words, the last one filled up with zeros."""
    lengths = np.array([-(-len(blob) // _WORD) for blob in blobs])
    filled = [blob if not len(blob) % _WORD else blob.ljust(-(-len(blob) // _WORD) * _WORD, b"\0") for blob in blobs]
    words = np.frombuffer(b"".join((*filled, bytes(_WORD))), "<u8")  # one more, so that every start is a place in it
    sums = np.add.reduceat(words, np.cumsum(lengths) - lengths)
    sums[lengths == 0] = 0
    return sums
