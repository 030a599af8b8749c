"""The modules of a checkpoint: ``modules.json`` and the folder of each."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from late_rag.encoders.checkpoint.config import Dense, Normalize, Transformer
from late_rag.encoders.checkpoint.settings import checked, read_json, read_settings
from late_rag.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from late_rag.encoders.checkpoint.config import Activation, Module

MASK = "MultiVectorMask"
LIBRARIES = ("sentence_transformers", "pylate")
"""Whose modules are read."""

_MOST = 64  # modules
_ACTIVATIONS: Mapping[str, Activation] = {
    "Identity": "identity",
    "Tanh": "tanh",
    "ReLU": "relu",
    "GELU": "gelu",
    "SiLU": "silu",
    "Sigmoid": "sigmoid",
}
_DENSE = ("in_features", "out_features", "bias", "use_residual", "activation_function")


def read_modules(folder: Path) -> tuple[tuple[Module, ...], Mapping[str, Any]]:
    """The modules in their order, and the settings of the mask behind them, where there is one.

    Raises:
        ModelError: a module that is not known, or a file that cannot be read; names it, and what to give in its place.
    """
    file = folder / "modules.json"
    data = read_json(file)
    if not isinstance(data, list) or len(data) > _MOST or not all(isinstance(entry, dict) for entry in data):
        raise ModelError(f"{file} holds no list of at most {_MOST} modules")
    modules: list[Module] = []
    mask: Mapping[str, Any] = {}
    for entry in data:
        kind, path = _kind(entry.get("type"), file), _path(entry.get("path"), file)
        if kind == MASK:
            config = folder / path / "config.json"
            mask = read_settings(config) if config.is_file() else {}
        else:
            modules.append(_module(kind, path, folder))
    if not modules or not isinstance(modules[0], Transformer) or sum(isinstance(m, Transformer) for m in modules) > 1:
        raise ModelError(f"{file} does not begin with the one Transformer that a checkpoint has")
    return tuple(modules), mask


def _kind(name: object, file: Path) -> str:
    library, _, kind = str(name).rpartition(".")
    if library.partition(".")[0] not in LIBRARIES or kind not in ("Transformer", "Dense", "Normalize", MASK):
        raise unknown(f"module {str(name)[:200]!r}", file)
    return kind


def unknown(what: str, file: Path) -> ModelError:
    """That something of a checkpoint cannot be compiled, and what can be given in its place."""
    return ModelError(
        f"{file} names the {what}, which is not among those that become a graph; give an ONNX export of the checkpoint"
    )


def _path(value: object, file: Path) -> str:
    """A folder inside the checkpoint: nothing else of this machine is for a checkpoint to name."""
    path = PurePosixPath(str(value or ""))
    if not isinstance(value, str | None) or path.is_absolute() or {"..", "\\", "\0"} & {*path.parts, *str(value)}:
        raise ModelError(f"{file}: {str(value)[:200]!r} is no folder inside of the checkpoint")
    return "" if str(path) == "." else str(path)


def _module(kind: str, path: str, folder: Path) -> Module:
    if kind == "Transformer":
        return Transformer(path)
    return Normalize() if kind == "Normalize" else _dense(path, folder)


def _dense(path: str, folder: Path) -> Dense:
    file = folder / path / "config.json"
    data = read_settings(file)
    values = checked(data, _DENSE, file)
    if missing := [name for name in _DENSE if name not in values and name != "use_residual"]:
        raise ModelError(f"{file} lacks {', '.join(missing)}; without it the embeddings would be others than trained")
    name = values["activation_function"]
    if not name.startswith("torch.nn.") or name.rpartition(".")[2] not in _ACTIVATIONS:
        raise unknown(f"activation {name!r}", file)
    outside = [key for key in ("module_input_name", "module_output_name") if data.get(key) is not None]
    if {data[key] for key in outside} - {"token_embeddings"} and "module_output_name" in outside:
        raise unknown("Dense layer of something else than token_embeddings", file)
    return Dense(
        path,
        values["in_features"],
        values["out_features"],
        values["bias"],
        _ACTIVATIONS[name.rpartition(".")[2]],
        values.get("use_residual", False),
    )
