"""All figures that need no torch, one after the other: ``python -m benchmarks``."""

from __future__ import annotations

from benchmarks import candidates, footprint, indexing, loading, reranking, searching
from benchmarks.figures import report

for part in (footprint, loading, indexing, searching, reranking, candidates):
    report(part.figures())
