"""ONNX exports: ``onnx_config.json`` of LightOn's exporter and of ``late-rag compile``, or PyLate's own file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from late_rag.encoders.checkpoint.config import CheckpointConfig, Expansion
from late_rag.encoders.checkpoint.settings import checked, read_settings
from late_rag.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from late_rag.encoders.checkpoint.config import Side

_CONFIG_FILES = ("onnx_config.json", "config_sentence_transformers.json")
"""Where the settings of an export stand, in order of preference: LightOn's write the first, PyLate the second."""

_REQUIRED = (
    "query_length",
    "document_length",
    "query_prefix",
    "document_prefix",
    "do_query_expansion",
    "skiplist_words",
)
_OPTIONAL = (
    "attend_to_expansion_tokens",
    "do_lower_case",
    "embedding_dim",
    "query_prefix_id",
    "document_prefix_id",
    "mask_token_id",
    "model_id",
    "skiplist_sides",
    "keep_only_token_ids",
    "query_prompt",
    "document_prompt",
)
_SIDES = ("query", "document")


def read_export(folder: Path) -> CheckpointConfig:
    """Reads the settings of an ONNX export.

    Raises:
        ModelError: there is no config, it is not JSON, a setting is missing or of another kind.
    """
    for name in _CONFIG_FILES:
        file = folder / name
        if file.is_file():
            return _config(read_settings(file), file)
    raise ModelError(
        f"{folder} has neither {' nor '.join(_CONFIG_FILES)}: it must give query_length, document_length, "
        "query_prefix, document_prefix, skiplist_words and do_query_expansion, as LightOn's ONNX exports do"
    )


def _config(data: Mapping[str, Any], file: Path) -> CheckpointConfig:
    missing = [name for name in _REQUIRED if data.get(name) is None]
    if missing:
        raise ModelError(f"{file} lacks {', '.join(missing)}; without it the embeddings would be others than trained")
    values = checked(data, (*_REQUIRED, *_OPTIONAL), file)
    expands, attends = values.pop("do_query_expansion"), values.pop("attend_to_expansion_tokens", False)
    expansion = expansion_of(data.get("query_expansion"), file) if expands else None
    if expands and expansion is None:
        expansion = Expansion(values["query_length"], attends)
    tuples = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    sides_of(tuples.get("skiplist_sides", ()), file)
    return CheckpointConfig(**(values | tuples), expansion=expansion)


def expansion_of(value: object, file: Path) -> Expansion | None:
    """The expansion that ``query_expansion`` of sentence-transformers says; none where it is null.

    Raises:
        ModelError: it is of another kind, or of a strategy that there is not.
    """
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ModelError(f"{file}: query_expansion is {str(value)[:200]!r}, not an object")
    values = checked(value, ("length", "attend", "strategy", "token"), file)
    if values.get("strategy") not in ("fixed", "min") or "length" not in values:
        raise ModelError(
            f"{file}: query_expansion is {str(value)[:200]}; it takes a length, and strategy 'fixed' or 'min'"
        )
    return Expansion(**values)


def sides_of(value: object, file: Path) -> tuple[Side, ...]:
    """The sides that a skip list is for, in their order.

    Raises:
        ModelError: there is another one.
    """
    sides = [value] if isinstance(value, str) else value
    if not isinstance(sides, list | tuple) or not all(side in _SIDES for side in sides):
        raise ModelError(f"{file}: the skip list is for {str(value)[:200]}; there are {', '.join(_SIDES)}")
    return cast("tuple[Side, ...]", tuple(side for side in _SIDES if side in sides))
