"""JSON files of a checkpoint folder, which may come from anybody: read in bounds, each setting checked."""

from __future__ import annotations

import json
import reprlib
from typing import TYPE_CHECKING, Any

from late_rag.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LARGEST = 4 << 20
"""Bytes of a file of settings: far beyond any skip list."""


def read_json(file: Path) -> Any:
    """What a JSON file holds.

    Raises:
        ModelError: it is too long, not there, or no JSON.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise ModelError(f"{file} has more than {_LARGEST >> 20} MiB, too much for settings")
        return json.loads(data.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read as JSON: {error}") from error


def read_settings(file: Path) -> dict[str, Any]:
    """The object of settings that a JSON file holds.

    Raises:
        ModelError: as for :func:`read_json`; or it holds something else.
    """
    data = read_json(file)
    if not isinstance(data, dict):
        raise ModelError(f"{file} holds a {type(data).__name__}, not an object of settings")
    return data


_KINDS: Mapping[str, tuple[type, ...]] = {
    "query_length": (int,),
    "document_length": (int,),
    "query_prefix": (str,),
    "document_prefix": (str,),
    "do_query_expansion": (bool,),
    "skiplist_words": (list,),
    "attend_to_expansion_tokens": (bool,),
    "do_lower_case": (bool,),
    "embedding_dim": (int, type(None)),
    "query_prefix_id": (int, type(None)),
    "document_prefix_id": (int, type(None)),
    "mask_token_id": (int, type(None)),
    "model_id": (str, type(None)),
    "keep_only_token_ids": (list,),
    "skiplist_sides": (list,),
    "query_prompt": (str,),
    "document_prompt": (str,),
    "length": (int,),
    "attend": (bool,),
    "strategy": (str,),
    "token": (str,),
    "in_features": (int,),
    "out_features": (int,),
    "bias": (bool,),
    "use_residual": (bool,),
    "activation_function": (str,),
    "query_maxlen": (int,),
    "doc_maxlen": (int,),
    "query_token_id": (str,),
    "doc_token_id": (str,),
    "mask_punctuation": (bool,),
    "attend_to_mask_tokens": (bool,),
    "max_seq_length": (int,),
    "hidden_size": (int,),
    "num_layers": (int,),
    "num_heads": (int,),
    "intermediate_size": (int,),
    "max_position_embeddings": (int,),
    "pad_token_id": (int,),
    "window": (int,),
}
_LONGEST_TEXT = 1000
_TOKEN_IDS = (0, 2**24)
_RANGES: Mapping[str, tuple[int, int]] = {
    "query_length": (1, 2**20),
    "document_length": (1, 2**20),
    "embedding_dim": (1, 2**16),
    "length": (1, 2**20),
    "in_features": (1, 2**16),
    "out_features": (1, 2**16),
    "query_maxlen": (1, 2**20),
    "doc_maxlen": (1, 2**20),
    "max_seq_length": (1, 2**20),
    "hidden_size": (1, 2**16),
    "num_layers": (1, 2**10),
    "num_heads": (1, 2**10),
    "intermediate_size": (1, 2**18),
    "max_position_embeddings": (1, 2**20),
    "pad_token_id": _TOKEN_IDS,
    "window": (0, 2**20),
    "query_prefix_id": _TOKEN_IDS,
    "document_prefix_id": _TOKEN_IDS,
    "mask_token_id": _TOKEN_IDS,
}
"""Far beyond what any model has, and small enough for tables of them."""


def checked(data: Mapping[str, Any], names: tuple[str, ...], file: Path) -> dict[str, Any]:
    """Those of the named settings that are given, each checked; what is null is not given.

    Raises:
        ModelError: a setting of another kind, or out of its range; names the file and the value.
    """
    values = {name: data[name] for name in names if data.get(name) is not None}
    for name, value in values.items():
        _check(name, value, file)
    return values


def _check(name: str, value: object, file: Path) -> None:
    kinds = _KINDS[name]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise ModelError(f"{file}: {name} is {reprlib.repr(value)}, not {kinds[0].__name__}")
    if name in _RANGES and isinstance(value, int):
        _check_range(name, value, file)
    if name == "keep_only_token_ids" and isinstance(value, list):
        if not all(type(token) is int and 0 <= token <= _TOKEN_IDS[1] for token in value):
            raise ModelError(f"{file}: {name} holds something that is not the id of a token: {str(value)[:200]}")
        return
    words = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    if not all(isinstance(word, str) for word in words):
        raise ModelError(f"{file}: {name} holds something that is not a text: {str(value)[:200]}")
    if not all(map(_is_plain, words)):
        raise ModelError(
            f"{file}: {name} holds a text of more than {_LONGEST_TEXT} characters, with NUL or a surrogate"
        )


def _check_range(name: str, value: int, file: Path) -> None:
    least, most = _RANGES[name]
    if value < 1 and least == 1:
        raise ModelError(f"{file}: {name} is {value}, not a positive number")
    if not least <= value <= most:
        shown = value if value.bit_length() < 200 else f"a number of {value.bit_length():,} bits"
        raise ModelError(f"{file}: {name} is {shown}, not from {least} to {most:,}")


def _is_plain(text: str) -> bool:
    """Whether it can be a word of a tokenizer or an id."""
    return len(text) <= _LONGEST_TEXT and "\0" not in text and text.encode("utf-8", "replace").decode() == text
