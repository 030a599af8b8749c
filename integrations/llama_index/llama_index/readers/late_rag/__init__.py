"""Files as LlamaIndex's documents, by the loaders of :mod:`late_rag`."""

from llama_index.readers.late_rag.reader import LateInteractionReader

__all__ = ["LateInteractionReader"]
