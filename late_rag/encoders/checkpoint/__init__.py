"""What a checkpoint folder is, and what it says: every format gives the same :class:`CheckpointConfig`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.lazy import lazy_names

if TYPE_CHECKING:
    from late_rag.encoders.checkpoint.config import CheckpointConfig, Dense, Expansion, Normalize, Transformer
    from late_rag.encoders.checkpoint.formats import is_export, read_config

__all__ = [
    "CheckpointConfig",
    "Dense",
    "Expansion",
    "Normalize",
    "Transformer",
    "is_export",
    "read_config",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "CheckpointConfig": "late_rag.encoders.checkpoint.config",
        "Dense": "late_rag.encoders.checkpoint.config",
        "Expansion": "late_rag.encoders.checkpoint.config",
        "Normalize": "late_rag.encoders.checkpoint.config",
        "Transformer": "late_rag.encoders.checkpoint.config",
        "is_export": "late_rag.encoders.checkpoint.formats",
        "read_config": "late_rag.encoders.checkpoint.formats",
    },
)
