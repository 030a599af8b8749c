"""The centroid index keeps the contract of indexes."""

from __future__ import annotations

from late_rag.indexes.centroids import CentroidIndex
from late_rag.testing import IndexContract


class TestCentroidIndex(IndexContract):
    index_class = CentroidIndex
