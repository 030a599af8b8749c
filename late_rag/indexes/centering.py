"""Whether a stored mean is subtracted from rows before they are encoded to one vector: measured on the rows.

Rows of modern checkpoints lie in a narrow cone, where random planes and anchors hardly tell them apart unless the mean
is taken away first; where they do not, taking it away costs. Only candidates are found with centred rows: what is
stored and scored stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from late_rag.indexes.exact import packed_chunk
from late_rag.indexes.packed import PackedScan

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.indexes.single_vector import ChunkEncoding
    from late_rag.types import TokenEmbeddings

Center = Literal["auto", "on", "off"]
E = TypeVar("E", bound="ChunkEncoding")

_QUERIES = 64
_QUERY_ROWS = 24
_BEST = 10
_CHUNKS = 500
_SHARE = 16  # of the chunks: so many candidates are looked at


def centred(
    make: Callable[[npt.NDArray[np.float32]], E],
    center: Center,
    dim: int,
    sample: Sequence[TokenEmbeddings],
) -> E:
    """The encoding around the sample's mean, or around nothing: as asked for, or with "auto" what finds more.

    Args:
        make: an encoding that subtracts this mean, ``(dim,) float32``, first.
        center: "on", "off", or "auto".
        dim: of the rows.
        sample: some chunks' rows, none without any.
    """
    plain = make(np.zeros(dim, np.float32))
    if center == "off" or not sample:
        return plain
    mean = np.concatenate(sample).astype(np.float64).mean(axis=0)
    around_mean = make(mean.astype(np.float32))
    if center == "on":
        return around_mean
    return max(plain, around_mean, key=lambda encoding: _overlap(encoding, sample[:_CHUNKS]))


def _overlap(encoding: ChunkEncoding, sample: Sequence[TokenEmbeddings]) -> float:
    """The mean share of the best ten others for some chunks' openings that is among the first candidates."""
    if len(sample) <= 2 * _BEST:
        return 0.0
    chosen = np.linspace(0, len(sample) - 1, min(_QUERIES, len(sample))).astype(int)
    queries = [sample[number][:_QUERY_ROWS] for number in chosen]
    scan = PackedScan().adding(packed_chunk(number, rows) for number, rows in enumerate(sample, 1))
    lengths = np.array([len(rows) for rows in sample], np.int64)
    vectors = encoding.chunks(np.concatenate(sample), lengths)
    estimates = np.stack([encoding.query(query) for query in queries]) @ vectors.T
    estimates[np.arange(len(chosen)), chosen] = -np.inf
    asked = max(2 * _BEST, len(sample) // _SHARE)
    shares = []
    for number, scores, (best, _) in zip(chosen, estimates, scan.search(queries, _BEST + 1), strict=True):
        found = np.argsort(-scores, kind="stable")[:asked] + 1
        shares.append(np.isin(best[best != number + 1][:_BEST], found).mean())
    return float(np.mean(shares))
