"""Checkpoints from the Hugging Face hub: only the files that are read, exported or as they were trained."""

from __future__ import annotations

import logging
import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from late_rag.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

logger = logging.getLogger(__name__)

_PART = r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,95}"
HUB_ID = re.compile(rf"(?P<name>{_PART}/{_PART})(@(?P<revision>{_PART}(?:/{_PART}){{0,9}}))?")
"""``organisation/name``, and ``@`` with a branch, tag or commit where another than the newest is meant."""

TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105 - a name, no password
"""The variable that has the hub's token, unless another is named."""

_SETTINGS = ("onnx_config.json", "config_sentence_transformers.json", "tokenizer.json")
_TRAINED = (
    "config.json",
    "modules.json",
    "sentence_bert_config.json",
    "artifact.metadata",
    "model.safetensors",
    "model.safetensors.index.json",
    "model-[0-9]*.safetensors",
    "[0-9]*/config.json",
    "[0-9]*/model.safetensors",
)
"""A checkpoint without an export: what is compiled."""

_INT8 = ("model_int8.onnx",)
_FP32 = ("model.onnx", "model.onnx_data", "model.onnx.data")


class NotCachedError(ModelError):
    """A model that is not in the hub's cache, and must not be fetched."""


def fetch(
    model: str,
    options: Mapping[str, Any],
    token_variable: str | Sequence[str] = TOKEN_VARIABLE,
    *,
    cached_only: bool = False,
    trained: bool = False,
) -> tuple[Path, str]:
    """Downloads what is not in the hub's cache yet; the folder and ``name@commit``.

    The int8 weights alone where the model has them and ``options`` (``precision``, ``device``) ask for nothing else.

    Args:
        model: the hub id.
        options: of the backend.
        token_variable: which variable has the token, or the first that is set of several; with none of them no token
            is sent, not even one that the hub's own tools keep.
        trained: the weights as they were trained, if the model has them beside an export.
        cached_only: take what is in the cache, and contact nobody.

    Raises:
        ModelError: the model cannot be fetched; says what to do.
        NotCachedError: it is not in the cache, with ``cached_only``.
    """
    found = HUB_ID.fullmatch(model)
    if found is None:
        raise ModelError(f"{model!r} is no hub id: it should look like organisation/name")
    name, revision = found["name"], found["revision"]
    token_variables = (token_variable,) if isinstance(token_variable, str) else token_variable
    read = _cached if cached_only else partial(_snapshot, token_variables)
    snapshot = partial(read, name, revision)
    if trained:
        folder = snapshot(_SETTINGS + _TRAINED)
        if any((folder / file).is_file() for file in _TRAINED):
            return _found(model, name, folder)
    wants_fp32 = options.get("precision") == "fp32" or options.get("device") == "cuda"
    folder = snapshot(_SETTINGS + (_FP32 if wants_fp32 else _INT8))
    if not wants_fp32 and not any((folder / file).is_file() for file in _INT8):
        folder = snapshot(_SETTINGS + _FP32)
    if not any((folder / file).is_file() for file in (*_INT8, _FP32[0])):
        folder = snapshot(_SETTINGS + _TRAINED)
    return _found(model, name, folder)


def _found(model: str, name: str, folder: Path) -> tuple[Path, str]:
    logger.info("%s: %s", model, folder)
    return folder, f"{name}@{folder.name}"


def _cached(name: str, revision: str | None, files: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(
            name, revision=revision, token=False, allow_patterns=list(files), local_files_only=True
        )
    except Exception as error:  # as for _snapshot
        raise NotCachedError(f"{name} is not in the cache of this machine") from error
    return Path(found)


def _snapshot(token_variables: Sequence[str], name: str, revision: str | None, files: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download

    token: str | bool | None = next((os.environ[each] for each in token_variables if os.environ.get(each)), None)
    token = token if token_variables else False
    try:
        return Path(snapshot_download(name, revision=revision, token=token, allow_patterns=list(files)))
    except Exception as error:  # network, HTTP, disk and cache errors have no common base class
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"{name} could not be fetched from the Hugging Face hub: {reason.rstrip('.')}. Check the name and the "
            f"connection ({_access(token_variables)}HF_ENDPOINT for a mirror), or fetch the model elsewhere and give "
            "its folder"
        ) from error


def _access(token_variables: Sequence[str]) -> str:
    """How a private model is reached; no token is sent for one that the caller did not name."""
    return f"{' or '.join(token_variables)} for a private model, " if token_variables else ""
