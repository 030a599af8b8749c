"""MaxSim, and the packed rows and kernels that make it quick on a CPU. The only MaxSim in the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.lazy import lazy_names

if TYPE_CHECKING:
    from late_rag.scoring.scores import maxsim, similarity

__all__ = ["maxsim", "similarity"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "maxsim": "late_rag.scoring.scores",
        "similarity": "late_rag.scoring.scores",
    },
)
