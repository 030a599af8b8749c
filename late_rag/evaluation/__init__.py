"""How good and how fast a model and an index are on a test collection in BEIR layout.

    report = evaluate("data/cranfield", baseline="bm25")
    report.to_dict()["ndcg@10"]

A document's score is its best chunk's, and chunks are fetched until 100 different documents are there. Overlap@10 is
the share of the first ten chunks that are also the first ten by exact MaxSim over the encoder's own float32
embeddings, before pooling and storage: what it lacks to 1 is lost there or in the index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.lazy import lazy_names

if TYPE_CHECKING:
    from late_rag.evaluation.beir import BeirCollection, load_beir
    from late_rag.evaluation.comparison import StudyRow, study
    from late_rag.evaluation.report import EvaluationReport, Ranked
    from late_rag.evaluation.run import evaluate

__all__ = ["BeirCollection", "EvaluationReport", "Ranked", "StudyRow", "evaluate", "load_beir", "study"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "BeirCollection": "late_rag.evaluation.beir",
        "EvaluationReport": "late_rag.evaluation.report",
        "Ranked": "late_rag.evaluation.report",
        "StudyRow": "late_rag.evaluation.comparison",
        "evaluate": "late_rag.evaluation.run",
        "load_beir": "late_rag.evaluation.beir",
        "study": "late_rag.evaluation.comparison",
    },
)
