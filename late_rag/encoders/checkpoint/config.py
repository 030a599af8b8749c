"""One configuration of a late-interaction checkpoint, whatever format says it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from late_rag.types import canonical_json, digest

Side: TypeAlias = Literal["query", "document"]
Activation: TypeAlias = Literal["identity", "tanh", "relu", "gelu", "silu", "sigmoid"]


@dataclass(frozen=True, slots=True)
class Expansion:
    """Query expansion: queries shorter than ``length`` tokens are filled up to it with ``token``.

    The strategy "fixed" also cuts queries there; with "min" they may be as long as ``query_length``. The added tokens
    are rows of the query, and are attended to only with ``attend``. None for ``token`` is the tokenizer's mask token.
    """

    length: int
    attend: bool = False
    strategy: Literal["fixed", "min"] = "fixed"
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Transformer:
    """The network itself, in ``folder`` of the checkpoint ("" for the checkpoint's own)."""

    folder: str = ""


@dataclass(frozen=True, slots=True)
class Dense:
    """``activation(x W + b)``, with ``residual`` plus x, which goes through a matrix of its own where dims differ."""

    folder: str
    in_features: int
    out_features: int
    bias: bool
    activation: Activation
    residual: bool = False


@dataclass(frozen=True, slots=True)
class Normalize:
    """Rows become of unit norm."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A module of the library that trained the checkpoint of which no graph is made; ``what`` names it."""

    folder: str
    what: str


Module: TypeAlias = Transformer | Dense | Normalize | Foreign


@dataclass(frozen=True, slots=True)
class CheckpointConfig:
    """The settings of a late-interaction checkpoint.

    ``query_length`` and ``document_length`` are tokens of one pass, markers included. A prefix is one token, put
    after the first one; "" is none. A prompt is text, put in front of the text. The ids are looked up in the tokenizer
    where they are None. Rows of tokens that are ``skiplist_words`` are left out on the sides ``skiplist_sides``; with
    ``keep_only_token_ids`` all other rows of documents are. ``modules`` are what a graph is compiled from, none for an
    ONNX export. ``model_id`` names the weights where the export recorded it.
    """

    query_length: int
    document_length: int
    query_prefix: str
    document_prefix: str
    expansion: Expansion | None
    skiplist_words: tuple[str, ...]
    skiplist_sides: tuple[Side, ...] = ("document",)
    keep_only_token_ids: tuple[int, ...] | None = None
    query_prompt: str = ""
    document_prompt: str = ""
    do_lower_case: bool = False
    embedding_dim: int | None = None
    query_prefix_id: int | None = None
    document_prefix_id: int | None = None
    mask_token_id: int | None = None
    modules: tuple[Module, ...] = ()
    model_id: str | None = None

    @property
    def fingerprint(self) -> str:
        """A short hash of every setting that changes an embedding, except of the modules, which are weights.

        A setting at its default is left out, so that one that is thought of later changes no fingerprint of today.
        """
        return digest(canonical_json(self.settings()))[:8]

    def settings(self) -> dict[str, object]:
        """The settings in the spelling of LightOn's ONNX exports, and beyond it only what those cannot say."""
        expansion = self.expansion
        told: dict[str, object] = {
            "query_length": self.query_length,
            "document_length": self.document_length,
            "query_prefix": self.query_prefix,
            "document_prefix": self.document_prefix,
            "do_query_expansion": expansion is not None,
            "skiplist_words": self.skiplist_words,
        }
        optional = {
            "attend_to_expansion_tokens": (expansion is not None and expansion.attend) or None,
            "do_lower_case": self.do_lower_case or None,
            "embedding_dim": self.embedding_dim,
            "query_prefix_id": self.query_prefix_id,
            "document_prefix_id": self.document_prefix_id,
            "mask_token_id": self.mask_token_id,
            "skiplist_sides": None if self.skiplist_sides == ("document",) else self.skiplist_sides,
            "keep_only_token_ids": self.keep_only_token_ids,
            "query_prompt": self.query_prompt or None,
            "document_prompt": self.document_prompt or None,
            "query_expansion": None if expansion is None or self._is_plain(expansion) else asdict(expansion),
        }
        return told | {name: value for name, value in optional.items() if value is not None}

    def _is_plain(self, expansion: Expansion) -> bool:
        """Whether exports can say it: filled up to the query's length with the mask token."""
        return expansion == Expansion(self.query_length, expansion.attend)
