"""Compiled graphs, each made once on a machine: found by content, made under a lock, published in one step."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

from late_rag.encoders._cache import CACHE_VARIABLE, cache_folder
from late_rag.encoders._options import MODEL_FILES
from late_rag.encoders.graphs.protobuf import OPSET, newest_opset
from late_rag.errors import ModelError
from late_rag.types import canonical_json, digest

if TYPE_CHECKING:
    from late_rag.encoders._options import Precision
    from late_rag.encoders.checkpoint import CheckpointConfig

RECIPE = 2
"""Grows with every change of the graphs, so that none of a former recipe is taken for one of this."""

_TOLD, _KNOWN = "compiled.json", "known.npy"
_PROCESSOR = Path("/proc/cpuinfo")

logger = logging.getLogger(__name__)


def compiled(folder: Path, config: CheckpointConfig, weights: str, precision: Precision) -> tuple[Path, Precision]:
    """The file of the graph and what it is: fp32 where int8 would give other rows. Made where it is not there yet.

    Args:
        folder: the checkpoint.
        config: what it says.
        weights: what names its weights by their content.
        precision: as asked for.

    Raises:
        ModelError: the checkpoint cannot be compiled, or the cache cannot be written.
    """
    opset = newest_opset() if precision == "int8" else OPSET
    parts = [RECIPE, opset, weights, config.settings(), [str(item) for item in config.modules]]
    key = digest(canonical_json(parts))[:32]
    entry = cache_folder() / "graphs" / f"{key}-{precision}"
    if not (entry / _TOLD).is_file():
        try:
            _make(folder, config, entry, precision, opset)
        except OSError as error:
            raise ModelError(
                f"the compiled graph of {folder} cannot be kept in {entry.parent}: {error}. Name another folder with "
                f"the variable {CACHE_VARIABLE}, or write a model with late-rag compile and give its folder"
            ) from error
    file, found = _found(entry, folder)
    if found == "int8" and not _agrees(folder, config, file):
        logger.warning("%s: on this machine the rows of int8 are too far from those of fp32: fp32 is used", folder)
        return compiled(folder, config, weights, "fp32")
    return file, found


def _agrees(folder: Path, config: CheckpointConfig, file: Path) -> bool:
    """Whether int8 gives the known rows here: asked once for each runtime and kind of processor."""
    mark = file.parent / _mark()
    if mark.is_file():
        return True
    import numpy as np

    from late_rag.encoders._tokens import Sequences, load_tokenizer
    from late_rag.encoders.graphs.making import LEAST_COSINE, agreement

    try:
        known = np.load(file.parent / _KNOWN, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(folder, file.parent) from error
    if agreement(file, Sequences(load_tokenizer(folder), config), known) < LEAST_COSINE:
        return False
    with contextlib.suppress(OSError):  # a cache that may only be read: asked again
        mark.touch()
    return True


def _mark() -> str:
    import onnxruntime

    return f"checked-{onnxruntime.__version__}-{platform.machine()}-{digest(_processor())[:8]}"


def _processor() -> str:
    """What the processor can do, by which the runtime chooses kernels: its flags, or where Linux is not, its name."""
    try:
        lines = _PROCESSOR.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())


def _damaged(folder: Path, entry: Path) -> ModelError:
    return ModelError(f"the compiled graph of {folder} in {entry} is damaged; remove that folder")


def _found(entry: Path, folder: Path) -> tuple[Path, Precision]:
    try:
        precision = json.loads((entry / _TOLD).read_text(encoding="utf-8"))["precision"]
        file = entry / MODEL_FILES[precision]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, entry) from error
    return file, cast("Precision", precision)


def _make(folder: Path, config: CheckpointConfig, entry: Path, precision: Precision, opset: int) -> None:
    import numpy as np
    from filelock import FileLock

    from late_rag.encoders.graphs.making import make_graph

    entry.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(entry.parent / f"{entry.name}.lock"):
        if (entry / _TOLD).is_file():
            return  # by another process, meanwhile
        shutil.rmtree(entry, ignore_errors=True)
        work = Path(tempfile.mkdtemp(dir=entry.parent, prefix="making-"))
        try:
            made = make_graph(folder, config, work, precision, opset)
            (work / _TOLD).write_text(json.dumps({"precision": made.precision, "cosine": made.cosine}))
            if made.known is not None:
                np.save(work / _KNOWN, made.known)
                (work / _mark()).touch()
            _to_disk(work)
            work.rename(entry)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    if made.precision != precision:
        logger.warning(
            "%s: the rows of int8 are too far from those of fp32 (mean cosine %.3f): fp32 is used", folder, made.cosine
        )
    logger.info("%s: compiled to %s", folder, entry)


def _to_disk(folder: Path) -> None:
    for file in folder.iterdir():
        with contextlib.suppress(OSError), file.open("rb+") as stream:
            os.fsync(stream.fileno())
