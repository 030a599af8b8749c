"""Files as Haystack's documents, by the loaders of :mod:`late_rag`."""

from haystack_integrations.components.converters.late_rag.converter import LateInteractionConverter

__all__ = ["LateInteractionConverter"]
