"""A LlamaIndex index whose documents, nodes and hashes are all in one collection."""

# ruff: noqa: ARG002 - arguments of LlamaIndex's interface

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

from late_rag.adapters import (
    Closing,
    CollectionExistsError,
    InputError,
    UnsupportedError,
    check_collection,
    copy_collection,
    shared_retriever,
    to_reader,
)
from llama_index.indices.late_rag.docstore import CollectionDocstore
from llama_index.indices.late_rag.writing import ELSEWHERE, WritableIndex
from llama_index.retrievers.late_rag import LateInteractionRetriever
from llama_index.retrievers.late_rag.checks import selected

if TYPE_CHECKING:
    from llama_index.core.schema import Document

    from llama_index.retrievers.late_rag.filters import FilterLike
    from llama_index.vector_stores.late_rag import LateInteractionVectorStore


class LateInteractionIndex(Closing, WritableIndex):
    """Documents, split by LlamaIndex's transformations, and found by late interaction.

    A document and its nodes are written in one commit, with the hash that ``refresh_ref_docs`` compares; inserted
    again, it takes its own place. There is no other store: what is deleted is gone, and every program that opens the
    collection sees the same. Every method that reads, encodes or writes has an async twin, which does so
    in a thread; an index that is made with ``nodes`` writes them at once, so an async program uses ``ainsert_nodes``.

    Args:
        nodes: put in, each in the place of the one with its id.
        collection: the location of a collection, made by the first write if there is none; one that is open; or
            None for a private temporary one, which is removed when the index is closed or goes away.
        model: in place of the one that the collection names, where that has moved; of a new collection, "minilm".
        mode: "read" refuses every write, makes nothing, and serves from a folder that cannot be written, too.
        create: how a new collection is made; see :class:`late_rag.retriever.CollectionOptions`.
        trust_model: whether to load or fetch whatever model the collection names.
        objects: index nodes put in without their objects, which retrievers of this process find again.
        transformations: what makes nodes of documents; those of LlamaIndex's ``Settings`` where it is not said.
        callback_manager: as every index has it.
        show_progress: of the transformations, and of encoding.

    Raises:
        InputError: ``mode="read"`` without a collection.
    """

    @classmethod
    def from_documents(  # type: ignore[override]
        cls, documents: Sequence[Document], *, overwrite: bool = False, **kwargs: Any
    ) -> Self:
        """An index of these documents, in a collection that may have others.

        Args:
            documents: put in, each in the place of the one with its id.
            overwrite: empties the collection first, files and what other programs put in included; its model and
                options stay. Nothing is removed where the documents cannot be put in.
            kwargs: those of the index.

        Raises:
            InputError: ``overwrite`` together with ``nodes`` or ``objects``.
        """
        index = cls(**_emptied(kwargs) if overwrite else kwargs)
        with index._callback_manager.as_trace("index_construction"):
            index._put(documents, {}, overwrite=overwrite)
        return index

    @classmethod
    async def afrom_documents(cls, documents: Sequence[Document], *, overwrite: bool = False, **kwargs: Any) -> Self:
        """Async twin of :meth:`from_documents`."""
        index = cls(**_emptied(kwargs) if overwrite else kwargs)
        with index._callback_manager.as_trace("index_construction"):
            await index._aput(documents, {}, overwrite=overwrite)
        return index

    @classmethod
    def load(cls, persist_dir: str | Path, **kwargs: Any) -> Self:
        """The index that is there, by whichever program it was written; ``kwargs`` are those of the index.

        Raises:
            CollectionNotFoundError: there is none.
        """
        persist_dir = check_collection(persist_dir)
        shared_retriever(persist_dir, kwargs.get("mode", "write"), model=kwargs.get("model"))
        return cls(collection=persist_dir, **kwargs)

    def persist(self, persist_dir: str | Path) -> None:
        """Copies the collection to a folder or URL where there is none yet. Encodes nothing.

        An index that was given a location has no need of it: every write is on the disk when it returns.

        Raises:
            CollectionExistsError: there is a collection already.
        """
        try:
            copy_collection(self._holder.retriever().collection, persist_dir)
        except CollectionExistsError as error:
            raise CollectionExistsError(
                f"{error}. To put others in the place of what it has: from_documents(documents, collection=…, "
                "overwrite=True); to keep both, persist to another folder"
            ) from error

    def as_retriever(self, **kwargs: Any) -> LateInteractionRetriever:
        """A retriever; ``kwargs`` are its own, and those of LlamaIndex's engines, which are for these.

        Raises:
            UnknownArgumentError: neither has an argument of this name.
        """
        if "collection" in kwargs:
            raise InputError("as_retriever searches the index's own collection; another has a retriever of its own")
        own = inspect.signature(LateInteractionRetriever).parameters.keys() - {"collection"}
        location = self._holder.place or self._holder.retriever().collection
        common = {
            "model": self._model,
            "trust_model": self._trust_model,
            "object_map": self._object_map,
            "callback_manager": self._callback_manager,
        }
        given = {name: value for name, value in kwargs.items() if name in own or name not in _engine_arguments()}
        return LateInteractionRetriever(location, **{**common, **given})

    def count(self, filters: FilterLike | None = None) -> int:
        """How many nodes there are, or match the filter.

        Raises:
            CollectionNotFoundError: there is no collection at the location.
        """
        return self._holder.retriever().collection.count(selected(None, filters))

    async def acount(self, filters: FilterLike | None = None) -> int:
        """Async twin of :meth:`count`."""
        return await to_reader(self.count, filters)

    def __repr__(self) -> str:
        mode = None if self._mode == "write" else self._mode
        return self._holder.described(self, model=self._model, mode=mode)

    def close(self) -> None:
        """Removes a temporary collection; any other stays open for those who share it."""
        self._holder.close()

    @property
    def vector_store(self) -> LateInteractionVectorStore:
        """The same collection as a vector store, for what needs one.

        ``VectorStoreIndex.from_vector_store(index.vector_store, embed_model=PlaceholderEmbedding())`` is the index that
        a ``VectorIndexAutoRetriever`` takes.
        """
        from llama_index.vector_stores.late_rag import LateInteractionVectorStore

        collection = self._holder.place or self._holder.retriever().collection
        return LateInteractionVectorStore(collection, model=self._model, mode=self._mode, trust_model=self._trust_model)

    @property
    def _embed_model(self) -> NoReturn:
        """What LlamaIndex's retrievers of a VectorStoreIndex ask for, which tells them from all others."""
        raise UnsupportedError(
            "VectorIndexRetriever and VectorIndexAutoRetriever are for a VectorStoreIndex: give them "
            "VectorStoreIndex.from_vector_store(index.vector_store, embed_model=PlaceholderEmbedding()) in place of a "
            "LateInteractionIndex"
        )

    @property
    def docstore(self) -> CollectionDocstore:
        """The collection as a docstore, which only reads, for what looks nodes up by their ids."""
        return CollectionDocstore(self._holder)

    @property
    def storage_context(self) -> NoReturn:
        """Raises UnsupportedError, as does ``set_index_id``: there is the collection alone."""
        raise UnsupportedError(ELSEWHERE)

    def set_index_id(self, index_id: str) -> NoReturn:
        raise UnsupportedError(ELSEWHERE)


def _emptied(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of an index whose collection is emptied when it is made, and not what it was made with."""
    for name in ("nodes", "objects"):
        if arguments.get(name):
            raise InputError(f"overwrite=True empties the collection first: put {name} in afterwards, by insert_nodes")
    return arguments


def _engine_arguments() -> frozenset[str]:
    """What LlamaIndex's query and chat engines take, and hand on to the index that they are made of."""
    from llama_index.core import chat_engine, query_engine

    made_by = [
        query_engine.RetrieverQueryEngine.from_args,
        *(getattr(chat_engine, name).from_defaults for name in chat_engine.__all__),
    ]
    return frozenset(name for make in made_by for name in inspect.signature(make).parameters)
