"""The half of the vector store that puts documents in, takes them out, and counts them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore, VectorStoreRetriever

from langchain_late_rag.filters import to_filter
from langchain_late_rag.inputs import prepared, text_documents, to_documents
from late_rag import Selection
from late_rag.adapters import Closing, InputError, SearchConfig, StoreHolder, check_top_k, listed, to_reader, to_writer

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

    from langchain_late_rag.filters import FilterLike
    from late_rag.adapters import Collection as OpenCollection
    from late_rag.adapters import Mode

Ids: TypeAlias = Iterable[str | None] | None
"""One for each document, or None for those that have none."""

_OF_ADDING = frozenset({"batch_size", "progress"})


class WritableStore(Closing, VectorStore):
    """A store that gives nothing back; see :class:`langchain_late_rag.vectorstore.LateInteractionVectorStore`."""

    def __init__(
        self,
        collection: str | Path | OpenCollection | None = None,
        *,
        model: str | Path | None = None,
        mode: Mode = "write",
        create: Mapping[str, Any] | None = None,
        trust_model: bool = False,
    ) -> None:
        self._holder = StoreHolder(collection, model, mode, create or {}, trust_model=trust_model)

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        embedding: Embeddings | None = None,
        metadatas: Iterable[dict[str, Any] | None] | None = None,
        *,
        ids: Ids = None,
        **kwargs: Any,
    ) -> Self:
        """A store of these texts; ``kwargs`` are those of :meth:`add_documents` and of the store itself.

        Raises:
            InputError: an ``embedding``, or not as many metadatas or ids as texts.
        """
        return cls.from_documents(text_documents(texts, metadatas), embedding, ids=ids, **kwargs)

    @classmethod
    async def afrom_texts(
        cls,
        texts: Iterable[str],
        embedding: Embeddings | None = None,
        metadatas: Iterable[dict[str, Any] | None] | None = None,
        *,
        ids: Ids = None,
        **kwargs: Any,
    ) -> Self:
        """Async twin of :meth:`from_texts`."""
        documents = await to_writer(text_documents, texts, metadatas)
        return await cls.afrom_documents(documents, embedding, ids=ids, **kwargs)

    @classmethod
    def from_documents(cls, documents: Iterable[Document], embedding: Embeddings | None = None, **kwargs: Any) -> Self:
        """A store of these documents; ``kwargs`` are those of :meth:`add_documents` and of the store itself.

        Raises:
            InputError: an ``embedding``, or not as many ids as documents.
        """
        adding = _of_adding(kwargs)
        store = cls._made(embedding, kwargs)
        store.add_documents(documents, **adding)
        return store

    @classmethod
    async def afrom_documents(
        cls, documents: Iterable[Document], embedding: Embeddings | None = None, **kwargs: Any
    ) -> Self:
        """Async twin of :meth:`from_documents`."""
        adding = _of_adding(kwargs)
        store = cls._made(embedding, kwargs)
        await store.aadd_documents(documents, **adding)
        return store

    @classmethod
    def _made(cls, embedding: Embeddings | None, options: Mapping[str, Any]) -> Self:
        if embedding is not None:
            raise InputError(
                f"embedding is {type(embedding).__name__}, but the collection's own late-interaction model embeds: "
                "pass embedding=None, and model= to choose one"
            )
        return cls(**options)

    @property
    def embeddings(self) -> None:
        """None: there is no model that makes one vector of a text."""
        return None

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: Iterable[dict[str, Any] | None] | None = None,
        *,
        ids: Ids = None,
        **kwargs: Any,
    ) -> list[str]:
        """As :meth:`add_documents`, for texts and their metadata."""
        return self.add_documents(text_documents(texts, metadatas), ids=ids, **kwargs)

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: Iterable[dict[str, Any] | None] | None = None,
        *,
        ids: Ids = None,
        **kwargs: Any,
    ) -> list[str]:
        """Async twin of :meth:`add_texts`."""
        documents = await to_writer(text_documents, texts, metadatas)
        return await self.aadd_documents(documents, ids=ids, **kwargs)

    def add_documents(self, documents: Iterable[Document], *, ids: Ids = None, **kwargs: Any) -> list[str]:
        """Adds documents, each in place of the one with its id; what is there with equal content is left as it is.

        Args:
            documents: stay as they are.
            ids: one for each; else the document's own, else a hash of its text and metadata, by which the same
                document is there once however often it is added.
            kwargs: ``progress``, called with the passages that are encoded, and what it raises stops the work;
                ``batch_size``, which LangChain's ``index()`` gives and which changes nothing.

        Returns:
            The ids, in order.

        Raises:
            InputError: not as many ids as documents, or metadata that cannot be stored.
            ConflictError: an id is that of a passage of a larger document or file.
        """
        _refuse("add_documents", kwargs.keys() - _OF_ADDING)
        items = to_documents(documents, ids)
        retriever = self._holder.writable()  # makes the collection, also for no documents
        if items:
            retriever.add(prepared(retriever, items), progress=kwargs.get("progress"))
        return [item.id for item in items]

    async def aadd_documents(self, documents: Iterable[Document], *, ids: Ids = None, **kwargs: Any) -> list[str]:
        """Async twin of :meth:`add_documents`; cancelled, it stops at the next step and keeps what was committed."""
        _refuse("aadd_documents", kwargs.keys() - _OF_ADDING)
        items = await to_writer(to_documents, documents, ids)
        retriever = await to_writer(self._holder.writable)
        if items:
            await retriever.aadd(await to_writer(prepared, retriever, items), progress=kwargs.get("progress"))
        return [item.id for item in items]

    def delete(self, ids: Sequence[str] | None = None, *, filter: FilterLike | None = None, **kwargs: Any) -> bool:  # noqa: A002
        """Removes the documents with these ids, that match the filter; without either all there are.

        Ids that do not exist are no error.
        """
        _refuse("delete", kwargs)
        if ids is None and filter is None:
            self._holder.writable().collection.clear()
        else:
            named = None if ids is None else tuple(listed(ids, str, "ids", "texts"))
            self._holder.writable().delete(Selection(ids=named, filter=to_filter(filter)))
        return True

    async def adelete(
        self,
        ids: Sequence[str] | None = None,
        *,
        filter: FilterLike | None = None,  # noqa: A002
        **kwargs: Any,
    ) -> bool:
        """Async twin of :meth:`delete`."""
        return await to_writer(self.delete, ids, filter=filter, **kwargs)

    def count(self, filter: FilterLike | None = None) -> int:  # noqa: A002
        """How many documents there are, or match the filter.

        Raises:
            CollectionNotFoundError: there is no collection at the location.
        """
        collection = self._holder.retriever().collection
        return collection.count(None if filter is None else Selection(filter=to_filter(filter)))

    async def acount(self, filter: FilterLike | None = None) -> int:  # noqa: A002
        """Async twin of :meth:`count`."""
        return await to_reader(self.count, filter)

    def as_retriever(self, **kwargs: Any) -> VectorStoreRetriever:
        """LangChain's retriever over the store; what a search is asked for goes into ``search_kwargs``.

        Raises:
            TypeError: an argument that it does not have, such as ``k``, or an option that no search has.
            InputError: an option of a search with a value that cannot be.
        """
        if unknown := {name: value for name, value in kwargs.items() if name not in VectorStoreRetriever.model_fields}:
            raise TypeError(f"as_retriever() takes no {', '.join(unknown)}: pass search_kwargs={unknown!r}")
        made = super().as_retriever(**kwargs)
        _check_search(made.search_kwargs, made.search_type)
        return made

    def __repr__(self) -> str:
        return self._holder.described(self)

    def close(self) -> None:
        """Removes a temporary collection; any other stays open for those who share it."""
        self._holder.close()

    async def aclose(self) -> None:
        """Async twin of :meth:`close`."""
        await to_writer(self.close)


def _of_adding(arguments: dict[str, Any]) -> dict[str, Any]:
    """Takes those arguments out that are of adding, and not of the store."""
    return {name: arguments.pop(name) for name in ("ids", *_OF_ADDING) if name in arguments}


def _check_search(options: Mapping[str, Any], kind: str) -> None:
    """Checks what every search of a retriever of this ``search_type`` will be asked for."""
    asked = {**options, "filter": to_filter(options.get("filter"))}
    if kind == "mmr":
        asked.setdefault("lambda_mult", 0.5)
    elif kind == "similarity_score_threshold":
        asked["threshold"] = asked.pop("score_threshold")
    SearchConfig.asked(top_k=check_top_k(asked.pop("k", 1), "k"), **asked)


def _refuse(method: str, arguments: Collection[str]) -> None:
    if arguments:
        raise TypeError(f"{method}() got unexpected arguments: {', '.join(sorted(arguments))}")
