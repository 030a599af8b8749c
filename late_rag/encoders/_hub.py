"""Checkpoints from the Hugging Face hub: only the files an exported encoder needs."""

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

HUB_ID = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<revision>[\w./-]+))?")
"""``organisation/name``, and ``@`` with a branch, tag or commit where another than the newest is meant."""

TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105 - a name, no password
"""The variable that has the hub's token, unless another is named."""

_SETTINGS = ("onnx_config.json", "config_sentence_transformers.json", "tokenizer.json")
_INT8 = ("model_int8.onnx",)
_FP32 = ("model.onnx", "model.onnx_data", "model.onnx.data")


def fetch(
    model: str, options: Mapping[str, Any], token_variable: str | Sequence[str] = TOKEN_VARIABLE
) -> tuple[Path, str]:
    """Downloads what is not in the hub's cache yet; the folder and ``name@commit``.

    The int8 weights alone where the model has them and ``options`` (``precision``, ``device``) ask for nothing else.

    Raises:
        ModelError: the model cannot be fetched; says what to do.
    """
    found = HUB_ID.fullmatch(model)
    if found is None:
        raise ModelError(f"{model!r} is no hub id: it should look like organisation/name")
    name, revision = found["name"], found["revision"]
    token_variables = (token_variable,) if isinstance(token_variable, str) else token_variable
    snapshot = partial(_snapshot, name, revision, token_variables)
    wants_fp32 = options.get("precision") == "fp32" or options.get("device") == "cuda"
    folder = snapshot(_SETTINGS + (_FP32 if wants_fp32 else _INT8))
    if not wants_fp32 and not any((folder / file).is_file() for file in _INT8):
        folder = snapshot(_SETTINGS + _FP32)
    logger.info("%s: %s", model, folder)
    return folder, f"{name}@{folder.name}"


def _snapshot(name: str, revision: str | None, token_variables: Sequence[str], files: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download

    token = next((os.environ[variable] for variable in token_variables if os.environ.get(variable)), None)
    try:
        return Path(snapshot_download(name, revision=revision, token=token, allow_patterns=list(files)))
    except Exception as error:  # network, HTTP, disk and cache errors have no common base class
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"{name} could not be fetched from the Hugging Face hub: {reason.rstrip('.')}. Check the name and the "
            f"connection ({' or '.join(token_variables)} for a private model, HF_ENDPOINT for a mirror), or fetch the "
            "model elsewhere and give its folder"
        ) from error
