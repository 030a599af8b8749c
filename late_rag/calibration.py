"""How many candidates of an approximate index are needed: measured on the collection itself when the index is built.

Queries are the openings of some hundred stored chunks. For each the exact ten best others are found by the scan, and
the smallest number of candidates is looked for among which the asked share of them is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from late_rag.errors import CollectionDamagedError
from late_rag.indexes.exact import packed_chunk
from late_rag.indexes.packed import PackedScan
from late_rag.scoring import maxsim
from late_rag.types import batched

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.protocols import Index, Rows
    from late_rag.types import TokenEmbeddings

OVERLAP = 0.99
"""The mean share of the exact ten best that must be among the candidates."""

QUERIES = 200
QUERY_ROWS = 24
"""Rows of an opening: about as many as a question has."""

_BEST = 10
_BATCH = 500
_FIRST_SCORED = 32
_PRECISION = 1.1  # the number found is at most so many times the smallest


@dataclass(frozen=True)
class Calibration:
    """What was asked and measured; ``candidates`` is None where no number up to half of the rows is enough.

    ``curve`` has the numbers of candidates that were tried, ascending, and the overlap that each reached.
    """

    asked: float
    candidates: int | None
    curve: tuple[tuple[int, float], ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON types only; :meth:`from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Any) -> Calibration:
        """Raises CollectionDamagedError for anything that ``to_dict`` does not give."""
        try:
            curve = tuple((int(number), float(overlap)) for number, overlap in data["curve"])
            found = cls(float(data["asked"]), data["candidates"], curve)
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise CollectionDamagedError(f"not a calibration: {str(data)[:200]}") from error
        if found.candidates is not None and (type(found.candidates) is not int or not 0 < found.candidates < 2**40):
            raise CollectionDamagedError(f"not a number of candidates: {str(found.candidates)[:80]}")
        return found

    def wanted(self, top_k: int) -> int:
        """Candidates for so many hits: as many as were measured for ten, and in proportion for more."""
        return math.ceil((self.candidates or 0) * max(1.0, top_k / _BEST))

    def in_words(self) -> str:
        """What was found, and the curve."""
        curve = ", ".join(f"{overlap:.3f} at {number:,}" for number, overlap in self.curve)
        measured = f"overlap with the exact ten best: {curve or 'not measured, there are too few chunks'}"
        if self.candidates is None:
            return f"no number of candidates up to half of the chunks reaches {self.asked:g} ({measured})"
        return f"{self.candidates:,} candidates reach {self.asked:g} ({measured})"


def calibrate(index: Index, sample: Sequence[tuple[int, TokenEmbeddings]], rows: Rows, asked: float) -> Calibration:
    """The smallest number of candidates that is enough; a standard error is kept free, for queries that come.

    Args:
        index: holds ``rows``.
        sample: some of the rows, whose openings are the queries.
        rows: all rows, read once.
        asked: the mean share of the exact ten best that is to be among the candidates.
    """
    queries = [embeddings[:QUERY_ROWS] for _, embeddings in sample]
    best = best_others(queries, [row for row, _ in sample], rows)
    tried: dict[int, float] = {}

    def reaches(number: int) -> bool:
        found = index.search(queries, number + 1)  # one more: the chunk that the query is from
        shares = [
            np.isin(exact, others(numbers, row)[:number]).mean()
            for (row, _), (numbers, _), exact in zip(sample, found, best, strict=True)
            if len(exact)
        ]
        tried[number] = float(np.mean(shares)) if shares else 0.0
        error = float(np.std(shares) / math.sqrt(len(shares))) if shares else 0.0
        return tried[number] - error >= asked

    found = _smallest(reaches, len(index) // 2)
    return Calibration(asked, found, tuple((number, round(tried[number], 4)) for number in sorted(tried)))


def others(rows: npt.NDArray[np.int64], row: int) -> npt.NDArray[np.int64]:
    """The rows without one."""
    left: npt.NDArray[np.int64] = rows[rows != row]
    return left


def _smallest(reaches: Callable[[int], bool], most: int) -> int | None:
    """The first number that reaches it, in doubling steps from ten, and then between the last two."""
    below, number = _BEST, _BEST
    while number <= most and not reaches(number):
        below, number = number, (number * 2 if number * 2 <= most or number == most else most)
    if number > most:
        return None
    while number > below * _PRECISION and number - below > 1:
        middle = (below + number) // 2
        below, number = (below, middle) if reaches(middle) else (middle, number)
    return number


def best_others(queries: Sequence[TokenEmbeddings], own: Sequence[int], rows: Rows) -> list[npt.NDArray[np.int64]]:
    """For each query the rows of its exact ten best, its own left out; ties to the lower row.

    The scan's bounds say which of a batch of rows are worth an exact score, so that nearly none is scored twice.
    """
    best: list[list[tuple[float, int]]] = [[] for _ in queries]
    for batch in batched(_with_rows(rows), _BATCH):
        known = dict(batch)
        scan = PackedScan().adding(packed_chunk(row, embeddings) for row, embeddings in batch)
        for number, (found, bounds) in enumerate(scan.search(queries, len(batch))):
            for first in range(0, len(found), _FIRST_SCORED):
                part = slice(first, first + _FIRST_SCORED)
                least = -best[number][-1][0] if len(best[number]) == _BEST else -math.inf
                worth = others(found[part][bounds[part] >= least], own[number]).tolist()
                if not worth:
                    break
                scores = maxsim(queries[number], [known[row] for row in worth])
                pairs = [*best[number], *zip((-scores).tolist(), worth, strict=True)]
                best[number] = sorted(pairs)[:_BEST]
    return [np.array([row for _, row in pairs], np.int64) for pairs in best]


def _with_rows(rows: Rows) -> Iterable[tuple[int, TokenEmbeddings]]:
    return (pair for pair in rows if len(pair[1]))
