"""The encoder, chunker and pooling that belong to a collection, each made when it is first needed."""

from __future__ import annotations

import logging
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from late_rag import curtailed, road
from late_rag.encoders import load_encoder, load_recorded
from late_rag.errors import ModelMismatchError
from late_rag.retriever.settings import check_probe, recorded_model

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from late_rag.protocols import Chunker, Collection, Encoder, TokenPooling
    from late_rag.road import Encoded, Passage
    from late_rag.types import Document, Omission

logger = logging.getLogger(__name__)

_probed: WeakKeyDictionary[Collection, WeakSet[Encoder]] = WeakKeyDictionary()
"""Which encoders were compared with a collection's probe: once for each pair, however many retrievers there are."""


class Stages:
    """What stands around one collection. Thread-safe: each stage is shared, or cheap enough to be made twice.

    Args:
        model: an encoder, or what to load in place of the model that the collection names; the model_id must be the
            same.
        chunker: in place of the one that the collection records: one that is made, or its kind, such as "whole".
        encoder_options: with which a model is loaded; see :func:`late_rag.encoders.load_encoder`. With
            ``trust_model`` also one that only the collection names; see :func:`late_rag.encoders.load_recorded`.
    """

    def __init__(
        self,
        collection: Collection,
        model: str | Path | Encoder | None = None,
        chunker: Chunker | str | None = None,
        encoder_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.collection = collection
        self.given_model = model
        self.given_chunker = chunker
        self.encoder_options = dict(encoder_options or {})
        self._encoder: tuple[int, Encoder] | None = None
        self._chunker: tuple[Encoder, Chunker] | None = None

    @property
    def encoder(self) -> Encoder:
        """The collection's model, loaded at first use, and again in a forked process.

        Raises:
            ModelMismatchError: its model_id is not the one recorded.
            ModelError: it cannot be found or loaded.
        """
        if self._encoder is None or self._encoder[0] != os.getpid():
            encoder = self._loaded()
            self._check_model(encoder)
            self._encoder = os.getpid(), encoder
        return self._encoder[1]

    def checked_encoder(self) -> Encoder:
        """The encoder, after what it makes of the probe was compared with what is recorded.

        Raises:
            ModelMismatchError: the model is another one, or changed under the same name.
        """
        encoder = self.encoder
        probed = _probed.setdefault(self.collection, WeakSet())
        if encoder not in probed:
            check_probe(encoder, self.collection.settings, self.collection.location)
            probed.add(encoder)
        return encoder

    def split(
        self, documents: Iterable[Document], note: Callable[[Omission], object] = curtailed.log
    ) -> Iterator[Passage]:
        """The chunks of documents, as this collection splits; ``note`` is told what they do not have of them."""
        for document in documents:  # the chunker needs the model, which no documents do not
            yield from road.split([document], self.chunker, note)

    def encode(self, passages: Iterable[Passage]) -> Generator[Encoded]:
        """Each chunk with its rows, as this collection has them; see :func:`late_rag.road.encode`."""
        return road.encode(passages, self.checked_encoder(), self.pooling, self.document)

    def document(self, identity: str) -> Document | None:
        """The stored document, or None."""
        return next(iter(self.collection.get_documents([identity])), None)

    @property
    def chunker(self) -> Chunker:
        """Made from the recorded options and the encoder's tokenizer."""
        given, settings = self.given_chunker, self.collection.settings
        if given is not None and not isinstance(given, str):
            return given
        from late_rag.chunkers import load_chunker

        encoder = self.encoder
        if self._chunker is None or self._chunker[0] is not encoder:
            options = settings.chunking
            if given is not None:
                options = {"kind": given, "embed_metadata": list(settings.embed_metadata)}
            self._chunker = encoder, load_chunker(options, encoder)
        return self._chunker[1]

    @cached_property
    def pooling(self) -> TokenPooling | None:
        """The recorded pooling, or None."""
        from late_rag.pooling import load_pooling

        options = self.collection.settings.pooling
        return None if options is None else load_pooling(options)

    def _loaded(self) -> Encoder:
        model, collection = self.given_model, self.collection
        if model is None:
            recorded = recorded_model(collection.settings, collection.location)
            return load_recorded(recorded, collection.location, **self.encoder_options)
        return load_encoder(model, **self.encoder_options) if isinstance(model, str | Path) else model

    def _check_model(self, encoder: Encoder) -> None:
        check_model(encoder, self.collection)
        if encoder.variant != self.collection.settings.variant:
            recorded = self.collection.settings.variant
            logger.info("%s: computed as %s, recorded as %s", self.collection.location, encoder.variant, recorded)


def check_model(encoder: Encoder, collection: Collection) -> None:
    """Compares the encoder's identity with the one recorded.

    Raises:
        ModelMismatchError: they differ; the message names both models and both ids.
    """
    settings = collection.settings
    if encoder.model_id != settings.model_id:
        raise ModelMismatchError(
            f"the collection {collection.location} was made by the model {settings.model!r} (model_id "
            f"{settings.model_id}), the one in use is {encoder.model!r} (model_id {encoder.model_id}); "
            "use the model it was made by, or index anew"
        )
    if encoder.dim != settings.dim:
        raise ModelMismatchError(
            f"embeddings of the model {encoder.model!r} have dim {encoder.dim}, those of the collection "
            f"{collection.location} {settings.dim} (both model_id {settings.model_id})"
        )
