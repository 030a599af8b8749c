"""A collection that is opened, used with its model, and closed again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from late_rag.asynchronous import to_writer, twin
from late_rag.closing import Closing
from late_rag.encoders import consenting
from late_rag.errors import CollectionExistsError, CollectionNotFoundError, CollectionReadOnlyError, InputError
from late_rag.retriever.settings import check_options, check_recorded, new_settings
from late_rag.retriever.stages import Stages
from late_rag.types import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Unpack

    from late_rag.protocols import Chunker, Collection, CollectionInfo, Encoder
    from late_rag.retriever.settings import CollectionOptions


class CollectionHolder(Closing):
    """Makes or opens a collection, and holds it with the model that belongs to it.

    Args:
        collection: one that is open, which ``close`` leaves open; or the location of one that exists.
        encoder: in place of the model that the collection names; its model_id must be the same.
        chunker: in place of the one that the collection records: one that is made, or its kind, such as "whole".
        mode: "read" refuses every write.
        encoder_options: with which a model is loaded; see :func:`late_rag.encoders.load_encoder`.
        trust_model: whether to load or fetch whatever model the collection names; see docs/security.md.
    """

    def __init__(
        self,
        collection: Collection | str | Path,
        encoder: Encoder | str | Path | None = None,
        chunker: Chunker | str | None = None,
        mode: Mode = "write",
        *,
        encoder_options: Mapping[str, Any] | None = None,
        trust_model: bool = False,
    ) -> None:
        self._owned = isinstance(collection, str | Path)
        self._mode: Mode = mode
        options = consenting(encoder_options, trust_model)
        opened = _open(collection, mode) if isinstance(collection, str | Path) else collection
        self._stages = Stages(opened, encoder, chunker, options)

    def __reduce__(self) -> tuple[Any, ...]:
        """As configuration: the copy uses its process's shared collection, and leaves it open.

        Raises:
            CollectionError: a temporary collection, which lives in this process only.
        """
        model, chunker = self._stages.given_model, _portable(self._stages.given_chunker)
        return self._again, (self.collection, model, chunker, self._mode, self._stages.encoder_options)

    @classmethod
    def _again(
        cls,
        collection: Collection,
        model: str | Path | Encoder | None,
        chunker: Chunker | str | tuple[Any, dict[str, Any]] | None,
        mode: Mode,
        encoder_options: Mapping[str, Any],
    ) -> Self:
        """What was pickled or copied, as :meth:`__reduce__` gave it."""
        if isinstance(chunker, tuple):
            made_of, options = chunker
            encoder = Stages(collection, model, encoder_options=encoder_options).encoder
            made: Chunker | str | None = made_of.from_options(options, encoder)
        else:
            made = chunker
        return cls(collection, model, made, mode, encoder_options=encoder_options)

    @classmethod
    def create(
        cls,
        location: str | Path | None = None,
        model: str | Path | Encoder = "minilm",
        **options: Unpack[CollectionOptions],
    ) -> Self:
        """Makes a collection.

        Args:
            location: a folder or URL; None makes a private temporary collection, which ``close`` removes.
            model: what :func:`late_rag.load_encoder` takes, or an encoder.
            options: see :class:`late_rag.retriever.CollectionOptions`.

        Raises:
            CollectionExistsError: there is one at this location; open it.
        """
        from late_rag.collections import create_collection
        from late_rag.encoders import load_encoder

        check_options(options)
        encoder = load_encoder(model) if isinstance(model, str | Path) else model
        retriever = cls(create_collection(location, new_settings(encoder, location, options)), encoder)
        retriever._owned = True
        return retriever

    @classmethod
    def open(
        cls,
        location: str | Path | None,
        *,
        create: bool = False,
        model: str | Path | Encoder | None = None,
        mode: Mode = "write",
        trust_model: bool = False,
        **options: Unpack[CollectionOptions],
    ) -> Self:
        """Opens a collection; with ``create`` makes it if there is none.

        Args:
            location: a folder or URL; None makes a private temporary collection, which ``close`` removes.
            create: whether to make one where there is none.
            model: in place of the one that the collection names, where that has moved; "minilm" for a new collection.
            mode: "read" serves from a folder that cannot be written, too.
            trust_model: whether to load or fetch whatever model the collection names; see docs/security.md.
            options: of a new collection; where stated for one that exists, they must be those it was made with.

        Raises:
            CollectionNotFoundError: there is none, and ``create`` is false.
            InputError: an option that differs from the recorded one.
        """
        check_options(options)
        if location is None:
            return cls.create(None, "minilm" if model is None else model, **options)
        try:
            return cls._open_existing(location, model, mode, options, trust_model)
        except CollectionNotFoundError:
            if not create or mode == "read":
                raise
        try:
            return cls.create(location, "minilm" if model is None else model, **options)
        except CollectionExistsError:  # another process was quicker
            return cls._open_existing(location, model, mode, options, trust_model)

    @classmethod
    def _open_existing(
        cls,
        location: str | Path,
        model: str | Path | Encoder | None,
        mode: Mode,
        options: CollectionOptions,
        trust_model: bool,
    ) -> Self:
        collection = _open(location, mode)
        try:
            check_recorded(collection.settings, options, collection.location)
        except InputError:
            collection.close()
            raise
        retriever = cls(collection, model, mode=mode, trust_model=trust_model)
        retriever._owned = True
        return retriever

    @classmethod
    async def acreate(
        cls,
        location: str | Path | None = None,
        model: str | Path | Encoder = "minilm",
        **options: Unpack[CollectionOptions],
    ) -> Self:
        """Async twin of :meth:`create`."""
        return await to_writer(cls.create, location, model, **options)

    @classmethod
    async def aopen(
        cls,
        location: str | Path | None,
        *,
        create: bool = False,
        model: str | Path | Encoder | None = None,
        mode: Mode = "write",
        trust_model: bool = False,
        **options: Unpack[CollectionOptions],
    ) -> Self:
        """Async twin of :meth:`open`."""
        return await to_writer(
            cls.open, location, create=create, model=model, mode=mode, trust_model=trust_model, **options
        )

    @property
    def collection(self) -> Collection:
        """Where everything is kept."""
        return self._stages.collection

    @property
    def encoder(self) -> Encoder:
        """The collection's model, loaded at first use.

        Raises:
            ModelMismatchError: it is not the model that the collection was made by.
        """
        return self._stages.encoder

    def info(self) -> CollectionInfo:
        """Location, settings and sizes of the collection."""
        return self.collection.info()

    def close(self) -> None:
        """Closes the collection, unless it was handed in open. The model stays loaded: others may use it."""
        if self._owned:
            self.collection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _check_writable(self) -> None:
        """Refuses a write before anything is read or encoded for it."""
        if self._mode == "read":
            raise CollectionReadOnlyError(f"{self.collection.location} is open for reading; open it with mode='write'")

    ainfo = twin(info)
    aclose = twin(close, writes=True)


def _open(location: str | Path, mode: Mode) -> Collection:
    from late_rag.collections import open_collection

    return open_collection(location, mode)


def _portable(chunker: Chunker | str | None) -> Chunker | str | tuple[type, dict[str, Any]] | None:
    """The class and options of a chunker that is made of them: its tokenizer need not be one that can be pickled."""
    return (type(chunker), chunker.options()) if hasattr(chunker, "from_options") else chunker  # type: ignore[union-attr]
