"""A LlamaIndex vector store over a collection: nodes in, nodes out, by late interaction in between."""

# ruff: noqa: ARG002 - arguments of LlamaIndex's interface

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llama_index.core.bridge.pydantic import Field, PrivateAttr, field_serializer
from llama_index.core.vector_stores.types import BasePydanticVectorStore, VectorStoreQuery, VectorStoreQueryResult

from late_rag import Selection
from late_rag.adapters import (
    Closing,
    CollectionError,
    HitFields,
    InputError,
    Mode,
    StoreHolder,
    check_collection,
    check_owners,
    location_of,
    to_reader,
    to_writer,
)
from llama_index.retrievers.late_rag.filters import to_filter
from llama_index.retrievers.late_rag.loose import to_chunks
from llama_index.retrievers.late_rag.nodes import check_nodes, from_chunk, from_hit
from llama_index.vector_stores.late_rag.queries import scored_hits

if TYPE_CHECKING:
    from llama_index.core.schema import BaseNode

    from late_rag import Chunk
    from late_rag.adapters import Collection
    from llama_index.retrievers.late_rag.filters import FilterLike


class LateInteractionVectorStore(Closing, BasePydanticVectorStore):
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

    _holder: StoreHolder = PrivateAttr()

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
        if unknown := kwargs.keys() - {"class_name", "stores_text", "is_embedding_query"}:
            known = "collection, model, mode, fields, create and trust_model"
            raise InputError(f"LateInteractionVectorStore has no argument {', '.join(sorted(unknown))}; it has {known}")
        holder = StoreHolder(collection, model, mode, create or {}, trust_model=trust_model)
        given: dict[str, Any] = {
            "collection": None if collection is None else check_collection(collection),
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

    @property
    def client(self) -> Collection:
        """The open collection."""
        return self._holder.retriever().collection

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Adds nodes, each in place of the one with its id; what is there with equal content is left as it is.

        Returns:
            The ids, in order.

        Raises:
            InputError: a node that cannot be stored; none is then.
            ConflictError: an id is that of a passage of another document or file.
        """
        if chunks := self._chunks(nodes):
            retriever = self._holder.writable()
            check_owners(retriever, chunks)
            retriever.add(chunks)
        return [chunk.id for chunk in chunks]

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Async twin of :meth:`add`; cancelled, it stops at the next step and keeps what was committed."""
        if chunks := await to_writer(self._chunks, nodes):
            retriever = await to_writer(self._holder.writable)
            await to_writer(check_owners, retriever, chunks)
            await retriever.aadd(chunks)
        return [chunk.id for chunk in chunks]

    def _chunks(self, nodes: Sequence[BaseNode]) -> list[Chunk]:
        return to_chunks(check_nodes(nodes), lambda: self._holder.writable().encoder)

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Removes all nodes of a document, and a node without one whose own id this is."""
        self._holder.writable().delete(Selection(document_ids=(ref_doc_id,)))

    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Async twin of :meth:`delete`."""
        await to_writer(self.delete, ref_doc_id)

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: FilterLike | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """Removes the nodes with these ids, that match the filter; ids that do not exist are no error.

        Raises:
            InputError: neither is given, which would be everything (:meth:`clear` removes that).
        """
        meant = _selection(node_ids, filters)
        if meant.everything:
            raise InputError("delete_nodes needs node_ids or filters; clear() removes everything")
        self._holder.writable().delete(meant)

    async def adelete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: FilterLike | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """Async twin of :meth:`delete_nodes`."""
        await to_writer(self.delete_nodes, node_ids, filters)

    def get_nodes(self, node_ids: list[str] | None = None, filters: FilterLike | None = None) -> list[BaseNode]:
        """The nodes with these ids, in their order, that match the filter; without ids in the order they were added."""
        batches = self.client.iterate(_selection(node_ids, filters))
        found: dict[str, Chunk] = {chunk.id: chunk for batch in batches for chunk, _ in batch}
        wanted = found if node_ids is None else dict.fromkeys(node_ids)
        return [from_chunk(found[identity]) for identity in wanted if identity in found]

    async def aget_nodes(self, node_ids: list[str] | None = None, filters: FilterLike | None = None) -> list[BaseNode]:
        """Async twin of :meth:`get_nodes`."""
        return await to_reader(self.get_nodes, node_ids, filters)

    def clear(self) -> None:
        """Removes every node, document and file."""
        self._holder.writable().collection.clear()

    async def aclear(self) -> None:
        """Async twin of :meth:`clear`."""
        await to_writer(self.clear)

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

    def close(self) -> None:
        """Removes a temporary collection; any other stays open for those who share it."""
        self._holder.close()


def _selection(node_ids: list[str] | None, filters: FilterLike | None) -> Selection:
    return Selection(ids=node_ids, filter=to_filter(filters))  # type: ignore[arg-type]  # any sequence of strings


def _checked_location(collection: str | Path | Collection | None) -> str:
    """Where another process finds the collection.

    Raises:
        CollectionError: it is temporary.
    """
    if collection is None:
        raise CollectionError("a store without a location lives in this process only; give collection= a location")
    return location_of(collection)
