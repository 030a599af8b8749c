"""All figures that need no torch, one after the other: ``python -m benchmarks``."""

from __future__ import annotations

from benchmarks import footprint, indexing, reranking, searching
from benchmarks.figures import report

for part in (footprint, indexing, searching, reranking):
    report(part.figures())
