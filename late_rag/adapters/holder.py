"""The collection that a store writes to: one with a location, one that is open, or a private temporary one."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from late_rag.adapters.arguments import check_model
from late_rag.adapters.configuration import anchored, check_collection, seen_from
from late_rag.adapters.showing import TEMPORARY, described
from late_rag.encoders import consenting, load_encoder
from late_rag.errors import CollectionError, CollectionReadOnlyError, ConflictError, InputError
from late_rag.forking import starts_anew_in_children
from late_rag.retriever import Retriever, shared_retriever
from late_rag.retriever.settings import check_options, check_recorded
from late_rag.types import Document

if TYPE_CHECKING:
    from late_rag.protocols import Collection
    from late_rag.types import Chunk, Mode


class StoreHolder:
    """Configuration, and the retriever that it stands for: the process's shared one where there is a location.

    A document that is written becomes one chunk of the same id. How a collection that is made splits the files that
    other programs put into it is said by ``create``.

    A temporary collection is removed when it is closed, or when neither the holder nor anyone else has it any more.

    Args:
        collection: a location, where the first write makes one if there is none, and which is seen from the folder that
            is the current one now; one that is open; or None for a temporary one.
        model: in place of the one that the collection names; of a new collection, "minilm".
        mode: "read" refuses writes, and makes nothing.
        create: how a new collection is made; one that is there must have been made so.
        encoder_options: with which the model is loaded, as JSON; see :func:`late_rag.encoders.load_encoder`.
        trust_model: whether to load or fetch whatever model the collection names; see docs/security.md.

    Raises:
        InputError: ``mode="read"`` without a collection, another mode, or a collection, model or dict that is none.
    """

    def __init__(
        self,
        collection: str | Path | Collection | None,
        model: str | Path | None,
        mode: Mode,
        create: Mapping[str, Any],
        encoder_options: Mapping[str, Any] | None = None,
        trust_model: bool = False,
    ) -> None:
        if mode not in ("write", "read"):
            raise InputError(f"mode must be 'write' or 'read', not {mode!r}")
        if collection is None and mode == "read":
            raise InputError("a store without a collection starts empty: give collection= a location to read, or write")
        if collection is not None:
            collection = check_collection(collection)
        if not isinstance(create, Mapping):
            raise InputError(f"create takes a dict of options of a collection, not {create!r:.80}")
        check_options(create)  # type: ignore[arg-type]  # it says what is unknown or cannot be
        self._given = (
            anchored(collection, seen_from(collection)),
            check_model(model),
            mode,
            dict(create),
            consenting(encoder_options, trust_model),
        )
        self._own: Retriever | None = None
        self.start_anew()
        starts_anew_in_children(self)

    def start_anew(self) -> None:
        """A lock that no thread of a parent process holds."""
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """As configuration.

        Raises:
            CollectionError: a temporary collection.
        """
        if self._given[0] is None:
            raise CollectionError(
                "a store without a location lives in this process only, and can be neither pickled nor copied; "
                "give collection= a location"
            )
        return type(self), self._given

    def retriever(self) -> Retriever:
        """The retriever, which is opened at the first call; a temporary collection is made.

        Raises:
            CollectionNotFoundError: there is no collection at the location: reading makes none.
            InputError: the collection was made otherwise than ``create`` says.
            CollectionError: it was temporary, and is closed.
        """
        return self._opened(make=False)

    def _opened(self, *, make: bool) -> Retriever:
        collection, model, mode, create, options = self._given
        if isinstance(collection, str | Path):
            return shared_retriever(
                collection, mode, model=model, chunker="whole", create=create, make=make, encoder_options=options
            )
        with self._lock:
            if self._own is None:
                self._own = self._made(collection)
            if collection is None and self._own.collection.closed:
                raise CollectionError(
                    "this store was temporary and is closed, and what was in it is gone; give collection= a location "
                    "to keep it"
                )
            return self._own

    @property
    def place(self) -> str | Path | None:
        """The location, if there is one."""
        collection = self._given[0]
        return collection if isinstance(collection, str | Path) else None

    def described(self, component: object, **options: Any) -> str:
        """The ``repr`` of a component that has this holder, and those options that are set."""
        collection = TEMPORARY if self._given[0] is None else self._given[0]
        return described(component, collection, **options)

    @property
    def temporary(self) -> Collection | None:
        """The temporary collection, if there is one already."""
        return self._own.collection if self._given[0] is None and self._own is not None else None

    def writable(self) -> Retriever:
        """The retriever, for a write, which makes the collection where there is none.

        Raises:
            CollectionReadOnlyError: ``mode="read"``, also where the process has the collection open for writing.
        """
        collection, _, mode, *_ = self._given
        if mode == "read":
            from late_rag.collections import shown

            raise CollectionReadOnlyError(f"{shown(collection)} is open for reading; give mode='write'")
        return self._opened(make=True)

    def _made(self, collection: Collection | None) -> Retriever:
        _, model, mode, create, options = self._given
        if collection is None:
            encoder = load_encoder("minilm" if model is None else model, **options)
            collection = Retriever.create(None, encoder, **create).collection
        check_recorded(collection.settings, create, collection.location)  # type: ignore[arg-type]  # checked above
        return shared_retriever(collection, mode, model=model, chunker="whole", encoder_options=options)

    def close(self) -> None:
        """Removes a temporary collection, with all that is in it; any other stays open for those who share it."""
        with self._lock:
            if self._given[0] is None and self._own is not None:
                self._own.collection.close()


def check_owners(retriever: Retriever | None, items: Iterable[Chunk | Document]) -> None:
    """Refuses to tear a passage out of the document or file that it is a part of.

    Args:
        retriever: over the collection that is to be written; None where that is emptied first.
        items: documents that become one chunk of the same id, and chunks.

    Raises:
        ConflictError: names the passage and what it is a part of; also where the items themselves give it to two.
    """
    owners: dict[str, str] = {}
    for item in items:
        owner = item.id if isinstance(item, Document) else item.document_id
        if owners.setdefault(item.id, owner) != owner:
            raise ConflictError(
                f"{item.id!r} is the id of passages of two documents, {owners[item.id]!r} and {owner!r}, and one of "
                "them would be lost; make ids of the document and the text, not of the text alone"
            )
    for chunk in () if retriever is None else retriever.collection.get(list(owners)):
        if chunk.document_id != owners[chunk.id]:
            raise ConflictError(_torn_out(chunk, owners[chunk.id]))


def _torn_out(chunk: Chunk, owner: str) -> str:
    if chunk.document_id == chunk.id:
        return f"{chunk.id!r} is a document of its own; delete it before it becomes a passage of {owner!r}"
    return (
        f"{chunk.id!r} is a passage of the document {chunk.document_id!r}, which is replaced as a whole; "
        "change that document or its file, or add the text under another id"
    )
