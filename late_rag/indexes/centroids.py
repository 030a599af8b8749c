"""Centroid postings: candidates for MaxSim from a few MB, built in seconds, without a library.

Each token row belongs to one of some thousand centroids, and for each centroid the chunks are listed that have a token
there. A query reads the lists of the best centroids of each of its tokens. Centroids in place of tokens are the first
stage of PLAID (Santhanam et al. 2022, arXiv 2205.09707); imputing what no list has is from WARP (Scheerer et al. 2025,
arXiv 2501.17788). Here nothing of the rows is kept: whoever asks rescores the candidates from what is stored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from late_rag.indexes import centroid_files, centroid_search
from late_rag.indexes.centroid_assignment import Assigner
from late_rag.indexes.centroid_files import Fit, Held
from late_rag.indexes.centroid_postings import Postings, merged, postings_of
from late_rag.indexes.centroid_training import Centroids, levels_of, train
from late_rag.indexes.spool import Spool
from late_rag.protocols import silent
from late_rag.scoring.workers import parallel
from late_rag.specs import check_ranges

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.protocols import Done, Rows
    from late_rag.types import TokenEmbeddings

    Found = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]

MOST_CENTROIDS = 2**18
_PER_ROOT = 16
_SAMPLE_OF_EACH = 25
_SAMPLE = 1_000_000
"""Rows that centroids are trained on: so many for each, and so many at most."""

_FIT_SAMPLE = 4096
_GROWTH = 4
_MISFIT = 1.5
_ADDED = 0.05
"""Centroids are worn when they have so many times the rows they were trained for, or where so large a share of these
was added that lies so much further from them."""


@dataclass(frozen=True, slots=True)
class CentroidOptions:
    """How fine the index is, and how much of it a query reads."""

    centroids: int = 0
    """How many centroids; 0 for 16 times the root of the number of token rows, rounded down to a power of two."""

    probes: int = 32
    """How many centroids' lists each query token reads."""

    seed: int = 0
    """Of the random choices when centroids are trained; the same rows and seed make the same index."""

    def __post_init__(self) -> None:
        check_ranges(self, centroids=(0, MOST_CENTROIDS), probes=(1, 4096), seed=(0, 2**32 - 1))

    def count(self, rows: int) -> int:
        """Centroids for so many token rows."""
        wanted = self.centroids or min(MOST_CENTROIDS, 2 ** int(math.log2(max(1.0, _PER_ROOT * math.sqrt(rows)))))
        return max(1, min(wanted, rows))


class CentroidIndex:
    """Orders all chunks by an estimate of their scores from centroids; the best are candidates."""

    kind: ClassVar[str] = "centroids"
    slow_build: ClassVar[bool] = False
    upper_bounds: ClassVar[bool] = False
    recall: ClassVar[float] = 0.9

    def __init__(self, held: Held, options: CentroidOptions) -> None:
        self._held = held
        self._options = options

    def __len__(self) -> int:
        return len(self._held.numbers)

    @property
    def worn(self) -> bool:
        """Whether so much was added, or fits so badly, that centroids trained anew are worth their time."""
        fit = self._held.fit
        added = fit.rows - fit.trained
        if not added or added < _ADDED * fit.trained:
            return False
        cosine = (fit.cosine * fit.rows - fit.trained_cosine * fit.trained) / added
        return fit.rows > _GROWTH * fit.trained or 1 - cosine > _MISFIT * (1 - fit.trained_cosine)

    @classmethod
    def create(
        cls,
        folder: Path,
        rows: Rows,
        dim: int,
        options: CentroidOptions | None = None,
        device: str = "cpu",
        progress: Done = silent,
    ) -> CentroidIndex:
        """Trains centroids on a sample and assigns all rows; these lie in an unnamed file meanwhile."""
        options = options or CentroidOptions()
        with Spool(folder, dim) as spool:
            spool.fill(rows, progress=progress)
            if len(spool.values):
                count = options.count(len(spool.values))
                sample = spool.sample(min(_SAMPLE, _SAMPLE_OF_EACH * count), options.seed)
                centroids = train(sample, count, options.seed)
            else:
                centroids = _none(dim)
            codes = Assigner(centroids)(spool.values)
            postings = postings_of(codes, spool.lengths, len(centroids))
            cosine = _cosine(centroids, spool, codes, options.seed)
            fit = Fit(len(codes), len(codes), cosine, cosine)
            centroid_files.write(folder, spool.numbers, centroids, postings, fit, cls.kind)
        return cls.open(folder, options, device)

    @classmethod
    def open(cls, folder: Path, options: CentroidOptions | None = None, device: str = "cpu") -> CentroidIndex:  # noqa: ARG003  # protocol
        """What ``create`` or ``add`` wrote, with the lists mapped from the file where they are long."""
        return cls(centroid_files.read(folder, cls.kind), options or CentroidOptions())

    def add(self, folder: Path, rows: Rows, progress: Done = silent) -> CentroidIndex:
        """Assigns more rows to the centroids there are; an index that is empty is made anew."""
        held = self._held
        dim = len(held.centroids.mean)
        if not len(self):
            return self.create(folder, rows, dim, self._options, progress=progress)
        with Spool(folder, dim) as spool:
            spool.fill(rows, int(held.numbers[-1]), progress)
            codes = Assigner(held.centroids)(spool.values)
            new = postings_of(codes, spool.lengths, len(held.centroids), len(self))
            cosine = _cosine(held.centroids, spool, codes, self._options.seed)
            numbers = np.concatenate([held.numbers, spool.numbers])
        count = held.fit.rows + len(codes)
        cosine = (held.fit.cosine * held.fit.rows + cosine * len(codes)) / count
        fit = Fit(held.fit.trained, count, held.fit.trained_cosine, cosine)
        centroid_files.write(folder, numbers, held.centroids, merged(held.postings, new), fit, self.kind)
        return self.open(folder, self._options)

    def search(
        self, queries: Sequence[TokenEmbeddings], n: int, within: npt.NDArray[np.int64] | None = None
    ) -> list[Found]:
        """Row numbers and estimates of their scores, highest first, ties by row; all rows have an estimate.

        Raises:
            CollectionDamagedError: the file that is mapped was cut since it was opened, or its rows are not of the
                queries' dim.
        """
        held = self._held
        held.check(queries[0].shape[1] if queries else len(held.centroids.mean))
        places = None if within is None else _places(held.numbers, within)
        if n < 1 or not len(held.numbers if places is None else places):
            return [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in queries]
        return parallel(lambda query: self._best(held, query, n, places), queries)

    def _best(self, held: Held, query: TokenEmbeddings, n: int, places: npt.NDArray[np.int64] | None) -> Found:
        probes = centroid_search.probes(held.centroids, query, self._options.probes)
        sums = centroid_search.estimates(probes, held.postings, len(held.numbers), len(query))
        if places is not None:
            sums = sums[places]
        best = centroid_search.highest(sums, n)
        scores = (probes.floor + sums[best] * probes.step).astype(np.float32)
        return held.numbers[best if places is None else places[best]], scores

    def close(self) -> None:
        """Lets go of the lists; the file is unmapped when no search reads it any more."""
        empty = _none(len(self._held.centroids.mean))
        none = Postings(np.zeros(1, np.int64), np.empty(0, np.int32))
        self._held = Held(np.empty(0, np.int64), empty, none, self._held.fit, self._held.path)


def _none(dim: int) -> Centroids:
    """No centroids, of rows of this dim."""
    return Centroids(
        mean=np.zeros(dim, np.float32),
        coarse=np.empty((0, dim), np.int8),
        values=np.empty((0, dim), np.uint8),
        first=np.zeros(1, np.int64),
        step=1.0,
    )


def _cosine(centroids: Centroids, spool: Spool, codes: npt.NDArray[np.int32], seed: int) -> float:
    """The mean cosine of some rows to their centroids; 1 where there are none."""
    if not len(codes):
        return 1.0
    chosen = np.sort(np.random.default_rng(seed).choice(len(codes), min(len(codes), _FIT_SAMPLE), replace=False))
    rows, nearest = levels_of(spool.values[chosen]), centroids.rows(codes[chosen].astype(np.int64))
    products = np.einsum("ij,ij->i", rows, nearest)
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(nearest, axis=1)
    return float(np.mean(products / np.maximum(norms, np.float32(1e-12))))


def _places(numbers: npt.NDArray[np.int64], within: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where the rows of ``within`` that are in ``numbers`` stand there; both ascend."""
    places = np.searchsorted(numbers, within)
    there = places < len(numbers)
    places = places[there]
    found: npt.NDArray[np.int64] = places[numbers[places] == within[there]]
    return found
