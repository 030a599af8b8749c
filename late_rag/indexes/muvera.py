"""MUVERA: multi-vector retrieval by fixed dimensional encodings (Dhulipala et al. 2024, arXiv 2405.19504).

For each of some repetitions, Gaussian planes part the space; a token is projected to a few dims by a random matrix of
±1. In each part a query sums its projected tokens, a chunk averages them, and a part in which a chunk has none takes
the average of its part that is nearest by Hamming distance. All parts side by side are the one vector, whose dot
product approximates MaxSim. A count sketch may make it shorter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from late_rag.errors import CollectionDamagedError, InputError
from late_rag.indexes import arrays
from late_rag.indexes.centering import Center, centred
from late_rag.indexes.single_vector import SingleVectorIndex
from late_rag.specs import check_ranges

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.types import TokenEmbeddings

_LARGEST = 65_536  # numbers of one vector

_NUMBERS = 2**22
"""Of vectors before they are sketched that are in memory at once."""


@dataclass(frozen=True, slots=True)
class MuveraOptions:
    """How the one vector is made; the paper's symbols are R, k_sim, d_proj and d_final."""

    repetitions: int = 20
    """Partitions of the space that are drawn, R: more find more, in proportion of time and memory."""

    planes: int = 4
    """Planes of a partition, k_sim, which make 2^planes parts."""

    projection: int = 8
    """Dims to which a token is projected in each part, d_proj."""

    final: int | None = None
    """Numbers that a count sketch leaves of each vector, d_final; none leaves it as it is."""

    center: Center = "auto"
    """Whether the rows' mean is subtracted first; auto measures which finds more."""

    seed: int = 0
    """Of the random planes and projections."""

    def __post_init__(self) -> None:
        check_ranges(
            self, repetitions=(1, 256), planes=(1, 10), projection=(1, 1024), final=(1, _LARGEST), seed=(0, 2**32 - 1)
        )
        if (size := self.repetitions * 2**self.planes * self.projection) > _LARGEST:
            raise InputError(f"repetitions x 2^planes x projection is at most {_LARGEST:,}, not {size:,}")


class MuveraEncoding:
    """Fixed dimensional encodings.

    Args:
        options: what the others were drawn with.
        mean: ``(dim,)``, subtracted from all rows.
        planes: ``(dim, repetitions * planes)``.
        projection: ``(dim, repetitions * projection)``.
        sketch: ``(2, numbers)``: where each number of a vector goes, and with which sign; None without.
    """

    def __init__(
        self,
        options: MuveraOptions,
        mean: npt.NDArray[np.float32],
        planes: npt.NDArray[np.float32],
        projection: npt.NDArray[np.float32],
        sketch: npt.NDArray[np.float32] | None,
    ) -> None:
        self._options = options
        self._mean = mean
        self._planes = planes
        self._projection = projection
        self._sketch = sketch
        self._parts = 2**options.planes
        self._full = options.repetitions * self._parts * options.projection

    @property
    def dim(self) -> int:
        return len(self._mean)

    @property
    def width(self) -> int:
        return self._options.final or self._full

    def query(self, rows: TokenEmbeddings) -> npt.NDArray[np.float32]:
        """Sums of each part."""
        codes, projected = self._tokens(rows)
        sums = np.zeros((self._options.repetitions * self._parts, self._options.projection), np.float32)
        places = np.arange(self._options.repetitions) * self._parts + codes
        np.add.at(sums, places.ravel(), projected.reshape(-1, self._options.projection))
        vector: npt.NDArray[np.float32] = self._sketched(sums.reshape(1, -1))[0]
        return vector

    def chunks(self, rows: TokenEmbeddings, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """Averages of each part, or of the nearest that has tokens; so many chunks at a time that memory is bounded."""
        most = max(1, _NUMBERS // self._full)
        ends = np.concatenate([[0], np.cumsum(lengths)])
        vectors = np.empty((len(lengths), self.width), np.float32)
        for first in range(0, len(lengths), most):
            last = min(first + most, len(lengths))
            vectors[first:last] = self._some(rows[ends[first] : ends[last]], lengths[first:last])
        return vectors

    def _some(self, rows: TokenEmbeddings, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        codes, projected = self._tokens(rows)
        owners = np.repeat(np.arange(len(lengths)), lengths)
        shape = (len(lengths), self._options.repetitions, self._parts, self._options.projection)
        vectors = np.empty(shape, np.float32)
        for repetition in range(self._options.repetitions):
            keys = owners * self._parts + codes[:, repetition]
            vectors[:, repetition] = self._averages(keys, projected[:, repetition], len(lengths))
        return self._sketched(vectors.reshape(len(lengths), -1))

    def _averages(
        self, keys: npt.NDArray[np.int64], projected: npt.NDArray[np.float32], chunks: int
    ) -> npt.NDArray[np.float32]:
        """``(chunks, parts, projection)``, from which chunk and part each token belongs to."""
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        counts = np.diff(np.append(starts, len(ordered)))
        averages = np.zeros((chunks * self._parts, projected.shape[1]), np.float32)
        averages[ordered[starts]] = np.add.reduceat(projected[order], starts, axis=0) / counts[:, None]
        there = np.zeros(chunks * self._parts, np.bool_)
        there[ordered[starts]] = True
        nearest = self._nearest(there.reshape(chunks, self._parts))
        of_chunk = averages.reshape(chunks, self._parts, -1)
        taken: npt.NDArray[np.float32] = of_chunk[np.arange(chunks)[:, None], nearest]
        return taken

    def _tokens(self, rows: TokenEmbeddings) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """For each token its part ``(tokens, repetitions)``, and what it is there ``(…, projection)``."""
        options, centred_rows = self._options, rows - self._mean
        above = (centred_rows @ self._planes > 0).reshape(len(rows), options.repetitions, options.planes)
        codes: npt.NDArray[np.int64] = above @ (1 << np.arange(options.planes, dtype=np.int64))
        projected = (centred_rows @ self._projection).astype(np.float32, copy=False)
        return codes, projected.reshape(len(rows), options.repetitions, options.projection)

    def _nearest(self, there: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        """``(chunks, parts)``: of each part the nearest that is there, of equally near ones the first.

        Hamming distance is a sum over bits, so that its least is found bit by bit.
        """
        farthest = (self._options.planes + 1) * self._parts
        found = np.where(there, np.arange(self._parts), farthest)  # distance * parts + part
        for bit in range(self._options.planes):
            pairs = found.reshape(len(found), -1, 2, 2**bit)
            found = np.minimum(pairs, pairs[:, :, ::-1] + self._parts).reshape(found.shape)
        nearest: npt.NDArray[np.int64] = found % self._parts
        return nearest

    def _sketched(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if self._sketch is None:
            return vectors
        places, signs = self._sketch
        order = np.argsort(places, kind="stable")
        ordered = places[order].astype(np.int64)
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        sketched = np.zeros((len(vectors), self.width), np.float32)
        sketched[:, ordered[starts]] = np.add.reduceat(vectors[:, order] * signs[order], starts, axis=1)
        return sketched

    def write(self, folder: Path) -> None:
        """What was drawn and the mean."""
        arrays.write(folder, mean=self._mean, planes=self._planes, projection=self._projection)
        if self._sketch is not None:
            arrays.write(folder, sketch=self._sketch)


class MuveraIndex(SingleVectorIndex):
    """Candidates by fixed dimensional encodings."""

    kind: ClassVar[str] = "muvera"

    @classmethod
    def drawn(cls, options: MuveraOptions | None, dim: int, sample: Sequence[TokenEmbeddings]) -> MuveraEncoding:
        """Random planes and signs, the same for the same seed, and the sample's mean where that finds more."""
        options = options or MuveraOptions()
        rng = np.random.default_rng(options.seed)
        planes = rng.standard_normal((dim, options.repetitions * options.planes)).astype(np.float32)
        signs = rng.choice(np.array([-1, 1], np.float32), (dim, options.repetitions * options.projection))
        projection = (signs / options.projection**0.5).astype(np.float32)
        sketch = None
        if options.final is not None:
            full = options.repetitions * 2**options.planes * options.projection
            places, sign = rng.integers(0, options.final, full), rng.choice([-1, 1], full)
            sketch = np.stack([places, sign]).astype(np.float32)

        def make(mean: npt.NDArray[np.float32]) -> MuveraEncoding:
            return MuveraEncoding(options, mean, planes, projection, sketch)

        return centred(make, options.center, dim, sample)

    @classmethod
    def read(cls, options: MuveraOptions | None, folder: Path) -> MuveraEncoding:
        """What was drawn once.

        Raises:
            CollectionDamagedError: arrays that are not of one dim, or that no drawing gives.
        """
        options = options or MuveraOptions()
        mean = arrays.read(folder, "mean", 1)[:, 0]
        planes = arrays.read(folder, "planes", options.repetitions * options.planes)
        projection = arrays.read(folder, "projection", options.repetitions * options.projection)
        sketch = None
        if options.final is not None:
            sketch = arrays.read(folder, "sketch", options.repetitions * 2**options.planes * options.projection)
        wrong = sketch is not None and (len(sketch) != 2 or not _places(sketch[0], options.final or 0))
        if not len(mean) == len(planes) == len(projection) or wrong:
            raise CollectionDamagedError(f"{folder}: planes, projections and mean do not belong together")
        return MuveraEncoding(options, mean, planes, projection, sketch)


def _places(values: npt.NDArray[np.float32], below: int) -> bool:
    return bool(((values >= 0) & (values < below) & (values == np.floor(values))).all())
