"""What an evaluation found out."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Ranked:
    """How good and how fast one way to search is."""

    measures: Mapping[str, float]
    """The means of :data:`late_rag.measures.MEASURES`, by name."""

    search_p50_ms: float
    search_p95_ms: float

    def to_dict(self) -> dict[str, Any]:
        """Flat, with the measures by name."""
        return {"search_p50_ms": self.search_p50_ms, "search_p95_ms": self.search_p95_ms, **self.measures}


@dataclass(frozen=True)
class EvaluationReport:
    """What :func:`evaluate` measured: seconds, milliseconds, bytes, mebibytes.

    ``encode_s`` is the bare encoding of all chunks with the model loaded, ``build_s`` the writing of them and of the
    index. The times of ``search`` are of ``Collection.search`` for 10 chunks, one query a call, already encoded, warm.
    """

    dataset: str
    model: str
    model_id: str
    variant: str
    index: str
    pool_factor: int
    documents: int
    chunks: int
    tokens: int
    queries: int
    encode_s: float
    build_s: float
    query_encode_p50_ms: float
    search: Ranked
    overlap_10: float
    bytes_on_disk: int
    peak_rss_mb: float | None
    """The most memory the process ever had resident; None where the system does not tell."""

    baseline_name: str | None = None
    baseline: Ranked | None = None

    def to_dict(self) -> dict[str, Any]:
        """Flat JSON; the measures by name, those of the baseline under ``baseline``."""
        found = asdict(self)
        for name in ("search", "overlap_10", "baseline", "baseline_name"):
            del found[name]
        found |= self.search.to_dict() | {"overlap@10": self.overlap_10}
        if self.baseline is not None:
            found["baseline"] = {"name": self.baseline_name, **self.baseline.to_dict()}
        return found


def peak_memory() -> float | None:
    """The process's largest resident size so far, in MiB."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
