"""A LlamaIndex vector store over a collection: nodes in, nodes out, by late interaction in between."""

# ruff: noqa: ARG002 - arguments of LlamaIndex's interface

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_index.core.bridge.pydantic import Field, field_serializer
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryResult

from late_rag.adapters import (
    CollectionError,
    HitFields,
    Mode,
    StoreHolder,
    check_arguments,
    check_collection,
    location_of,
    to_reader,
)
from llama_index.retrievers.late_rag.checks import selected
from llama_index.retrievers.late_rag.nodes import from_chunk, from_hit
from llama_index.vector_stores.late_rag.queries import scored_hits
from llama_index.vector_stores.late_rag.writing import WritableVectorStore

if TYPE_CHECKING:
    from llama_index.core.schema import BaseNode

    from late_rag import Chunk
    from late_rag.adapters import Collection
    from llama_index.retrievers.late_rag.filters import FilterLike


_ARGUMENTS = ("collection", "model", "mode", "fields", "create", "trust_model")
_OF_STORES = ("class_name", "stores_text", "is_embedding_query")
"""What one that was serialised has besides."""

_HINTS = {
    **dict.fromkeys(("uri", "path", "persist_dir", "persist_path", "collection_name", "table_name"), "use collection"),
    **dict.fromkeys(("dim", "embed_dim", "embed_model"), "the collection's own model embeds; model= chooses one"),
}


class LateInteractionVectorStore(WritableVectorStore):
    """Stores each node as one chunk under its id, over-long text in windows, and finds it by MaxSim.

    The collection's model embeds: what LlamaIndex hands in as embeddings is not looked at, so an index or a pipeline
    gets a :class:`PlaceholderEmbedding`. Queries are searched by their text, in the modes "default", "mmr" and
    "hybrid", whose similarities are from 0 to 1, and "sparse" and "text_search", whose similarities are BM25 scores.
    Filters are LlamaIndex's or the core's (see :mod:`llama_index.retrievers.late_rag.filters`).

    The store keeps configuration only: it pickles, copies and serialises where its collection has a location, and
    shares its model with all others. Every method has an async twin, which encodes and searches in a thread.

    Args:
        collection: the location of a collection, made by the first write if there is none; one that is open; or
            None for a private temporary one, which is removed when the store is closed or goes away.
        model: in place of the one that the collection names, where that has moved; of a new collection, "minilm".
        mode: "read" refuses every write, makes nothing, and serves from a folder that cannot be written, too.
        fields: which keys of a found node's metadata carry its score and the like; none but its source and context,
            unless said otherwise.
        create: how a new collection is made; see :class:`late_rag.retriever.CollectionOptions`.
        trust_model: whether to load or fetch whatever model the collection names.

    Raises:
        InputError: ``mode="read"`` without a collection, or an unknown argument.
    """

    stores_text: bool = True
    is_embedding_query: bool = False
    collection: Any = None
    model: str | None = None
    mode: Mode = "write"
    fields: HitFields = Field(default_factory=HitFields)
    create: dict[str, Any] = Field(default_factory=dict)
    trust_model: bool = False

    def __init__(
        self,
        collection: str | Path | Collection | None = None,
        *,
        model: str | Path | None = None,
        mode: Mode = "write",
        fields: HitFields | None = None,
        create: dict[str, Any] | None = None,
        trust_model: bool = False,
        **kwargs: Any,
    ) -> None:
        check_arguments(type(self).__name__, kwargs.keys() - _OF_STORES, _ARGUMENTS, _HINTS)
        holder = StoreHolder(collection, model, mode, create or {}, trust_model=trust_model)
        collection = None if collection is None else check_collection(collection)
        given: dict[str, Any] = {
            "collection": collection,
            "model": None if model is None else str(model),
            "mode": mode,
            "fields": HitFields() if fields is None else fields,
            "create": create or {},
            "trust_model": trust_model,
        }
        super().__init__(**given, **kwargs)
        self._holder = holder

    @classmethod
    def class_name(cls) -> str:
        """The name under which it is serialised."""
        return "LateInteractionVectorStore"

    @field_serializer("collection")
    def _location(self, collection: Any) -> str:
        return _checked_location(collection)

    def __getstate__(self) -> dict[str, Any]:
        _checked_location(self.collection)  # which LlamaIndex would leave out without a word
        return super().__getstate__()

    def __repr__(self) -> str:
        return self._holder.described(self, model=self.model, mode=None if self.mode == "write" else self.mode)

    __str__ = __repr__  # pydantic's own would show what is in the URL of a collection

    @property
    def client(self) -> Collection:
        """The open collection."""
        return self._holder.retriever().collection

    def get_nodes(self, node_ids: list[str] | None = None, filters: FilterLike | None = None) -> list[BaseNode]:
        """The nodes with these ids, in their order, that match the filter; without ids in the order they were added."""
        meant = selected(node_ids, filters)
        found: dict[str, Chunk] = {chunk.id: chunk for batch in self.client.iterate(meant) for chunk, _ in batch}
        wanted = found if meant.ids is None else dict.fromkeys(meant.ids)
        return [from_chunk(found[identity]) for identity in wanted if identity in found]

    async def aget_nodes(self, node_ids: list[str] | None = None, filters: FilterLike | None = None) -> list[BaseNode]:
        """Async twin of :meth:`get_nodes`."""
        return await to_reader(self.get_nodes, node_ids, filters)

    def count(self, filters: FilterLike | None = None) -> int:
        """How many nodes there are, or match the filter."""
        return self.client.count(selected(None, filters))

    async def acount(self, filters: FilterLike | None = None) -> int:
        """Async twin of :meth:`count`."""
        return await to_reader(self.count, filters)

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """The nodes that answer the query's text best, best first.

        Args:
            query: ``mmr_threshold`` 1 is relevance alone, 0 difference alone. No ``node_ids`` are any, no ``doc_ids``
                are none.
            kwargs: what :class:`late_rag.retriever.SearchOptions` has beside: ``threshold``, ``expand``, ``group_by``,
                ``fetch_k``. An index passes them on as ``as_retriever(vector_store_kwargs={…})``.

        Raises:
            InputError: a query without text, or an option that cannot be.
            FilterError: a filter that cannot be read.
            UnsupportedError: another mode, or an ``alpha``.
        """
        found = scored_hits(self._holder.retriever(), query, kwargs)
        nodes = [from_hit(hit, self.fields).node for hit, _ in found]
        return VectorStoreQueryResult(
            nodes=nodes, similarities=[similarity for _, similarity in found], ids=[node.node_id for node in nodes]
        )

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Async twin of :meth:`query`."""
        return await to_reader(self.query, query, **kwargs)

    def persist(self, persist_path: str = "", fs: Any = None) -> None:
        """Nothing is left to do: every write is on the disk when it returns.

        Raises:
            CollectionError: a temporary collection, which is never kept.
        """
        if self.collection is None:
            raise CollectionError("a store without a location is not kept; give collection= a location to begin with")


def _checked_location(collection: str | Path | Collection | None) -> str:
    """Where another process finds the collection.

    Raises:
        CollectionError: it is temporary.
    """
    if collection is None:
        raise CollectionError("a store without a location lives in this process only; give collection= a location")
    return location_of(collection)
