"""Token embeddings made up for tests: clustered as real ones are, the same for the same seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from late_rag.types import TokenEmbeddings


def random_embeddings(
    count: int, dim: int, *, seed: int, shortest: int = 1, longest: int = 40, empty_share: float = 0.0
) -> list[TokenEmbeddings]:
    """``count`` arrays ``(tokens, dim) float32`` of unit rows around shared centres, a share of them without rows."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(0).standard_normal((64, dim))
    chunks = []
    for _ in range(count):
        tokens = 0 if rng.random() < empty_share else int(rng.integers(shortest, longest + 1))
        favourites = rng.integers(0, len(centres), 4)
        rows = centres[rng.choice(favourites, tokens)] + 0.5 * rng.standard_normal((tokens, dim))
        chunks.append((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32).reshape(-1, dim))
    return chunks
