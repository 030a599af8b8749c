"""What the library promises, measured: each figure is a ratio of two things timed in one run, with both beside it.

``make bench`` runs them all; ``python -m benchmarks.searching`` runs one. The collections are found by
``LATE_RAG_DATA``.
"""
