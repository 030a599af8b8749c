"""Token pooling by place: rows that follow each other become one, their mean.

The simplest of the methods that Clavié, Chaffin and Adams compare (2024, arXiv 2409.14683): it looks at no distances,
so it takes next to no time, however long a chunk is, and costs more quality than clustering.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from late_rag.specs import check_ranges

if TYPE_CHECKING:
    from late_rag.types import TokenEmbeddings


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialPooling:
    """Means of runs of rows, all about as long; they are not normalised again. Linear in time and memory."""

    pool_factor: int = 2
    """How many rows become one, on average; 1 changes nothing."""

    protected_tokens: int = 1
    """Rows at the beginning that stay as they are ([CLS], markers)."""

    def __post_init__(self) -> None:
        check_ranges(self, pool_factor=(1, None), protected_tokens=(0, None))

    def options(self) -> dict[str, Any]:
        return {"kind": "sequential", **asdict(self)}

    def __call__(self, embeddings: TokenEmbeddings) -> TokenEmbeddings:
        """Pools the rows of one chunk.

        Args:
            embeddings: ``(tokens, dim) float32``, rows of unit norm.

        Returns:
            ``(fewer, dim) float32``: the protected rows, then a mean for each run; the input itself where nothing is
            to be pooled.
        """
        protected, rest = embeddings[: self.protected_tokens], embeddings[self.protected_tokens :]
        if self.pool_factor == 1 or len(rest) < 2:
            return embeddings
        runs = max(len(rest) // self.pool_factor, 1)
        edges = np.arange(runs + 1) * len(rest) // runs
        means = np.add.reduceat(rest, edges[:-1], axis=0) / np.diff(edges)[:, None].astype(np.float32)
        return np.concatenate([protected, means])
