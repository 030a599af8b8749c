"""The modules of a checkpoint: ``modules.json`` and the folder of each."""

from __future__ import annotations

import logging
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from late_rag.encoders.checkpoint.config import Dense, Foreign, Normalize, Transformer
from late_rag.encoders.checkpoint.settings import checked, read_json, read_settings
from late_rag.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from late_rag.encoders.checkpoint.config import Activation, Module

MASK = "MultiVectorMask"
_POOLING = "HierarchicalTokenPooling"
_LAYERS = ("CNN", "Dropout", "LayerNorm", "LSTM", "WeightedLayerPooling")
_KINDS = frozenset({"Transformer", "Dense", "Normalize", "Pooling", MASK, _POOLING, *_LAYERS})
"""Modules that are read. Others of these libraries import what their settings name (Router, WordEmbeddings), or are
whole models, which read a modules.json of their own."""

LIBRARIES = ("sentence_transformers", "pylate")
"""Whose modules are read."""

_MODULE = re.compile(rf"({'|'.join(LIBRARIES)})(\.[A-Za-z_][A-Za-z0-9_]*){{2,}}", re.ASCII)
"""A class of theirs. ``pylate.Dense`` would be pylate.py of the folder itself, and a name with "--" somebody else's."""

_ACTIVATION = re.compile(r"torch\.nn\.(modules\.[a-z]+\.)?[A-Z][A-Za-z0-9]*", re.ASCII)

_MOST = 64  # modules
logger = logging.getLogger(__name__)

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

    A pooling of tokens among them is left out, and logged: how much is pooled is the collection's to say.

    Raises:
        ModelError: a module that is none of the layers that are known, or a file that cannot be read.
    """
    file = folder / "modules.json"
    data = read_json(file)
    if not isinstance(data, list) or len(data) > _MOST or not all(isinstance(entry, dict) for entry in data):
        raise ModelError(f"{file} holds no list of at most {_MOST} modules")
    modules: list[Module] = []
    mask: Mapping[str, Any] = {}
    for entry in data:
        name, path = _name(entry.get("type"), file), _path(entry.get("path"), file)
        kind = name.rpartition(".")[2]
        if kind in (MASK, _POOLING):
            config = folder / path / "config.json"
            settings = read_settings(config) if config.is_file() else {}
            if kind == MASK:
                mask = settings
            else:
                _report_pooling(settings, file)
        else:
            modules.append(_module(name, path, folder))
    if not modules or not isinstance(modules[0], Transformer) or sum(isinstance(m, Transformer) for m in modules) > 1:
        raise ModelError(f"{file} does not begin with the one Transformer that a checkpoint has")
    return tuple(modules), mask


def _name(name: object, file: Path) -> str:
    if _MODULE.fullmatch(str(name)) is None or str(name).rpartition(".")[2] not in _KINDS:
        raise ModelError(
            f"{file} names the module {str(name)[:200]!r}, which could run any code: read are "
            f"{', '.join(sorted(_KINDS))} of {' and '.join(LIBRARIES)}; give an ONNX export of the checkpoint"
        )
    return str(name)


def _report_pooling(settings: Mapping[str, Any], file: Path) -> None:
    factor = settings.get("pool_factor")
    logger.warning(
        "%s pools the rows of documents%s; that is left out: give pooling=PoolingSpec('hierarchical', …) to the "
        "collection",
        file,
        f" by {factor}" if isinstance(factor, int | float) else "",
    )


class NotCompiledError(ModelError):
    """Something of a checkpoint becomes no graph; another library reads it."""


def unknown(what: str, file: Path) -> NotCompiledError:
    """That something of a checkpoint cannot be compiled, and what reads it."""
    return NotCompiledError(
        f"{file} names the {what}, which is not among those that become a graph. PyTorch reads it: "
        'pip install "late-rag[sentence-transformers]" or "late-rag[pylate]"; or give an ONNX export of the checkpoint'
    )


def check_modules(folder: Path, modules: tuple[Module, ...]) -> None:
    """Whether all modules can become a graph.

    Raises:
        NotCompiledError: names the first that cannot.
    """
    for module in modules:
        if isinstance(module, Foreign):
            raise unknown(module.what, folder / "modules.json")


def _path(value: object, file: Path) -> str:
    """A folder inside the checkpoint: nothing else of this machine is for a checkpoint to name."""
    path = PurePosixPath(str(value or ""))
    if not isinstance(value, str | None) or path.is_absolute() or {"..", "\\", "\0"} & {*path.parts, *str(value)}:
        raise ModelError(f"{file}: {str(value)[:200]!r} is no folder inside of the checkpoint")
    return "" if str(path) == "." else str(path)


def _module(name: str, path: str, folder: Path) -> Module:
    kind = name.rpartition(".")[2]
    if kind == "Transformer":
        return Transformer(path)
    if kind == "Dense":
        return _dense(path, folder)
    if kind == "Pooling":
        raise ModelError(f"{folder / 'modules.json'} names the module {name!r}, which makes one vector of all tokens")
    return Normalize() if kind == "Normalize" else Foreign(path, f"module {name[:200]!r}")


def _dense(path: str, folder: Path) -> Dense | Foreign:
    file = folder / path / "config.json"
    data = read_settings(file)
    values = checked(data, _DENSE, file)
    if missing := [name for name in _DENSE if name not in values and name != "use_residual"]:
        raise ModelError(f"{file} lacks {', '.join(missing)}; without it the embeddings would be others than trained")
    name = values["activation_function"]
    if _ACTIVATION.fullmatch(name) is None:
        raise ModelError(f"{file} names the activation {name!r}, which is not of torch.nn; give an ONNX export")
    outside = [key for key in ("module_input_name", "module_output_name") if data.get(key) is not None]
    if {data[key] for key in outside} - {"token_embeddings"} and "module_output_name" in outside:
        return Foreign(path, "Dense layer of something else than token_embeddings")
    if name.rpartition(".")[2] not in _ACTIVATIONS:
        return Foreign(path, f"activation {name!r}")
    return Dense(
        path,
        values["in_features"],
        values["out_features"],
        values["bias"],
        _ACTIVATIONS[name.rpartition(".")[2]],
        values.get("use_residual", False),
    )
