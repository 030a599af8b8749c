"""What a checkpoint folder is, and what it says: every format gives the same :class:`CheckpointConfig`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.encoders.checkpoint.config import CheckpointConfig, Dense, Expansion, Normalize, Transformer
from late_rag.encoders.checkpoint.exports import CONFIG_FILES, read_export

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "CONFIG_FILES",
    "CheckpointConfig",
    "Dense",
    "Expansion",
    "Normalize",
    "Transformer",
    "is_export",
    "read_config",
    "read_export",
]

EXPORTED = ("model_int8.onnx", "model.onnx")


def is_export(folder: Path) -> bool:
    """Whether the folder holds a graph."""
    return any((folder / file).is_file() for file in EXPORTED)


def read_config(folder: Path) -> CheckpointConfig:
    """Reads the settings of a checkpoint folder of any format.

    Raises:
        ModelError: there is none, or it cannot be used; names the file and what is wrong with it.
    """
    if is_export(folder):
        return read_export(folder)
    from late_rag.encoders.checkpoint.torch_formats import read_trained

    return read_trained(folder)
