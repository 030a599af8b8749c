"""MaxSim, and the packed rows and kernels that make it quick on a CPU. The only MaxSim in the library."""

from late_rag.scoring.maxsim import maxsim, similarity

__all__ = ["maxsim", "similarity"]
