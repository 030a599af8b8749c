"""The half of the vector store that puts nodes in and takes them out."""

# ruff: noqa: ARG002 - arguments of LlamaIndex's interface

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.vector_stores.types import BasePydanticVectorStore

from late_rag.adapters import (
    Closing,
    InputError,
    StoreHolder,
    check_owners,
    to_writer,
)
from llama_index.retrievers.late_rag.checks import check_nodes, of_document, selected
from llama_index.retrievers.late_rag.loose import to_chunks

if TYPE_CHECKING:
    from llama_index.core.schema import BaseNode

    from late_rag import Chunk
    from late_rag.adapters import Report
    from llama_index.retrievers.late_rag.filters import FilterLike


class WritableVectorStore(Closing, BasePydanticVectorStore):
    """A store without searches; see :class:`llama_index.vector_stores.late_rag.store.LateInteractionVectorStore`."""

    _holder: StoreHolder = PrivateAttr()

    def add(self, nodes: Sequence[BaseNode], *, progress: Report | None = None, **kwargs: Any) -> list[str]:
        """Adds nodes, each in place of the one with its id; what is there with equal content is left as it is.

        Args:
            nodes: stay as they are.
            progress: called with the passages that are encoded; what it raises stops the work.
            kwargs: what LlamaIndex hands on from elsewhere.

        Returns:
            The ids, in order.

        Raises:
            InputError: a node that cannot be stored; none is then.
            ConflictError: an id is that of a passage of another document or file.
        """
        if chunks := self._chunks(nodes):
            retriever = self._holder.writable()
            check_owners(retriever, chunks)
            retriever.add(chunks, progress=progress)
        return [chunk.id for chunk in chunks]

    async def async_add(self, nodes: Sequence[BaseNode], *, progress: Report | None = None, **kwargs: Any) -> list[str]:
        """Async twin of :meth:`add`; cancelled, it stops at the next step and keeps what was committed."""
        if chunks := await to_writer(self._chunks, nodes):
            retriever = await to_writer(self._holder.writable)
            await to_writer(check_owners, retriever, chunks)
            await retriever.aadd(chunks, progress=progress)
        return [chunk.id for chunk in chunks]

    def _chunks(self, nodes: Sequence[BaseNode]) -> list[Chunk]:
        return to_chunks(check_nodes(nodes), lambda: self._holder.writable().encoder)

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Removes all nodes of a document, and a node without one whose own id this is."""
        self._holder.writable().delete(of_document(ref_doc_id))

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
        meant = selected(node_ids, filters)
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

    def clear(self) -> None:
        """Removes every node, document and file."""
        self._holder.writable().collection.clear()

    async def aclear(self) -> None:
        """Async twin of :meth:`clear`."""
        await to_writer(self.clear)

    def close(self) -> None:
        """Removes a temporary collection; any other stays open for those who share it."""
        self._holder.close()
