"""How many candidates of an approximate index are needed: measured on the collection itself when the index is built.

Queries are made of rows from inside of two stored chunks each: like a question, and unlike rows of one chunk, they
match nothing as a whole. For each the exact ten best others are found by the scan, and the smallest number of
candidates is looked for among which the asked share of them is. Real questions were measured to need up to twice as
many, so two and a half times as many are taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from late_rag.errors import CollectionDamagedError
from late_rag.indexes.blocks import PackedChunk
from late_rag.indexes.packed import PackedScan
from late_rag.scoring import maxsim
from late_rag.scoring.packing import unpack
from late_rag.types import batched

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.protocols import Index
    from late_rag.types import TokenEmbeddings

OVERLAP = 0.99
"""The mean share of the exact ten best that must be among the candidates."""

QUERIES = 200
PART_ROWS = 12
"""Rows that a query has of each of its chunks: together about as many as a question has."""

_PLACES = (0.3, 0.7)
"""Where in each of its chunks: inside, because the first and last row of all chunks are alike."""

_BEST = 10
_SCANNED = 500_000
"""Token rows up to which all queries are scanned for."""

_LEAST_QUERIES = 40
_BATCH = 500
_FIRST_SCORED = 32
_FIRST_ASKED = 640
_GROWTH = 2
_WORTH = 1000
_WORTH_SHARE = 16
"""More candidates than this share take longer to score than the scan takes; up to so many that makes no difference."""

_MARGIN = 2.5
_GROWN = 1.25
"""The number of candidates grows more slowly than a collection: up to so many times the chunks it holds."""

_NOWHERE = 2**62
_PRECISION = 1.1  # the number found is at most so many times the smallest


@dataclass(frozen=True)
class Calibration:
    """What was asked and measured; ``candidates`` is None where none that is worth it is enough.

    ``curve`` has the numbers of candidates that were tried, ascending, and the overlap that each reached; ``chunks`` is
    how many the index held.
    """

    asked: float
    candidates: int | None
    curve: tuple[tuple[int, float], ...]
    chunks: int = 0

    def to_dict(self) -> dict[str, Any]:
        """JSON types only; :meth:`from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Any) -> Calibration:
        """Raises CollectionDamagedError for anything that ``to_dict`` does not give."""
        try:
            curve = tuple((int(number), float(overlap)) for number, overlap in data["curve"])
            found = cls(float(data["asked"]), data["candidates"], curve, int(data["chunks"]))
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise CollectionDamagedError(f"not a calibration: {str(data)[:200]}") from error
        if found.candidates is not None and (type(found.candidates) is not int or not 0 < found.candidates < 2**40):
            raise CollectionDamagedError(f"not a number of candidates: {str(found.candidates)[:80]}")
        return found

    def wanted(self, top_k: int) -> int:
        """Candidates for so many hits: some more than were measured for ten, and in proportion for more."""
        return math.ceil(_MARGIN * (self.candidates or 0) * max(_BEST, top_k) / _BEST)

    def holds(self, chunks: int) -> bool:
        """Whether it may be taken for an index of so many chunks that came from the one that was measured."""
        return self.candidates is not None and self.chunks <= chunks <= _GROWN * self.chunks

    def in_words(self) -> str:
        """What was found, and the curve."""
        curve = ", ".join(f"{overlap:.3f} at {number:,}" for number, overlap in self.curve)
        measured = f"overlap with the exact ten best: {curve or 'not measured, there are too few chunks'}"
        if self.candidates is None:
            return f"no number of candidates that is worth it reaches {self.asked:g} ({measured})"
        return f"{self.candidates:,} candidates reach {self.asked:g} ({measured})"


def calibrate(
    index: Index, sample: Sequence[tuple[int, TokenEmbeddings]], chunks: Iterable[PackedChunk], asked: float
) -> Calibration:
    """The smallest number of candidates that is enough for queries made of the sample.

    Args:
        index: holds ``chunks``.
        sample: some of what it holds, that the queries are made of, one for each.
        chunks: all, read once.
        asked: the mean share of the exact ten best that is to be among the candidates.
    """
    queries, own = made_queries(sample)
    places = _Places(index, queries, own, best_others(queries, own, chunks))
    most = max(min(len(index) // 2, _WORTH), len(index) // _WORTH_SHARE)

    def among_more(number: int) -> bool:
        if places.asked < number:
            places.look(min(most, max(_FIRST_ASKED, _GROWTH * number)))
        return places.reach(number, asked)

    def alone(number: int) -> bool:
        places.look(number)
        return places.reach(number, asked)

    found = _smallest(among_more, most)
    if found is not None and not alone(found):  # an index that gives others when it is asked for fewer
        found = _smallest(alone, most)
    return Calibration(
        asked, found, tuple((number, round(places.tried[number], 4)) for number in sorted(places.tried)), len(index)
    )


class _Places:
    """At which place each query's exact best stand among the candidates."""

    def __init__(
        self,
        index: Index,
        queries: Sequence[TokenEmbeddings],
        own: Sequence[tuple[int, ...]],
        best: Sequence[npt.NDArray[np.int64]],
    ) -> None:
        known = [number for number, rows in enumerate(best) if len(rows)]
        self._index = index
        self._queries = [queries[number] for number in known]
        self._own = [own[number] for number in known]
        self._best = [best[number] for number in known]
        self.asked = 0
        self._places: list[npt.NDArray[np.int64]] = []
        self.tried: dict[int, float] = {}

    def look(self, asked: int) -> None:
        """Asks for so many candidates."""
        self.asked = asked
        more = asked + len(_PLACES) + 1  # the chunks that the query is from, and one that the last may be equal to
        found = self._index.search(self._queries, more)
        self._places = [
            _place(best, own, *given, more) for best, own, given in zip(self._best, self._own, found, strict=True)
        ]

    def reach(self, number: int, share: float) -> bool:
        """Whether among the first ``number`` of those asked for the share of the best is."""
        shares = [float((places < number).mean()) for places in self._places]
        self.tried[number] = float(np.mean(shares)) if shares else 0.0
        return self.tried[number] >= share


def _place(
    best: npt.NDArray[np.int64],
    own: tuple[int, ...],
    rows: npt.NDArray[np.int64],
    estimates: npt.NDArray[np.float32],
    asked: int,
) -> npt.NDArray[np.int64]:
    """Where each of the best stands among the others that were given, at the latest; nowhere where it does not.

    Equal estimates come in the order of rows, as equal scores do: where an index can tell nothing apart it would look
    as if all were found. So each stands where the last does that is equal to it, which may not be among those given.
    """
    if not len(rows):
        return np.full(len(best), _NOWHERE)
    kept = ~np.isin(rows, own)
    rest = -estimates[kept]
    lasts = np.searchsorted(rest, rest, side="right") - 1
    if len(rows) >= asked:
        lasts[rest == -estimates[-1]] = _NOWHERE
    equal = best[:, None] == rows[kept][None, :]
    found: npt.NDArray[np.int64] = np.where(equal, lasts, _NOWHERE).min(axis=1, initial=_NOWHERE)
    return found


def queries_for(tokens: int) -> int:
    """How many queries to measure with: fewer of a larger collection, as each is a scan of all of it."""
    return max(min(QUERIES, _LEAST_QUERIES), min(QUERIES, QUERIES * _SCANNED // max(1, tokens)))


def made_queries(
    sample: Sequence[tuple[int, TokenEmbeddings]],
) -> tuple[list[TokenEmbeddings], list[tuple[int, ...]]]:
    """A query for each chunk, and the numbers of those that its rows are from."""
    queries, own = [], []
    for number in range(len(sample)):
        chosen = [sample[(number + part * len(sample) // len(_PLACES)) % len(sample)] for part in range(len(_PLACES))]
        rows = [_window(embeddings, place) for place, (_, embeddings) in zip(_PLACES, chosen, strict=True)]
        queries.append(np.concatenate(rows))
        own.append(tuple(row for row, _ in chosen))
    return queries, own


def _window(embeddings: TokenEmbeddings, place: float) -> TokenEmbeddings:
    """Some rows one after the other; ``place`` is 0 for the first and 1 for the last ones."""
    first = int(place * max(0, len(embeddings) - PART_ROWS))
    return embeddings[first : first + PART_ROWS]


def others(rows: npt.NDArray[np.int64], own: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """The rows without some."""
    left: npt.NDArray[np.int64] = rows[~np.isin(rows, own)]
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


def best_others(
    queries: Sequence[TokenEmbeddings], own: Sequence[tuple[int, ...]], chunks: Iterable[PackedChunk]
) -> list[npt.NDArray[np.int64]]:
    """For each query the numbers of its exact ten best, those it is made of left out; ties to the lower number.

    Exact are the scores of the packed rows. The scan's bounds say which of a batch are worth one, so that nearly none
    is scored twice.
    """
    best: list[list[tuple[float, int]]] = [[] for _ in queries]
    for batch in batched(chunks, _BATCH):
        known = {chunk.row: chunk.packed for chunk in batch}
        for number, (found, bounds) in enumerate(PackedScan().adding(batch).search(queries, len(batch))):
            for first in range(0, len(found), _FIRST_SCORED):
                part = slice(first, first + _FIRST_SCORED)
                least = -best[number][-1][0] if len(best[number]) == _BEST else -math.inf
                worth = others(found[part][bounds[part] >= least], own[number]).tolist()
                if not worth:
                    break
                scores = maxsim(queries[number], [unpack(known[row]) for row in worth])
                pairs = [*best[number], *zip((-scores).tolist(), worth, strict=True)]
                best[number] = sorted(pairs)[:_BEST]
    return [np.array([row for _, row in pairs], np.int64) for pairs in best]
