"""Which format a checkpoint folder is of, and its settings whichever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.encoders.checkpoint.exports import read_export

if TYPE_CHECKING:
    from pathlib import Path

    from late_rag.encoders.checkpoint.config import CheckpointConfig

_EXPORTED = ("model_int8.onnx", "model.onnx")
_TRAINED = ("modules.json", "config.json")


def is_export(folder: Path) -> bool:
    """Whether the folder holds a graph."""
    return any((folder / file).is_file() for file in _EXPORTED)


def is_trained(folder: Path) -> bool:
    """Whether the folder holds a checkpoint as it was trained, perhaps beside a graph."""
    return any((folder / file).is_file() for file in _TRAINED)


def is_multi_vector(folder: Path) -> bool:
    """Whether the checkpoint is of sentence-transformers 6, which no other library reads."""
    from late_rag.encoders.checkpoint.settings import read_settings

    file = folder / "config_sentence_transformers.json"
    return file.is_file() and read_settings(file).get("model_type") == "MultiVectorEncoder"


def read_config(folder: Path) -> CheckpointConfig:
    """Reads the settings of a checkpoint folder of any format.

    Raises:
        ModelError: there is none, or it cannot be used; names the file and what is wrong with it.
    """
    if is_export(folder):
        return read_export(folder)
    from late_rag.encoders.checkpoint.torch_formats import read_trained

    return read_trained(folder)
