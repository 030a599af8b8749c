"""What a checkpoint folder says about its encoder: lengths, prefixes, skip list, query expansion."""

from __future__ import annotations

import json
import reprlib
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Any

from late_rag.errors import ModelError
from late_rag.types import canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONFIG_FILES = ("onnx_config.json", "config_sentence_transformers.json")
"""Where the settings stand, in order of preference: LightOn's exports write the first, PyLate the second."""


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """The settings of a late-interaction checkpoint, in the spelling of LightOn's ONNX exports.

    ``query_length`` and ``document_length`` are tokens of one pass, markers included. A prefix is one token, put
    after the first one; "" is none. The ids are looked up in the tokenizer where they are None.
    ``do_query_expansion`` fills a query up to its length with mask tokens, which are rows of the query and are
    attended to only with ``attend_to_expansion_tokens``. Rows of tokens that are ``skiplist_words`` are left out of
    documents. ``model_id`` names the weights where the export recorded it.
    """

    query_length: int
    document_length: int
    query_prefix: str
    document_prefix: str
    do_query_expansion: bool
    skiplist_words: tuple[str, ...]
    attend_to_expansion_tokens: bool = False
    do_lower_case: bool = False
    embedding_dim: int | None = None
    query_prefix_id: int | None = None
    document_prefix_id: int | None = None
    mask_token_id: int | None = None
    model_id: str | None = None

    @property
    def fingerprint(self) -> str:
        """A short hash of every setting that changes an embedding.

        A setting at its default is left out, so that one that is thought of later changes no fingerprint of today.
        """
        settings = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "model_id"}
        defaults = {item.name: item.default for item in fields(self)}
        told = {name: value for name, value in settings.items() if value != defaults[name]}
        return digest(canonical_json(told))[:8]


def read_config(folder: Path) -> EncoderConfig:
    """Reads the settings of a checkpoint folder.

    Raises:
        ModelError: there is no config, it is not JSON, a setting is missing or of another kind.
    """
    for name in CONFIG_FILES:
        file = folder / name
        if file.is_file():
            return _checked(_parsed(file), file)
    raise ModelError(
        f"{folder} has neither {' nor '.join(CONFIG_FILES)}: it must give query_length, document_length, "
        "query_prefix, document_prefix, skiplist_words and do_query_expansion, as LightOn's ONNX exports do"
    )


def _parsed(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read as JSON: {error}") from error
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
}
_LONGEST_TEXT = 1000
_TOKEN_IDS = (0, 2**24)
_RANGES: Mapping[str, tuple[int, int]] = {
    "query_length": (1, 2**20),
    "document_length": (1, 2**20),
    "embedding_dim": (1, 2**16),
    "query_prefix_id": _TOKEN_IDS,
    "document_prefix_id": _TOKEN_IDS,
    "mask_token_id": _TOKEN_IDS,
}
"""Far beyond what any model has, and small enough for tables of them."""

_REQUIRED = tuple(item.name for item in fields(EncoderConfig) if item.default is MISSING)


def _checked(data: Mapping[str, Any], file: Path) -> EncoderConfig:
    missing = [name for name in _REQUIRED if data.get(name) is None]
    if missing:
        raise ModelError(f"{file} lacks {', '.join(missing)}; without it the embeddings would be others than trained")
    values = {name: data[name] for name in _KINDS if name in data and data[name] is not None}
    for name, value in values.items():
        _check(name, value, file)
    return EncoderConfig(**(values | {"skiplist_words": tuple(values["skiplist_words"])}))


def _check(name: str, value: object, file: Path) -> None:
    kinds = _KINDS[name]
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise ModelError(f"{file}: {name} is {reprlib.repr(value)}, not {kinds[0].__name__}")
    if name in _RANGES and isinstance(value, int):
        _check_range(name, value, file)
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
