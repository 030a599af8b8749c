"""Trained checkpoints by short names, with what their cards on the hub say.

What a card does not say, or was not seen, is None. Cards were read in November 2026.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from late_rag.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

Reading: TypeAlias = Literal["compiled", "own code", "pictures"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """A checkpoint for late interaction."""

    hub: str
    """Its id on the Hugging Face hub."""

    purpose: str
    parameters: int | None = None
    """In millions."""

    dim: int | None = None
    query_length: int | None = None
    """Tokens, markers included, as the checkpoint sets it."""

    document_length: int | None = None
    languages: str = "English"
    licence: str | None = None
    note: str = ""
    """What else it wants."""

    reading: Reading = "compiled"
    """How it is read: "compiled" from its weights, without PyTorch; or not at all, for the code or media it takes."""


KNOWN: Mapping[str, KnownModel] = {
    "lateon": KnownModel(
        hub="lightonai/LateOn",
        purpose="general",
        parameters=149,
        dim=128,
        query_length=32,
        document_length=300,
        licence="Apache-2.0",
    ),
    "lateon-regularized": KnownModel(
        hub="lightonai/LateOn-regularized",
        purpose="general, made for MUVERA and SMVE",
        parameters=149,
        dim=128,
        query_length=32,
        document_length=300,
        licence="Apache-2.0",
        note="tokens are centred for MUVERA and SMVE, which our indexes find out by themselves",
    ),
    "lateon-hpool-regularized": KnownModel(
        hub="lightonai/LateOn-hpool-regularized",
        purpose="general, made for hierarchical pooling",
        note="pool: pool_factor up to 5 costs little",
    ),
    "lateon-code": KnownModel(
        hub="lightonai/LateOn-Code",
        purpose="source code",
        parameters=149,
        document_length=2048,
        languages="English, code",
        licence="Apache-2.0",
    ),
    "lateon-code-edge": KnownModel(
        hub="lightonai/LateOn-Code-edge",
        purpose="source code, small",
        parameters=17,
        document_length=2048,
        languages="English, code",
        licence="Apache-2.0",
    ),
    "gte-moderncolbert": KnownModel(
        hub="lightonai/GTE-ModernColBERT-v1",
        purpose="general, long documents",
        parameters=149,
        dim=128,
        query_length=32,
        document_length=300,
        licence="Apache-2.0",
    ),
    "reason-moderncolbert": KnownModel(
        hub="lightonai/Reason-ModernColBERT",
        purpose="questions that take reasoning",
        parameters=150,
        dim=128,
        licence="CC-BY-NC-4.0",
        note="not for commercial use",
    ),
    "answerai-colbert-small": KnownModel(
        hub="lightonai/answerai-colbert-small-v1",
        purpose="general, small",
        parameters=33,
        dim=96,
        query_length=32,
        document_length=300,
        licence="Apache-2.0",
        note="PyLate's form of answerdotai/answerai-colbert-small-v1",
    ),
    "mxbai-edge-colbert-17m": KnownModel(
        hub="mixedbread-ai/mxbai-edge-colbert-v0-17m", purpose="general, smallest", parameters=17, dim=48
    ),
    "mxbai-edge-colbert-32m": KnownModel(
        hub="mixedbread-ai/mxbai-edge-colbert-v0-32m",
        purpose="general, small",
        parameters=32,
        dim=64,
        query_length=48,
        document_length=512,
    ),
    "colbertv2": KnownModel(
        hub="lightonai/colbertv2.0",
        purpose="general, the classic",
        parameters=110,
        dim=128,
        licence="MIT",
        note="PyLate's form of colbert-ir/colbertv2.0",
    ),
    "colbert-zero": KnownModel(
        hub="lightonai/ColBERT-Zero-noprompts",
        purpose="general, of public data alone",
        parameters=149,
        note="lightonai/ColBERT-Zero itself wants prompts in front of texts, which are not added",
    ),
    "mlateon": KnownModel(
        hub="lightonai/mLateOn", purpose="general, many languages", parameters=307, dim=128, languages="many"
    ),
    "jina-colbert-v2": KnownModel(
        hub="jinaai/jina-colbert-v2",
        purpose="general, many languages",
        parameters=560,
        dim=128,
        document_length=8192,
        languages="89",
        licence="CC-BY-NC-4.0",
        note="not for commercial use",
        reading="own code",
    ),
    "colpali": KnownModel(hub="vidore/colpali-v1.3-hf", purpose="page images", dim=128, reading="pictures"),
    "colqwen2": KnownModel(hub="vidore/colqwen2-v1.0-hf", purpose="page images", dim=128, reading="pictures"),
    "colsmol": KnownModel(
        hub="vidore/colSmol-500M", purpose="page images, small", parameters=500, dim=128, reading="pictures"
    ),
}
"""By alias."""

HUB_IDS = frozenset(model.hub for model in KNOWN.values() if model.reading == "compiled")
"""Those whose weights are compiled, though some have an ONNX export beside them, which may lack layers."""

_REASONS: Mapping[Reading, str] = {
    "own code": "brings code of its own, which is not run",
    "pictures": "reads page images, for which there is no encoder yet",
}


def resolve_alias(model: str) -> str:
    """The hub id of a short name; what is no alias as it is.

    Raises:
        UnsupportedError: the checkpoint is known, and is not read; says why, and what is near.
    """
    known = KNOWN.get(model)
    if known is None:
        return model
    if known.reading != "compiled":
        near = "'mlateon'" if known.reading == "own code" else "a text model, such as 'lateon', over the pages' text"
        raise UnsupportedError(f"{model} ({known.hub}) {_REASONS[known.reading]}; take {near}")
    return known.hub
