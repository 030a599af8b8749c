"""Encoders: texts to token embeddings. :func:`load_encoder` finds the one that reads a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from late_rag.backends import MODELS, resolve
from late_rag.encoders._hub import HUB_ID, TOKEN_VARIABLE, NotCachedError, fetch
from late_rag.encoders._recorded import check_folder, consent_needed
from late_rag.encoders.models import HUB_IDS, resolve_alias
from late_rag.errors import InputError, MissingExtraError, ModelError
from late_rag.registry import shared

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from late_rag.protocols import Encoder

__all__ = ["consenting", "load_encoder", "load_recorded"]

TRAINED = "lightonai/LateOn, lightonai/GTE-ModernColBERT-v1 or answerdotai/answerai-colbert-small-v1"
"""Trained checkpoints to name where somebody asks for more than the embedded model."""

_TRUST = "trust_model"


def consenting(options: Mapping[str, Any] | None, trust_model: bool) -> dict[str, Any]:
    """Options of a model, with the caller's consent to whatever model a collection names; see docs/security.md.

    Raises:
        InputError: ``trust_model`` is no bool: a text such as "false" would be a consent.
    """
    return {**(options or {}), **({_TRUST: True} if _is_consent(trust_model) else {})}


def _is_consent(value: object) -> bool:
    if not isinstance(value, bool):
        raise InputError(f"trust_model is {value!r}; give True to take whatever model the collection names, else False")
    return value


def load_encoder(model: str | Path, backend: str = "auto", **options: Any) -> Encoder:
    """The encoder for a model, loaded once for each process and set of options.

    Making it reads settings only; weights are loaded with the first text.

    Args:
        model: "minilm", the model of the distribution late-rag-minilm; a name that ``late-rag models`` lists, such as
            "lateon"; a checkpoint folder; or a Hugging Face hub id such as "lightonai/LateOn", with "@" and a revision
            where another than the newest is meant.
        backend: "onnx", which runs exports and compiles checkpoints without PyTorch; "pylate" or
            "sentence-transformers", which run checkpoints on PyTorch, each with its extra; or "auto", the first of them
            that is installed and reads the model: ONNX, but PyTorch where only it has a CUDA device.
        options: what the backend takes: :class:`late_rag.encoders.onnx.OnnxEncoder`,
            :class:`late_rag.encoders.torch_models.TorchEncoder`; and ``token_variable``,
            the environment variable that has the hub's token, where that is not ``HF_TOKEN``; of several the first
            that is set. ``trust_model`` says nothing about a model that is named here; see :func:`load_recorded`.

    Raises:
        ModelError: there is no such model, it cannot be fetched, or nothing that is installed reads it.
        MissingExtraError: the model's distribution, or what the backend needs, is not installed.
        InputError: a backend that there is not, an option that the backend does not have, or a wrong value of one.
    """
    options.pop(_TRUST, None)
    name, folder = located(model)
    return shared.get(_key(name, backend, options), lambda: _built(name, folder, backend, options))


def load_recorded(model: str, collection: str, backend: str = "auto", **options: Any) -> Encoder:
    """The encoder for a model that only a collection names, which may have come from anybody.

    Loaded are a model that comes as a distribution, one that is in the hub's cache (nobody is contacted for it), and a
    folder that the user may have put where it is. With the option ``trust_model`` every folder is, and a model of the
    hub is fetched, but never with a token: for that, name it.

    Args:
        model: as recorded.
        collection: its location.
        backend: as for :func:`load_encoder`.
        options: as for :func:`load_encoder`.

    Raises:
        ModelError: as for :func:`load_encoder`; or it takes the caller's consent, and says how to give it.
    """
    trusted = _is_consent(options.pop(_TRUST, False))
    name, folder = located(model)
    if folder is not None and name not in MODELS and not trusted:
        check_folder(folder, collection)
    return shared.get(
        _key(name, backend, options), lambda: _built_as_recorded(name, folder, backend, options, collection, trusted)
    )


def _key(name: str, backend: str, options: Mapping[str, Any]) -> Hashable:
    return "encoder", name, backend, tuple(sorted((option, repr(value)) for option, value in options.items()))


def _built_as_recorded(
    name: str, folder: Path | None, backend: str, options: Mapping[str, Any], collection: str, trusted: bool
) -> Encoder:
    options = {**options, "token_variable": ()}
    if trusted:
        return _built(name, folder, backend, options)
    try:
        return _built(name, folder, backend, options, cached_only=True)
    except NotCachedError as error:
        raise consent_needed(name, collection) from error


def located(model: object) -> tuple[str, Path | None]:
    """The name that the encoder goes by, and its folder; none where the name is a hub id.

    Raises:
        InputError: not a name or path.
        ModelError: no model that there can be, or one that is known and not read.
        MissingExtraError: the embedded model is not installed.
    """
    if not isinstance(model, str | Path) or not str(model).strip():
        raise InputError(f"model is {model!r}; give 'minilm', a folder, or a hub id such as 'lightonai/LateOn'")
    if str(model) in MODELS:
        return str(model), _embedded(str(model))
    model = resolve_alias(model) if isinstance(model, str) else model
    folder = _folder(model)
    if folder is not None:
        return str(folder), folder
    if isinstance(model, Path) or HUB_ID.fullmatch(model) is None:
        raise ModelError(
            f"there is no model {str(model)[:200]!r}: it is not a folder, not {' or '.join(map(repr, MODELS))}, "
            "no name that late-rag models lists, and not a hub id such as 'lightonai/LateOn'"
        )
    return model, None


def _folder(model: str | Path) -> Path | None:
    try:
        folder = Path(model).expanduser()
        return folder.resolve() if folder.is_dir() else None
    except (OSError, ValueError, RuntimeError):  # too long, with NUL, of a user that there is not
        return None


def _embedded(model: str) -> Path:
    try:
        folder: Path = resolve(MODELS, model, "model")
    except MissingExtraError as error:
        what = f"{model!r} is a small model to try things out with; {TRAINED} find more. Its distribution"
        raise MissingExtraError(what, error.extra) from error
    return folder


def _built(
    name: str, folder: Path | None, backend: str, options: Mapping[str, Any], *, cached_only: bool = False
) -> Encoder:
    from late_rag.encoders import _choice

    options, revision = dict(options), None
    token_variable = options.pop("token_variable", TOKEN_VARIABLE)
    _choice.check_backend(backend)
    trained = False
    if folder is None:
        trained = _choice.wants_weights(backend, options) or name.partition("@")[0] in HUB_IDS
        folder, revision = fetch(name, options, token_variable, cached_only=cached_only, trained=trained)
    return _choice.make(name, folder, revision, backend, options, trained=trained)
