"""Token pooling by hierarchical clustering: rows that say nearly the same become one, their mean.

Clavié, Chaffin and Adams, "Reducing the Footprint of Multi-Vector Retrieval with Minimal Performance Impact via Token
Pooling", 2024 (arXiv 2409.14683). On the same input the rows are those of PyLate 1.6's ``pool_factor``, and of
sentence-transformers 6's ``HierarchicalTokenPooling`` without its normalisation, in their order, where no two distances
are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from late_rag.specs import check_ranges

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.types import TokenEmbeddings


@dataclass(frozen=True, slots=True, kw_only=True)
class HierarchicalPooling:
    """Ward clusters on cosine distance, each replaced by the mean of its rows, which is not normalised again.

    Rows are clustered in blocks of even size, so that time is linear and memory bounded however long a chunk is; one
    that the encoder takes in a single pass is one block.
    """

    pool_factor: int = 2
    """How many rows become one, on average; 1 changes nothing."""

    protected_tokens: int = 1
    """Rows at the beginning that stay as they are ([CLS], markers)."""

    block_rows: int = 1024
    """The most rows that are clustered together: bounds memory to about 20 MB at 1,024, with its square."""

    def __post_init__(self) -> None:
        check_ranges(self, pool_factor=(1, None), protected_tokens=(0, None), block_rows=(2, None))

    def options(self) -> dict[str, Any]:
        return {"kind": "hierarchical", **asdict(self)}

    def __call__(self, embeddings: TokenEmbeddings) -> TokenEmbeddings:
        """Pools the rows of one chunk.

        Args:
            embeddings: ``(tokens, dim) float32``, rows of unit norm.

        Returns:
            ``(fewer, dim) float32``: the protected rows, then a mean for each cluster; the input itself where nothing
            is to be pooled.
        """
        protected, rest = embeddings[: self.protected_tokens], embeddings[self.protected_tokens :]
        if self.pool_factor == 1 or len(rest) < 2:
            return embeddings
        return np.concatenate([protected, *(self._pooled(block) for block in self._blocks(rest))])

    def _blocks(self, rows: TokenEmbeddings) -> Iterator[TokenEmbeddings]:
        count = -(-len(rows) // self.block_rows)
        edges = [len(rows) * number // count for number in range(count + 1)]
        return (rows[start:end] for start, end in pairwise(edges))

    def _pooled(self, rows: TokenEmbeddings) -> TokenEmbeddings:
        clusters = max(len(rows) // self.pool_factor, 1)
        if clusters >= len(rows):
            return rows
        labels = cut(ward(rows), clusters)
        sums = np.zeros((labels.max() + 1, rows.shape[1]), np.float32)
        np.add.at(sums, labels, rows)
        sums /= np.bincount(labels)[:, None].astype(np.float32)
        return sums


def ward(rows: TokenEmbeddings) -> npt.NDArray[np.float64]:
    """Ward's linkage on one minus the dot product of rows.

    Returns:
        ``(rows − 1, 4) float64``, a merge a row, by ascending distance: the two clusters (rows first, then merges in
        order, the lower number on the left), their distance, the size.
    """
    import fastcluster

    from late_rag.scoring.products import float_products

    distances = 1 - float_products(rows, np.ascontiguousarray(rows.T))
    condensed = distances[~np.tri(len(rows), dtype=bool)].astype(np.float64)
    merges: npt.NDArray[np.float64] = fastcluster.linkage(condensed, method="ward", preserve_input=False)
    return merges


def cut(merges: npt.NDArray[np.float64], clusters: int) -> npt.NDArray[np.intp]:
    """The cluster of each row when the tree of merges is cut at the lowest height that leaves so many, or fewer.

    Clusters are numbered from 0 as SciPy's ``fcluster(criterion="maxclust")`` numbers them: down the tree from its
    top, the left branch before the right one, and single rows after both.

    Args:
        merges: from :func:`ward`.
        clusters: how many there may be, from 1 to the number of rows − 1. Merges at equal heights can leave fewer.
    """
    rows = len(merges) + 1
    kept = int(np.searchsorted(merges[:, 2], merges[rows - clusters - 1, 2], side="right"))
    children: list[list[int]] = merges[:, :2].astype(np.intp).tolist()
    labels = [-1] * (rows + len(merges))
    for label, node in enumerate(_tops(children, rows, rows + kept)):
        labels[node] = label
    for merge in range(kept - 1, -1, -1):
        for child in children[merge]:
            labels[child] = labels[rows + merge]
    return np.array(labels[:rows], np.intp)


def _tops(children: list[list[int]], rows: int, above: int) -> Iterator[int]:
    """The nodes just below the cut, in the order in which their clusters are numbered.

    Nodes are the rows, then the merges; those from ``above`` on are above the cut.
    """
    waiting = [rows + len(children) - 1]
    while waiting:
        node = waiting.pop()
        if node < above:
            yield node
        else:
            left, right = children[node - rows]
            waiting += sorted((right, left), key=lambda child: child >= rows)
