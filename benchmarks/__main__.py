"""All figures that need no torch, one after the other: ``python -m benchmarks``."""

from __future__ import annotations

from benchmarks import footprint, indexing, loading, reranking, searching
from benchmarks.figures import report

for part in (footprint, loading, indexing, searching, reranking):
    report(part.figures())
