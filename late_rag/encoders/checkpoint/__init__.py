"""What a checkpoint folder is, and what it says: every format gives the same :class:`CheckpointConfig`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.lazy import lazy_names

if TYPE_CHECKING:
    from late_rag.encoders.checkpoint.config import CheckpointConfig, Dense, Expansion, Foreign, Normalize, Transformer
    from late_rag.encoders.checkpoint.formats import is_export, is_multi_vector, is_trained, read_config
    from late_rag.encoders.checkpoint.torch_formats import read_trained

__all__ = [
    "CheckpointConfig",
    "Dense",
    "Expansion",
    "Foreign",
    "Normalize",
    "Transformer",
    "is_export",
    "is_multi_vector",
    "is_trained",
    "read_config",
    "read_trained",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "CheckpointConfig": "late_rag.encoders.checkpoint.config",
        "Dense": "late_rag.encoders.checkpoint.config",
        "Expansion": "late_rag.encoders.checkpoint.config",
        "Foreign": "late_rag.encoders.checkpoint.config",
        "Normalize": "late_rag.encoders.checkpoint.config",
        "Transformer": "late_rag.encoders.checkpoint.config",
        "is_export": "late_rag.encoders.checkpoint.formats",
        "is_multi_vector": "late_rag.encoders.checkpoint.formats",
        "is_trained": "late_rag.encoders.checkpoint.formats",
        "read_config": "late_rag.encoders.checkpoint.formats",
        "read_trained": "late_rag.encoders.checkpoint.torch_formats",
    },
)
