"""MaxSim, the score of late interaction: ``S(Q, D) = Σᵢ maxⱼ qᵢ·dⱼ`` (Khattab & Zaharia 2020, arXiv 2004.12832).

For rows as they are stored, see :mod:`late_rag.scoring.stored`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from late_rag.errors import InputError
from late_rag.scoring.products import float_products
from late_rag.scoring.workers import parallel

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.types import TokenEmbeddings

N = TypeVar("N", bound=np.generic)

BLOCK_TOKENS = 8192
"""Rows scored at a time on one thread: 4 MiB of float32 at 128 dims, whatever the number of documents."""

_DOCUMENT_ROWS = 256


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

    parallel(score, list(blocks_of([len(document) for document in documents])))
    return scores


def maxsim_of_many(queries: Sequence[TokenEmbeddings], document: TokenEmbeddings) -> npt.NDArray[np.float32]:
    """MaxSim of each of many queries with one document: ``(len(queries),) float32``.

    Args:
        queries: each ``(tokens, dim)``; one without rows scores 0, an empty sum.
        document: ``(tokens, dim)``; no rows score −inf.
    """
    if not len(document):
        return np.full(len(queries), -np.inf, np.float32)
    scores = np.zeros(len(queries), np.float32)
    rows = np.ascontiguousarray(document, np.float32)
    for first, last in blocks_of([len(query) for query in queries]):
        numbers = [number for number in range(first, last) if len(queries[number])]
        if numbers:
            columns = np.concatenate([queries[number] for number in numbers], dtype=np.float32).T
            best = np.full(columns.shape[1], -np.inf, np.float32)
            for start in range(0, len(rows), _DOCUMENT_ROWS):
                products = float_products(rows[start : start + _DOCUMENT_ROWS], np.ascontiguousarray(columns))
                np.maximum(best, products.max(axis=1), out=best)
            scores[numbers] = np.add.reduceat(best, starts_of([len(queries[number]) for number in numbers]))
    return scores


def blocks_of(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
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
