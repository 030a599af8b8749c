"""MaxSim, the score of late interaction: ``S(Q, D) = Σᵢ maxⱼ qᵢ·dⱼ`` (Khattab & Zaharia 2020, arXiv 2004.12832).

:func:`maxsim` takes float embeddings. :func:`stored_maxsim` takes rows as they are stored and gives the same number
wherever they stand, on any machine: its products are sums of integers that float64 holds exactly, so no order of
summation can change them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from late_rag.errors import InputError
from late_rag.scoring.packing import ZERO_POINT, PackedRows
from late_rag.scoring.products import double_products, float_products, parallel

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.types import TokenEmbeddings

N = TypeVar("N", bound=np.generic)

BLOCK_TOKENS = 8192
"""Rows scored at a time on one thread: 4 MiB of float32 at 128 dims, whatever the number of documents."""

_MANTISSA = 52
_HALF_GRID = 22


def similarity(score: float, query_tokens: int) -> float:
    """The mean over the query's tokens of a MaxSim sum, clipped to [0, 1]."""
    return min(1.0, max(0.0, score / query_tokens)) if query_tokens else 0.0


def maxsim(query: TokenEmbeddings, documents: Sequence[TokenEmbeddings]) -> npt.NDArray[np.float32]:
    """Scores each document against a query, exactly, in float32.

    Args:
        query: ``(query tokens, dim)``, any float dtype.
        documents: each ``(tokens, dim)``, any float dtype; no rows score −inf.

    Returns:
        ``(len(documents),) float32`` in the order of ``documents``. Memory beyond that is a few MiB a core.

    Raises:
        InputError: the query has no rows, or a document's dim is not the query's.
    """
    if query.ndim != 2 or not len(query):
        raise InputError(f"query embeddings have shape {query.shape}, expected (at least one token, dim)")
    for number, document in enumerate(documents):
        if document.ndim != 2 or document.shape[1] != query.shape[1]:
            raise InputError(
                f"document {number} has embeddings of shape {document.shape}, the query has dim {query.shape[1]}"
            )
    scores = np.full(len(documents), -np.inf, np.float32)
    columns = np.ascontiguousarray(query.T, np.float32)

    def score(block: tuple[int, int]) -> None:
        scores[slice(*block)] = _score_block(columns, documents[slice(*block)])

    parallel(score, _blocks([len(document) for document in documents]))
    return scores


def _blocks(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Consecutive documents of together at most BLOCK_TOKENS rows, or one longer document alone."""
    first = rows = 0
    for number, length in enumerate(lengths):
        if rows and rows + length > BLOCK_TOKENS:
            yield first, number
            first, rows = number, 0
        rows += length
    if lengths:
        yield first, len(lengths)


def _score_block(columns: npt.NDArray[np.float32], documents: Sequence[TokenEmbeddings]) -> npt.NDArray[np.float32]:
    filled = [number for number, document in enumerate(documents) if len(document)]
    scores = np.full(len(documents), -np.inf, np.float32)
    if len(filled) == 1 and len(documents[filled[0]]) > BLOCK_TOKENS:
        scores[filled[0]] = _score_long(columns, documents[filled[0]])
    elif filled:
        rows = np.concatenate([documents[number] for number in filled], dtype=np.float32)
        lengths = [len(documents[number]) for number in filled]
        scores[filled] = segment_maxima(float_products(rows, columns), starts_of(lengths)).sum(axis=0)
    return scores


def _score_long(columns: npt.NDArray[np.float32], document: TokenEmbeddings) -> np.float32:
    """One document of more rows than a block holds."""
    best = np.full(columns.shape[1], -np.inf, np.float32)
    for start in range(0, len(document), BLOCK_TOKENS):
        rows = np.ascontiguousarray(document[start : start + BLOCK_TOKENS], np.float32)
        np.maximum(best, float_products(rows, columns).max(axis=1), out=best)
    return np.float32(best.sum())


def starts_of(lengths: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where each of consecutive runs of these lengths starts."""
    ends = np.cumsum(lengths, dtype=np.int64)
    return ends - np.asarray(lengths, np.int64)


def segment_maxima(products: npt.NDArray[N], starts: npt.NDArray[np.int64]) -> npt.NDArray[N]:
    """``(n, tokens)`` to ``(n, segments)``; no segment may be empty (``reduceat`` would give it its neighbour's)."""
    maxima: npt.NDArray[N] = np.maximum.reduceat(products, starts, axis=1)
    return maxima


class StoredQuery:
    """A query made ready to be scored against stored rows of one dim.

    The query becomes integers times a power of two, as fine as float64 can take without ever rounding a product or
    a sum: for int8 rows finer than float32, for float16 rows about as fine.
    """

    def __init__(self, query: TokenEmbeddings, dim: int, *, half: bool) -> None:
        largest_row = 2.0**_HALF_GRID if half else 255 * math.sqrt(dim)
        norms = np.linalg.norm(query.astype(np.float64), axis=1)
        largest = max(norms.max(initial=0.0), float(np.finfo(np.float32).tiny))
        room = _MANTISSA - math.log2(largest_row) - math.log2(largest) - math.log2(max(1, len(query)))
        self.step = 2.0 ** -math.floor(room - 1)  # by Cauchy and Schwarz no partial sum leaves the mantissa
        self.columns = np.ascontiguousarray(np.rint(query.T.astype(np.float64) / self.step))
        self.offset = 0.0 if half else float(ZERO_POINT * self.columns.sum())
        """What the zero point of unsigned rows adds to the sum, whichever rows are the best."""


def stored_maxsim(query: StoredQuery, documents: Sequence[PackedRows]) -> npt.NDArray[np.float64]:
    """MaxSim over stored rows: ``(len(documents),) float64``, −inf where there are none.

    Equal rows have equal scores wherever they stand and whatever stands beside them.
    """
    scores = np.full(len(documents), -np.inf)
    filled = [number for number, document in enumerate(documents) if len(document.values)]
    for bounds in _blocks([len(documents[number].values) for number in filled]):
        numbers = filled[slice(*bounds)]
        block = [documents[number] for number in numbers]
        rows, factors = _on_grid(block)
        maxima = segment_maxima(double_products(rows, query.columns), starts_of([len(d.values) for d in block]))
        scores[numbers] = (maxima.sum(axis=0) - query.offset) * factors * query.step
    return scores


def _on_grid(documents: Sequence[PackedRows]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The rows of all documents as whole numbers, and what one is worth in each document."""
    rows = np.concatenate([document.values for document in documents], dtype=np.float64)
    if documents[0].values.dtype == np.uint8:
        return rows, np.array([document.scale for document in documents])
    steps = np.array([2.0 ** (math.ceil(math.log2(d.norm)) - _HALF_GRID) if d.norm else 1.0 for d in documents])
    rows /= np.repeat(steps, [len(document.values) for document in documents])[:, None]
    return np.rint(rows, out=rows), steps
