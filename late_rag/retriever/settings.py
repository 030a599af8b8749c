"""What a collection is made with: options in the user's words, settings as they are recorded, and the probe."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from late_rag.collections.kit.fulltext import check_language
from late_rag.errors import InputError, ModelMismatchError
from late_rag.loading import LoadOptions
from late_rag.protocols import CollectionSettings
from late_rag.specs import IndexSpec, PoolingSpec
from late_rag.types import Chunk

if TYPE_CHECKING:
    from late_rag.protocols import Encoder
    from late_rag.types import TokenEmbeddings

PROBE_QUERY = "which token matches best?"
PROBE_DOCUMENT = "Every token keeps a vector of its own; a query meets the best of them."
PROBE_COSINE = 0.95
"""Least mean row cosine with the recorded probe: int8 against float32 of one model is above, another model below."""


class CollectionOptions(TypedDict, total=False):
    """How a collection is made. Fixed from then on; stated again for one that exists, they must be the same."""

    chunking: Mapping[str, Any] | str | None
    """Options of the chunker, or its kind alone; see :class:`late_rag.chunkers.ChunkingOptions`."""

    pool_factor: int
    """Keep about one row in so many by hierarchical pooling; 1 keeps all."""

    pooling: str | PoolingSpec | Mapping[str, Any]
    """A token pooling with its options, in place of ``pool_factor``; see :class:`late_rag.PoolingSpec`."""

    embed_metadata: Sequence[str]
    """Metadata keys that are encoded in front of each chunk's text."""

    language: str
    """Of the full text: a Snowball language, or "none"."""

    storage: Literal["int8", "float16"]
    """How embeddings are stored."""

    index: str | IndexSpec | Mapping[str, Any]
    """The kind of candidate index, or "auto"; with options :class:`late_rag.IndexSpec`, or a mapping with ``kind``."""

    content: Literal["all", "main"]
    """Of web pages: all that they show, or the main content; see :class:`late_rag.loaders.LoadOptions`."""

    include: Sequence[str]
    """Parts of files that are left out unless they are named: "comments", "headers", "hidden", "outputs"."""


def check_options(options: CollectionOptions) -> None:
    """Checks what can be checked without a model.

    Raises:
        TypeError: an option that does not exist.
        InputError: a value that cannot be.
    """
    for name in options:
        if name not in CollectionOptions.__annotations__:
            known = ", ".join(CollectionOptions.__annotations__)
            raise TypeError(f"unknown collection option {name!r}; there are: {known}")
    _pooling(options)
    IndexSpec.of(options.get("index", "auto"))
    _check_chunking(options.get("chunking"))
    check_language(options.get("language", "english"))
    _embed_metadata(options)
    if options.get("storage", "int8") not in ("int8", "float16"):
        raise InputError(f'storage must be "int8" or "float16", not {options["storage"]!r}')
    _loading(options)


def new_settings(encoder: Encoder, location: str | Path | None, options: CollectionOptions) -> CollectionSettings:
    """The settings of a collection that is made with this encoder.

    A model that is a folder is recorded absolutely and as seen from the collection.
    """
    from late_rag.chunkers import load_chunker

    absolute, relative = _model_names(encoder.model, location)
    index = IndexSpec.of(options.get("index", "auto"))
    return CollectionSettings(
        model=absolute,
        model_relative=relative,
        model_id=encoder.model_id,
        variant=encoder.variant,
        dim=encoder.dim,
        storage=options.get("storage", "int8"),
        pooling=_pooling(options),
        chunking=load_chunker(_chunking(options), encoder).options(),
        embed_metadata=_embed_metadata(options),
        language=options.get("language", "english"),
        index=index.name,
        index_options=index.checked(),
        content=_loading(options).content,
        include=tuple(_loading(options).include),
        probe={name: rows.astype(float).round(4).tolist() for name, rows in probe_embeddings(encoder).items()},
    )


def check_recorded(settings: CollectionSettings, options: CollectionOptions, location: str) -> None:
    """Compares options with those that a collection was made with.

    Raises:
        InputError: an option that is stated and differs; the message has both values.
    """
    composed = ("chunking", "index", "pool_factor", "pooling")
    stated: dict[str, Any] = {name: value for name, value in options.items() if name not in composed}
    recorded: dict[str, Any] = {name: getattr(settings, name) for name in stated}
    if "include" in stated:
        stated["include"] = _loading(options).include
    if "embed_metadata" in stated:
        stated["embed_metadata"] = _embed_metadata(options)
    if "pool_factor" in options:
        stated["pool_factor"] = options["pool_factor"]
        recorded["pool_factor"] = (settings.pooling or {}).get("pool_factor", 1)
    for what, given, made in _composed(settings, options):
        for name, value in given.items():
            option = f"{what} {name}".strip()
            stated[option], recorded[option] = value, made.get(name)
    for name, value in stated.items():
        if _as_lists(value) != _as_lists(recorded[name]):
            raise InputError(
                f"{name} is {value!r}, but the collection {location} was made with {recorded[name]!r}; "
                "leave it out, or make another collection"
            )


def _composed(
    settings: CollectionSettings, options: CollectionOptions
) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Of what has a kind and options: its name, what is stated of them, and what is recorded."""
    if options.get("chunking"):
        yield "chunking", _chunking(options), settings.chunking or {}
    if "pooling" in options:
        pooling = PoolingSpec.of(options["pooling"])
        yield "pooling", {"kind": pooling.name, **pooling.options}, settings.pooling or {}
    if "index" in options:
        index = IndexSpec.of(options["index"])
        yield "", {"index": index.name}, {"index": settings.index}
        yield "index option", index.options, settings.index_options


def probe_embeddings(encoder: Encoder) -> dict[str, TokenEmbeddings]:
    """Embeddings of the fixed query and document, each ``(tokens, dim) float32``."""
    (query,) = encoder.encode_queries([PROBE_QUERY])
    (document,) = encoder.encode_documents([Chunk(id="probe", document_id="probe", text=PROBE_DOCUMENT)])
    return {"query": query, "document": document}


def check_probe(encoder: Encoder, settings: CollectionSettings, location: str) -> None:
    """Compares what the encoder makes of the probe with what is recorded.

    Raises:
        ModelMismatchError: mean row cosine below .95: a model that changed under the same name.
    """
    if settings.probe is None:
        return
    for name, rows in probe_embeddings(encoder).items():
        cosine = _mean_row_cosine(rows, settings.probe[name])
        if not cosine >= PROBE_COSINE:
            raise ModelMismatchError(
                f"the model {encoder.model!r} is not what it was when the collection {location} was made: of the "
                f"probe {name} it gives embeddings with a mean row cosine of {cosine:.3f} to the recorded ones, "
                f"at least {PROBE_COSINE} is needed; use the model as it was, or index anew"
            )


def _mean_row_cosine(rows: TokenEmbeddings, recorded: Sequence[Sequence[float]]) -> float:
    import numpy as np

    other = np.asarray(recorded, np.float32)
    if rows.shape != other.shape:
        return 0.0
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(other, axis=1)
    return float(np.mean(np.sum(rows * other, axis=1) / np.maximum(norms, np.finfo(np.float32).tiny)))


def recorded_model(settings: CollectionSettings, location: str) -> str:
    """What is recorded, or where the folder is as seen from the collection, if that is where it is now."""
    if settings.model_relative is None or _is_folder(settings.model):
        return settings.model
    try:
        beside = str((Path(location) / settings.model_relative).resolve())
    except (OSError, ValueError, RuntimeError):  # as for _is_folder, or a loop of links
        return settings.model
    return beside if _is_folder(beside) else settings.model


def placed(settings: CollectionSettings, location: str | Path, origin: str | None = None) -> CollectionSettings:
    """The settings of a collection as they are recorded at another place: a model folder is named as seen from there.

    Args:
        settings: of a collection.
        location: where they will be.
        origin: where they are; None where that is not known.
    """
    found = settings.model
    for seen_from in (origin, str(location)):
        if seen_from is not None and not _is_folder(found):
            found = recorded_model(settings, seen_from)
    if not _is_folder(found):
        return replace(settings, model_relative=None)
    model, relative = _model_names(found, location)
    return replace(settings, model=model, model_relative=relative)


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):  # too long, or with NUL: whatever is recorded
        return False


def _model_names(model: str, location: str | Path | None) -> tuple[str, str | None]:
    """The model's name; for a folder its absolute path, and its path as seen from the collection's folder."""
    if not Path(model).is_absolute() or not Path(model).is_dir():
        return model, None
    absolute = Path(model).resolve()
    if location is None or "://" in str(location):
        return str(absolute), None
    try:
        return str(absolute), Path(os.path.relpath(absolute, Path(location).resolve())).as_posix()
    except ValueError:  # another drive
        return str(absolute), None


def _pool_factor(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"pool_factor must be a whole number of at least 1, not {value!r}")
    return value


def _loading(options: CollectionOptions) -> LoadOptions:
    return LoadOptions(options.get("content", "all"), options.get("include", ()))


def _pooling(options: CollectionOptions) -> dict[str, Any] | None:
    """What is recorded of the pooling, as ``TokenPooling.options()`` has it.

    Raises:
        InputError: an unknown pooling, a value that cannot be, or both ways to say it.
    """
    pool_factor = _pool_factor(options.get("pool_factor", 1))
    if "pooling" in options and "pool_factor" in options:
        raise InputError("pool_factor is an option of the hierarchical pooling; give it there or alone, not both")
    if "pooling" not in options and pool_factor == 1:
        return None
    spec = PoolingSpec.of(options.get("pooling", {"kind": "hierarchical", "pool_factor": pool_factor}))
    return {"kind": spec.name, **spec.checked()}


def _check_chunking(chunking: object) -> None:
    """Whether there is a chunker of this kind; its options it checks itself, once there is a model."""
    if not chunking:
        return
    from late_rag.chunkers import chunker_class

    if not isinstance(chunking, str | Mapping):
        raise InputError(f"chunking takes the kind of a chunker, or a dict of its options, not {chunking!r:.80}")
    chunker_class(chunking if isinstance(chunking, str) else chunking.get("kind", "auto"))


def _chunking(options: CollectionOptions) -> dict[str, Any]:
    chunking = options.get("chunking")
    given = {"kind": chunking} if isinstance(chunking, str) else dict(chunking or {})
    return given | ({"embed_metadata": list(_embed_metadata(options))} if _embed_metadata(options) else {})


def _embed_metadata(options: CollectionOptions) -> tuple[str, ...]:
    """The keys, which may also stand among the chunking options."""
    chunking = options.get("chunking")
    inner = chunking.get("embed_metadata") if isinstance(chunking, Mapping) else None
    keys = options.get("embed_metadata") or inner or ()
    if isinstance(keys, str) or not all(isinstance(key, str) for key in keys):
        raise InputError(f"embed_metadata takes a list of metadata keys, not {keys!r}")
    if options.get("embed_metadata") and inner and tuple(inner) != tuple(keys):
        raise InputError(f"embed_metadata is {tuple(keys)!r}, and among the chunking options {tuple(inner)!r}")
    return tuple(keys)


def _as_lists(value: Any) -> Any:
    return list(value) if isinstance(value, tuple | list) else value
