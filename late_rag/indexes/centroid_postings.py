"""For each centroid the chunks that have a token there, as one array of lists one behind the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

_CHUNK_BITS = np.uint64(32)
_CHUNK = np.uint64(2**32 - 1)


@dataclass(frozen=True)
class Postings:
    """List ``i`` is ``chunks[starts[i]:starts[i + 1]]``, ascending, each chunk once.

    ``starts (centroids + 1,) int64``, ``chunks (postings,) int32``: places of chunks in the index, from 0.
    """

    starts: npt.NDArray[np.int64]
    chunks: npt.NDArray[np.int32]


def postings_of(
    codes: npt.NDArray[np.int32], lengths: npt.NDArray[np.int64], centroids: int, first_chunk: int = 0
) -> Postings:
    """Of chunks of these lengths, numbered from ``first_chunk``; ``codes`` are the centroids of their tokens."""
    chunks = np.repeat(np.arange(first_chunk, first_chunk + len(lengths), dtype=np.uint64), lengths)
    keys = codes.astype(np.uint64)
    keys <<= _CHUNK_BITS
    keys |= chunks
    del chunks
    keys.sort()
    new = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=new[1:])
    keys = keys[new]
    starts = np.searchsorted(keys, np.arange(centroids + 1, dtype=np.uint64) << _CHUNK_BITS)
    return Postings(starts.astype(np.int64), (keys & _CHUNK).astype(np.int32))


def merged(old: Postings, new: Postings) -> Postings:
    """Each list of ``new`` behind that of ``old``; all its chunks must be above those of ``old``."""
    chunks = np.empty(len(old.chunks) + len(new.chunks), np.int32)
    old_sizes, new_sizes = np.diff(old.starts), np.diff(new.starts)
    chunks[np.arange(len(old.chunks)) + np.repeat(new.starts[:-1], old_sizes)] = old.chunks
    chunks[np.arange(len(new.chunks)) + np.repeat(old.starts[1:], new_sizes)] = new.chunks
    return Postings(old.starts + new.starts, chunks)
