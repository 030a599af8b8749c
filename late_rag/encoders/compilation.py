"""A compiled checkpoint as a folder to ship: what an ONNX export holds."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from late_rag.errors import InputError, ModelError

if TYPE_CHECKING:
    from late_rag.encoders._options import Precision
    from late_rag.encoders.graphs.making import Made


def compile_model(model: str | Path, out: str | Path, *, int8: bool = False) -> Made:
    """Compiles a checkpoint into a new folder, which :func:`late_rag.load_encoder` then takes anywhere.

    Args:
        model: a checkpoint folder, a hub id, or a name that ``late-rag models`` lists.
        out: the folder, which appears when it is complete.
        int8: in int8, unless its rows are too far from those of fp32; then in fp32.

    Returns:
        In which precision it was made, and how close int8 came.

    Raises:
        ModelError: there is no such checkpoint, it is an ONNX export already, or it cannot be compiled, also for want
            of room.
        InputError: ``out`` is there already, or cannot be written; ``model`` is no name or path.
        MissingExtraError: the embedded model, which needs no compiling, is not installed.
    """
    from late_rag.encoders import located
    from late_rag.encoders._hub import fetch
    from late_rag.encoders._identity import weights_name
    from late_rag.encoders.checkpoint import is_export, is_trained, read_trained
    from late_rag.encoders.graphs.making import make_graph

    out = Path(out)
    if out.exists():
        raise InputError(f"{out} is there already; name a folder that is not")
    name, folder = located(model)
    if folder is None:
        folder, _ = fetch(name, {}, trained=True)
    if not is_trained(folder):
        if is_export(folder):
            raise ModelError(f"{model} is an ONNX export already; load it as it is")
        raise ModelError(
            f"{model} holds no checkpoint: expected modules.json or config.json, and its weights, in {folder}"
        )
    config = read_trained(folder)
    precision: Precision = "int8" if int8 else "fp32"
    settings = config.settings() | {"model_id": weights_name(folder, config)}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error}") from error
    try:
        made = make_graph(folder, config, work, precision)
        shutil.copyfile(folder / "tokenizer.json", work / "tokenizer.json")
        (work / "onnx_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        work.chmod(0o755)  # a temporary folder is for its owner alone
        work.rename(out)
    except OSError as error:
        raise ModelError(f"{model} cannot be compiled into {out}: {error}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return made
