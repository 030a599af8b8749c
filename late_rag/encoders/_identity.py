"""What names a checkpoint's weights: recorded in its config, else the hub's revision, else a hash of the files."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from late_rag.encoders._cache import cache_folder
from late_rag.encoders.checkpoint import Foreign, Normalize
from late_rag.encoders.checkpoint.weights import WEIGHTS, weight_files
from late_rag.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from late_rag.encoders.checkpoint import CheckpointConfig

logger = logging.getLogger(__name__)


def exported_name(folder: Path, config: CheckpointConfig, revision: str | None) -> str:
    """What names the weights of an ONNX export: the id that it records, else the revision, else its fp32 model.

    ``revision`` is ``name@commit`` where the folder is a snapshot from a hub.

    Raises:
        ModelError: nothing names the weights: no recorded id, no revision, no fp32 model to hash.
    """
    return config.model_id or revision or _export_hash(folder)


def weights_name(folder: Path, config: CheckpointConfig) -> str:
    """What names the weights of a checkpoint as it was trained: a hash of all its modules, whoever reads them.

    Raises:
        ModelError: a file of it is missing.
    """
    parts = {module.folder: module for module in config.modules if not isinstance(module, Normalize)}
    files: list[Path] = []
    for part in parts:
        files += [folder / part / "config.json", *(weight_files(folder / part) or [folder / part / WEIGHTS])]
    files.append(folder / "tokenizer.json")
    there = [file for file in files if file.is_file()]
    optional = {folder / part / WEIGHTS for part, module in parts.items() if isinstance(module, Foreign)}
    if missing := [str(file) for file in files if file not in {*there, *optional} and file.name != "config.json"]:
        raise ModelError(f"{folder} is not complete: there is no {', '.join(missing)}")
    return f"safetensors-{_hashed(there)}"


def _export_hash(folder: Path) -> str:
    files = [folder / "model.onnx", *sorted(folder.glob("model.onnx?data")), folder / "tokenizer.json"]
    if not files[0].is_file():
        raise ModelError(
            f"{folder}: nothing names these weights. Put a model_id into onnx_config.json, the same for every "
            "precision of one checkpoint (a hash of model_int8.onnx would differ from that of model.onnx)"
        )
    return f"onnx-{_hashed(files)}"


def _hashed(files: list[Path]) -> str:
    """A hash of the files, which is kept, for as long as none of them changes."""
    cache = _cache_file()
    known = _read(cache)
    key = json.dumps([[str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns] for file in files])
    if key not in known:
        known[key] = _digest(files)
        _write(cache, known)
    return known[key]


def _digest(files: list[Path]) -> str:
    state = hashlib.blake2b(digest_size=16)
    for file in files:
        state.update(file.stat().st_size.to_bytes(8, "little"))
        for block in _blocks(file):
            state.update(block)
    return state.hexdigest()


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            yield block


def _cache_file() -> Path:
    return cache_folder() / "model_hashes.json"


def _read(cache: Path) -> dict[str, str]:
    try:
        known = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(cache: Path, known: dict[str, str]) -> None:
    """Replaces the cache in one step; where it cannot be written, the next process hashes again."""
    import tempfile

    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=cache.parent, prefix=cache.name)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(known, stream)
        Path(name).replace(cache)
    except OSError as error:
        logger.info("the id of a model could not be kept in %s: %s", cache, error)
