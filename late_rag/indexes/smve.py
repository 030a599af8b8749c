"""SMVE: sparse encodings of multi-vectors by random anchors, for candidates by an inverted index (TopK, March 2026).

A token is multiplied with many random unit vectors, the anchors, and keeps its largest products. A query sums what its
tokens kept for each anchor, a chunk averages it; their sparse dot product stands for MaxSim.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from late_rag.errors import CollectionDamagedError, InputError
from late_rag.indexes import arrays, weighted_postings
from late_rag.indexes.centering import Center, centred
from late_rag.indexes.exact import ascending
from late_rag.indexes.sampling import batches, first_rows
from late_rag.protocols import silent
from late_rag.scoring.packing import pack
from late_rag.scoring.products import integer_products
from late_rag.scoring.workers import CORES, parallel
from late_rag.specs import check_ranges
from late_rag.types import batched

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.protocols import Done, Rows
    from late_rag.types import TokenEmbeddings

    Kept = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]
    """Token, anchor and product of all that is kept."""

_LEVELS = 63  # of an anchor's numbers: beyond, processors without VNNI saturate
_BATCH_ROWS = 2_048
_GROUPS = 8


@dataclass(frozen=True, slots=True)
class SmveOptions:
    """How tokens become sparse."""

    anchors: int = 4096
    """Random unit vectors: more find more, and take more time to build."""

    kept: int = 8
    """Products that each token keeps, the largest."""

    center: Center = "auto"
    """Whether the rows' mean is subtracted first; auto measures which finds more."""

    seed: int = 0
    """Of the random anchors."""

    def __post_init__(self) -> None:
        if not 8 <= self.anchors <= 65_536 or self.anchors % _GROUPS:
            raise InputError(f"anchors is a multiple of {_GROUPS} from 8 to 65,536, not {self.anchors}")
        if not 1 <= self.kept <= self.anchors // _GROUPS:
            raise InputError(f"kept is from 1 to an eighth of the anchors, not {self.kept}")
        check_ranges(self, seed=(0, 2**32 - 1))


class SmveEncoding:
    """Products with anchors.

    Args:
        options: what the anchors were drawn with.
        mean: ``(dim,)``, subtracted from all rows.
        anchors: ``(dim, anchors)`` whole numbers within ±63, to be multiplied by ``step``.
        step: of an anchor's numbers.
    """

    def __init__(
        self, options: SmveOptions, mean: npt.NDArray[np.float32], anchors: npt.NDArray[np.int8], step: float
    ) -> None:
        self._options = options
        self._mean = mean
        self._anchors = anchors
        self._step = step

    @property
    def dim(self) -> int:
        return len(self._mean)

    @property
    def width(self) -> int:
        return int(self._anchors.shape[1])

    def query(self, rows: TokenEmbeddings) -> npt.NDArray[np.float32]:
        """``(tokens, dim)`` to ``(anchors,)``: sums."""
        _, anchors, products = self._kept(rows, np.array([len(rows)]))
        sums = np.zeros(self.width, np.float32)
        np.add.at(sums, anchors, products)
        return sums

    def chunks(self, rows: TokenEmbeddings, lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """``(tokens, dim)`` of chunks one after the other to ``(chunks, anchors)``: averages."""
        owners, anchors, averages = self.averages(rows, lengths)
        vectors = np.zeros((len(lengths), self.width), np.float32)
        vectors[owners, anchors] = averages
        return vectors

    def averages(self, rows: TokenEmbeddings, lengths: npt.NDArray[np.int64]) -> Kept:
        """The same, sparse: chunk, anchor and average of what the chunk's tokens kept, by anchor, then chunk."""
        tokens, anchors, products = self._kept(rows, lengths)
        owners = np.repeat(np.arange(len(lengths)), lengths)[tokens]
        keys = anchors * len(lengths) + owners
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        if not len(ordered):
            return tokens, anchors, products
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        averages = np.add.reduceat(products[order], starts) / np.diff(np.append(starts, len(ordered)))
        unique_anchors, unique_owners = np.divmod(ordered[starts], len(lengths))
        return unique_owners, unique_anchors, averages.astype(np.float32)

    def _kept(self, rows: TokenEmbeddings, lengths: npt.NDArray[np.int64]) -> Kept:
        """For each token its largest products that are above zero."""
        ends = np.cumsum(lengths)
        packed = [pack(rows[end - length : end] - self._mean) for end, length in zip(ends, lengths, strict=True)]
        values = np.concatenate([part.values for part in packed])
        scales = np.repeat(np.array([part.scale for part in packed], np.float32), lengths) * np.float32(self._step)
        found: list[Kept] = []
        for first in range(0, len(values), _BATCH_ROWS):
            part = slice(first, first + _BATCH_ROWS)
            tokens, anchors, products = _largest(integer_products(values[part], self._anchors), self._options.kept)
            found.append((tokens + first, anchors, products * scales[tokens + first]))
        tokens, anchors, products = (np.concatenate(columns) for columns in zip(*found, strict=True))
        return tokens, anchors, products

    def write(self, folder: Path) -> None:
        """What was drawn and the mean."""
        step = np.array([self._step], np.float32)
        arrays.write(folder, mean=self._mean, anchors=self._anchors.astype(np.float32), step=step)


def _largest(products: npt.NDArray[np.int32], kept: int) -> Kept:
    """Of each row the so many largest products, of equal ones the first, as long as they are above zero."""
    groups = products.reshape(len(products), _GROUPS, -1).max(axis=1)
    least = np.maximum(np.partition(groups, -kept, axis=1)[:, -kept], 1)  # the kept-th largest is not below
    tokens, anchors = np.divmod(np.flatnonzero(products >= least[:, None]), products.shape[1])
    chosen = products[tokens, anchors]
    counts = np.bincount(tokens, minlength=len(products))
    if (counts > kept).any():  # equal to the least, or two of the largest in one group
        order = np.lexsort((anchors, -chosen, tokens))
        tokens, anchors, chosen = tokens[order], anchors[order], chosen[order]
        among = np.arange(len(tokens)) - np.repeat(np.cumsum(counts) - counts, counts) < kept
        tokens, anchors, chosen = tokens[among], anchors[among], chosen[among]
    return tokens, anchors, chosen.astype(np.float32)


class SmveIndex:
    """Candidates by sparse encodings; its scores are estimates."""

    kind: ClassVar[str] = "smve"
    slow_build: ClassVar[bool] = False
    upper_bounds: ClassVar[bool] = False
    recall: ClassVar[float] = 0.9

    def __init__(self, encoding: SmveEncoding, lists: weighted_postings.WeightedPostings, options: SmveOptions) -> None:
        self._encoding = encoding
        self._lists = lists
        self._options = options

    def __len__(self) -> int:
        return len(self._lists)

    @classmethod
    def create(
        cls,
        folder: Path,
        rows: Rows,
        dim: int,
        options: SmveOptions | None = None,
        device: str = "cpu",
        progress: Done = silent,
    ) -> SmveIndex:
        """Draws the anchors, learns the mean from the first rows where that finds more, and writes the lists."""
        options = options or SmveOptions()
        stream = iter(rows)
        first = list(first_rows(stream))
        encoding = _drawn(options, dim, [embeddings for _, embeddings in first if len(embeddings)])
        encoding.write(folder)
        weighted_postings.write(folder, encoding.width, _vectors(encoding, chain(first, stream), 0, progress))
        return cls.open(folder, options, device)

    @classmethod
    def open(cls, folder: Path, options: SmveOptions | None = None, device: str = "cpu") -> SmveIndex:  # noqa: ARG003  # protocol
        """What ``create`` or ``add`` wrote."""
        options = options or SmveOptions()
        encoding, lists = _read(options, folder), weighted_postings.read(folder)
        if lists.dimensions != encoding.width:
            raise CollectionDamagedError(f"{folder}: lists of {lists.dimensions} anchors, there are {encoding.width}")
        return cls(encoding, lists, options)

    def add(self, folder: Path, rows: Rows, progress: Done = silent) -> SmveIndex:
        """The lists there are with more rows, encoded in the same way."""
        last = int(self._lists.rows[-1]) if len(self._lists) else 0
        self._encoding.write(folder)
        vectors = _vectors(self._encoding, rows, last, progress)
        weighted_postings.write(folder, self._encoding.width, vectors, self._lists)
        return self.open(folder, self._options)

    def search(
        self, queries: Sequence[TokenEmbeddings], n: int, within: npt.NDArray[np.int64] | None = None
    ) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """Row numbers and estimates of their scores, best first, ties by row; those that share no anchor come last.

        Raises:
            CollectionDamagedError: its rows are not of the queries' dim.
        """
        rows = self._lists.rows
        chosen = np.arange(len(rows)) if within is None else np.flatnonzero(np.isin(rows, within))
        found = []
        for query in queries:
            if query.shape[1] != self._encoding.dim:
                raise CollectionDamagedError(
                    f"index smve: made of rows of dim {self._encoding.dim}, queries have {query.shape[1]}"
                )
            estimates = self._lists.products(self._encoding.query(query))[chosen]
            best = np.argpartition(-estimates, n)[:n] if 0 < n < len(chosen) else np.arange(len(chosen))[:n]
            best = best[np.lexsort((best, -estimates[best]))]
            found.append((rows[chosen[best]], estimates[best]))
        return found

    def close(self) -> None:
        """Lets go of the lists."""
        self._lists = weighted_postings.empty(self._encoding.width)


def _drawn(options: SmveOptions, dim: int, sample: Sequence[TokenEmbeddings]) -> SmveEncoding:
    anchors = np.random.default_rng(options.seed).standard_normal((dim, options.anchors))
    anchors /= np.linalg.norm(anchors, axis=0)
    step = float(np.float32(np.abs(anchors).max() / _LEVELS))
    rounded = np.rint(anchors / step).astype(np.int8)
    return centred(lambda mean: SmveEncoding(options, mean, rounded, step), options.center, dim, sample)


def _read(options: SmveOptions, folder: Path) -> SmveEncoding:
    """Raises CollectionDamagedError for arrays that are not of one dim, or that no drawing gives."""
    mean = arrays.read(folder, "mean", 1)[:, 0]
    anchors = arrays.read(folder, "anchors", options.anchors)
    step = arrays.read(folder, "step", 1)[:, 0]
    if len(mean) != len(anchors) or len(step) != 1 or (np.abs(anchors) > _LEVELS).any():
        raise CollectionDamagedError(f"{folder}: anchors and mean do not belong together")
    return SmveEncoding(options, mean, anchors.astype(np.int8), float(step[0]))


def _vectors(
    encoding: SmveEncoding, rows: Rows, after: int, progress: Done
) -> Iterator[weighted_postings.SparseVectors]:
    def sparse(batch: Sequence[tuple[int, TokenEmbeddings]]) -> weighted_postings.SparseVectors:
        lengths = np.array([len(embeddings) for _, embeddings in batch], np.int64)
        owners, anchors, averages = encoding.averages(np.concatenate([rows for _, rows in batch]), lengths)
        largest = np.zeros(len(batch), np.float32)
        np.maximum.at(largest, owners, averages)
        scales = np.where(largest > 0, largest / weighted_postings.LEVELS, 1).astype(np.float32)
        values = np.rint(averages / scales[owners]).clip(1, weighted_postings.LEVELS).astype(np.uint8)
        numbers = np.array([row for row, _ in batch], np.int64)
        return weighted_postings.SparseVectors(
            numbers, scales, anchors.astype(np.int32), owners.astype(np.int32), values
        )

    done = 0
    for group in batched(batches(ascending(rows, after)), CORES):
        for vectors in parallel(sparse, group):
            yield vectors
            done += len(vectors.rows)
            progress(done)
