"""Which encoder reads a model: the one that is named, else the first of those installed that can."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from late_rag.backends import ENCODERS, resolve
from late_rag.encoders.checkpoint.modules import NotCompiledError
from late_rag.errors import InputError, MissingExtraError, ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from late_rag.protocols import Encoder

AUTO = "auto"

_ROWS = {"onnx": ("onnx", "compiled")}
"""What a backend is called, where it is not one row of the table: ONNX Runtime runs both."""

_TORCH = {"pylate": ("pylate", 1), "sentence-transformers": ("sentence-transformers", 6)}
"""The distribution that a backend needs, and from which major version on. At most one of them can be installed."""

_ONNX_OPTIONS = ("precision", "workers")

logger = logging.getLogger(__name__)


def check_backend(backend: object) -> None:
    """Whether there is such a backend, and what it needs is installed.

    Raises:
        InputError: there is not; names those that there are.
        MissingExtraError: it is not; ends in the line that installs it.
    """
    if backend == AUTO:
        return
    if not isinstance(backend, str) or backend not in ENCODERS:
        raise InputError(f"unknown backend {backend!r}; there are: {', '.join((AUTO, *sorted(ENCODERS)))}")
    if backend in _TORCH and not _installed(backend):
        distribution, least = _TORCH[backend]
        there = _version(distribution)
        found = f" from version {least} on ({there} is there)" if there else ""
        raise MissingExtraError(f"backend {backend!r} needs {distribution}{found}, which", backend)


def wants_weights(backend: str, options: Mapping[str, Any]) -> bool:
    """Whether the weights as they were trained are read first, where a model has them and an ONNX export."""
    return backend in _TORCH or (backend == AUTO and _torch_for_cuda(options) is not None)


def make(
    name: str, folder: Path, revision: str | None, backend: str, options: Mapping[str, Any], *, trained: bool = False
) -> Encoder:
    """The encoder of a model's folder, which goes by ``name``; with ``trained`` of an export last.

    Raises:
        ModelError: nothing that is installed reads it, or not the backend that is named.
        InputError: an option that the encoder does not have, or a wrong value of one.
    """
    refusal: NotCompiledError | None = None
    for candidate in _candidates(backend, options, trained):
        kind = resolve(ENCODERS, candidate, "encoder")
        if not kind.reads(folder):
            continue
        if refusal is not None and _unknown_options(kind, options):
            break  # they are for the one that refused
        _check_options(kind, options)
        try:
            encoder: Encoder = kind(folder, model=name, revision=revision, **options)
        except NotCompiledError as error:
            refusal = refusal or error
            continue
        logger.info("%s: read by %s%s", name, candidate, f"; {refusal}" if refusal else "")
        return encoder
    if refusal is not None:
        raise refusal
    by = "" if backend == AUTO else f" that {backend} reads"
    raise ModelError(
        f"{name} holds no model{by}: expected a checkpoint (modules.json, model.safetensors) or an ONNX export "
        f"(model_int8.onnx or model.onnx) in {folder}"
    )


def _candidates(backend: str, options: Mapping[str, Any], trained: bool) -> list[str]:
    """Rows of the table in the order in which they are asked; ONNX before PyTorch, which is slower on a CPU."""
    if backend != AUTO:
        rows = list(_ROWS.get(backend, (backend,)))
    else:
        rows = [name for name in ENCODERS if name not in _TORCH or _installed(name)]
        first = _torch_for_cuda(options)
        rows.sort(key=lambda name: name != first)
    return sorted(rows, key=lambda name: trained and name == "onnx")  # an export after the weights


def _torch_for_cuda(options: Mapping[str, Any]) -> str | None:
    """The backend on PyTorch, where one is installed that has a CUDA device, and ONNX Runtime has none."""
    device = options.get("device", "auto")
    wanted = isinstance(device, str) and device.startswith(("auto", "cuda"))
    backend = next((name for name in _TORCH if _installed(name)), None)
    if backend is None or not wanted or any(option in options for option in _ONNX_OPTIONS):
        return None
    if device == "auto" and not _has_driver():
        return None  # so PyTorch, which takes a second to import, need not be asked
    import torch

    from late_rag.encoders._options import cuda_available

    return backend if torch.cuda.is_available() and not cuda_available() else None


def _has_driver() -> bool:
    return sys.platform == "win32" or Path("/proc/driver/nvidia/version").exists()


def _installed(backend: str) -> bool:
    distribution, least = _TORCH[backend]
    version = _version(distribution)
    return version is not None and int(version.partition(".")[0]) >= least


def _version(distribution: str) -> str | None:
    """The version of a distribution that can be imported; None where it is not there."""
    if importlib.util.find_spec(distribution.replace("-", "_")) is None:
        return None
    from importlib import metadata  # which loads half of the e-mail package

    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _check_options(kind: type, options: Mapping[str, Any]) -> None:
    if unknown := _unknown_options(kind, options):
        known = ", ".join(sorted(_options(kind)))
        raise InputError(f"{kind.__name__} has no option {', '.join(unknown)}; it has {known}")


def _unknown_options(kind: type, options: Mapping[str, Any]) -> list[str]:
    return sorted(set(options) - _options(kind)) if options else []


def _options(kind: type) -> set[str]:
    return set(inspect.signature(kind).parameters) - {"folder", "model", "revision"}
