"""One retriever for each collection of a process, for components that hold configuration only."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from late_rag.collections import shared_collection, shown
from late_rag.encoders import consenting, load_encoder
from late_rag.errors import CollectionExistsError, CollectionNotFoundError
from late_rag.registry import shared
from late_rag.retriever.retriever import Retriever
from late_rag.retriever.settings import check_recorded
from late_rag.types import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from late_rag.protocols import Collection
    from late_rag.types import Mode

logger = logging.getLogger(__name__)


def shared_retriever(
    collection: str | Path | Collection,
    mode: Mode = "read",
    *,
    model: str | Path | None = None,
    chunker: str | None = None,
    create: Mapping[str, Any] | None = None,
    make: bool = True,
    encoder_options: Mapping[str, Any] | None = None,
    trust_model: bool = False,
) -> Retriever:
    """The process's one retriever over this collection; whoever asks again gets the same.

    Args:
        collection: its location, or one that is open, which gets a retriever of its own.
        mode: "read" or "write".
        model: in place of the one that the collection names, where that has moved; of a new collection, "minilm".
        chunker: the kind of chunker, in place of the recorded one.
        create: options of the collection that is made where there is none, as :class:`CollectionOptions` has them;
            None makes none. What it states of one that is there must be what that was made with.
        make: whether one is made where there is none.
        encoder_options: with which a model is loaded, as JSON; see :func:`late_rag.encoders.load_encoder`.
        trust_model: whether to load or fetch whatever model the collection names; see docs/security.md.

    Raises:
        CollectionNotFoundError: there is none, and none is to be made.
        InputError: an option of ``create`` that differs from the recorded one.
    """
    options = consenting(encoder_options, trust_model)
    if not isinstance(collection, str | Path):
        return Retriever(collection, model, chunker, mode, encoder_options=options)

    found = _opened(collection, mode, model, create if make else None, options)
    if create:
        check_recorded(found.settings, create, found.location)  # type: ignore[arg-type]  # any mapping
    key = ("retriever", found.location, mode, str(model), chunker, canonical_json(options))
    return shared.get(
        key,
        lambda: Retriever(found, model, chunker, mode, encoder_options=options),
        lambda retriever: retriever.collection is found,
    )


def _opened(
    location: str | Path,
    mode: Mode,
    model: str | Path | None,
    create: Mapping[str, Any] | None,
    encoder_options: Mapping[str, Any],
) -> Collection:
    """The process's one open collection, which is made where there is none and ``create`` says how."""
    try:
        return shared_collection(location, mode)
    except CollectionNotFoundError:
        if create is None or mode == "read":
            raise
    logger.info("%s: there is no collection; one is made", shown(location))
    with contextlib.suppress(CollectionExistsError):  # another thread or process was quicker
        made_by = load_encoder("minilm" if model is None else model, **encoder_options)
        Retriever.create(location, made_by, **create).close()
    return shared_collection(location, mode)
