"""Checkpoints as they were trained: PyLate, sentence-transformers 6 and later, Stanford ColBERT."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

from late_rag.encoders.checkpoint.config import CheckpointConfig, Dense, Expansion, Foreign, Transformer
from late_rag.encoders.checkpoint.exports import expansion_of, sides_of
from late_rag.encoders.checkpoint.modules import read_modules, unknown
from late_rag.encoders.checkpoint.settings import checked, read_settings
from late_rag.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from late_rag.encoders.checkpoint.config import Module

SENTENCE_TRANSFORMERS = "config_sentence_transformers.json"
STANFORD = "artifact.metadata"

_FLAT = ("query_prefix", "document_prefix", "query_length", "document_length", "do_query_expansion", "skiplist_words")
_QUERY_LENGTH, _DOCUMENT_LENGTH = 32, 180
"""What PyLate takes where a checkpoint does not say."""


def read_trained(folder: Path) -> CheckpointConfig:
    """Reads the settings of a checkpoint with its weights as they were trained.

    Raises:
        ModelError: nothing says that it is a late-interaction model; a module that is not known; a file that cannot
            be read, or a setting of another kind.
    """
    if "HF_ColBERT" in _architectures(folder):
        return _stanford(folder)
    file = folder / SENTENCE_TRANSFORMERS
    data = read_settings(file) if file.is_file() else {}
    if data.get("model_type") == "MultiVectorEncoder":
        return _multi_vector(folder, data, file)
    if data.get("model_type") == "ColBERT" or any(name in data for name in _FLAT):
        return _pylate(folder, data, file)
    raise ModelError(
        f"{folder} is no late-interaction checkpoint: {SENTENCE_TRANSFORMERS} says nothing of queries and documents, "
        f"and there is no {STANFORD}. A model that was trained for one vector a text has no layer for its tokens"
    )


def _architectures(folder: Path) -> list[Any]:
    file = folder / "config.json"
    names = read_settings(file).get("architectures") if file.is_file() else None
    return names if isinstance(names, list) else []


def _pylate(folder: Path, data: Mapping[str, Any], file: Path) -> CheckpointConfig:
    modules, _ = read_modules(folder)
    values = checked(data, (*_FLAT, "attend_to_expansion_tokens"), file)
    length = values.get("query_length", _QUERY_LENGTH)
    expands = values.get("do_query_expansion", True)
    return CheckpointConfig(
        query_length=length,
        document_length=values.get("document_length", _DOCUMENT_LENGTH),
        query_prefix=values.get("query_prefix", "[Q] "),
        document_prefix=values.get("document_prefix", "[D] "),
        expansion=Expansion(length, values.get("attend_to_expansion_tokens", False)) if expands else None,
        skiplist_words=tuple(values.get("skiplist_words", string.punctuation)),
        do_lower_case=_transformer_settings(folder, modules).get("do_lower_case", False),
        embedding_dim=_dim(modules),
        modules=modules,
    )


def _multi_vector(folder: Path, data: Mapping[str, Any], file: Path) -> CheckpointConfig:
    modules, mask = read_modules(folder)
    transformer = _transformer_settings(folder, modules)
    expansion = expansion_of(transformer.get("query_expansion"), file)
    longest = transformer.get("max_seq_length") or _longest(folder, modules)
    query_length = transformer.get("query_length") or longest
    if expansion is not None:
        ceiling = max(query_length or 0, expansion.length)
        query_length = expansion.length if expansion.strategy == "fixed" else ceiling
    document_length = transformer.get("document_length") or longest
    if query_length is None or document_length is None:
        raise ModelError(f"{folder}: sentence_bert_config.json gives neither query_length nor document_length")
    prompts = data.get("prompts") or {}
    if not isinstance(prompts, dict):
        raise ModelError(f"{file}: prompts is {str(prompts)[:200]!r}, not an object")
    told = {f"{side}_prompt": prompts.get(side) for side in ("query", "document")}
    words = checked(mask, ("skiplist_words", "keep_only_token_ids"), folder / "modules.json")
    kept = words.get("keep_only_token_ids")
    return CheckpointConfig(
        query_length=query_length,
        document_length=document_length,
        query_prefix="",
        document_prefix="",
        expansion=expansion,
        skiplist_words=tuple(words.get("skiplist_words", ())),
        skiplist_sides=sides_of(mask.get("skiplist_tasks") or ["document"], folder / "modules.json"),
        keep_only_token_ids=tuple(kept) if kept else None,
        do_lower_case=transformer.get("do_lower_case", False),
        embedding_dim=_dim(modules),
        modules=modules,
        **checked(told, tuple(told), file),
    )


def _stanford(folder: Path) -> CheckpointConfig:
    file = folder / STANFORD
    names = (
        "query_maxlen",
        "doc_maxlen",
        "query_token_id",
        "doc_token_id",
        "mask_punctuation",
        "attend_to_mask_tokens",
    )
    data = read_settings(file) if file.is_file() else {}
    values = checked({"dim": 128} | data, names, file)
    dim = checked({"out_features": data.get("dim", 128)}, ("out_features",), file)["out_features"]
    config = folder / "config.json"
    hidden = checked(read_settings(config), ("hidden_size",), config).get("hidden_size")
    if hidden is None:
        raise ModelError(f"{config} lacks hidden_size")
    length = values.get("query_maxlen", _QUERY_LENGTH)
    return CheckpointConfig(
        query_length=length,
        document_length=values.get("doc_maxlen", _DOCUMENT_LENGTH),
        query_prefix=values.get("query_token_id", "[unused0]"),
        document_prefix=values.get("doc_token_id", "[unused1]"),
        expansion=Expansion(length, values.get("attend_to_mask_tokens", False)),
        skiplist_words=tuple(string.punctuation) if values.get("mask_punctuation", True) else (),
        embedding_dim=dim,
        modules=(Transformer(), Dense("", hidden, dim, bias=False, activation="identity")),
    )


def _transformer_settings(folder: Path, modules: tuple[Module, ...]) -> dict[str, Any]:
    """``sentence_bert_config.json`` of the transformer: what concerns its texts."""
    file = _transformer_folder(folder, modules) / "sentence_bert_config.json"
    if not file.is_file():
        return {}
    data = read_settings(file)
    task = data.get("transformer_task") or "feature-extraction"
    if task != "feature-extraction":
        raise unknown(f"transformer task {str(task)[:200]!r}", file)
    names = ("query_length", "document_length", "max_seq_length", "do_lower_case")
    return checked(data, names, file) | {"query_expansion": data.get("query_expansion")}


def _longest(folder: Path, modules: tuple[Module, ...]) -> int | None:
    """How many tokens the network has positions for."""
    file = _transformer_folder(folder, modules) / "config.json"
    found: int | None = checked(read_settings(file), ("max_position_embeddings",), file).get("max_position_embeddings")
    return found


def _transformer_folder(folder: Path, modules: tuple[Module, ...]) -> Path:
    first = modules[0]
    return folder / (first.folder if isinstance(first, Transformer) else "")


def _dim(modules: tuple[Module, ...]) -> int | None:
    if any(isinstance(module, Foreign) for module in modules):
        return None
    return next((module.out_features for module in reversed(modules) if isinstance(module, Dense)), None)
