"""A stream of rows in parts: the first, from which an index learns, and batches that are encoded at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from late_rag.protocols import Rows
    from late_rag.types import TokenEmbeddings

_FIRST_ROWS = 100_000
_BATCH_ROWS = 8_192
_BATCH_NUMBERS = 2**21


def first_rows(rows: Iterable[tuple[int, TokenEmbeddings]]) -> Iterator[tuple[int, TokenEmbeddings]]:
    """Chunks of together about a hundred thousand rows: 50 MB at 128 dims."""
    tokens = 0
    for row, embeddings in rows:
        yield row, embeddings
        tokens += len(embeddings)
        if tokens >= _FIRST_ROWS:
            return


def batches(rows: Rows, most: int = _BATCH_ROWS, width: int = 1) -> Iterator[list[tuple[int, TokenEmbeddings]]]:
    """Chunks that have rows, of together about ``most`` rows, and fewer where each becomes ``width`` numbers."""
    batch: list[tuple[int, TokenEmbeddings]] = []
    tokens = 0
    for row, embeddings in rows:
        if not len(embeddings):
            continue
        batch.append((row, embeddings))
        tokens += len(embeddings)
        if tokens >= most or len(batch) * width >= _BATCH_NUMBERS:
            yield batch
            batch, tokens = [], 0
    if batch:
        yield batch
