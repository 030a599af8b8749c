"""The engine for one machine: a folder with one SQLite database. All SQL of the library stands here."""

from late_rag.collections.local.collection import LocalCollection

__all__ = ["LocalCollection"]
