"""Candidate indexes: which chunks are worth scoring exactly. Derived from the stored rows, rebuildable at any time."""
