"""The half of the index that puts documents in, takes them out, and tells which there are."""

# ruff: noqa: ARG002 - arguments of LlamaIndex's interface

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from llama_index.core.data_structs.data_structs import IndexDict
from llama_index.core.indices.base import BaseIndex
from llama_index.core.ingestion import arun_transformations, run_transformations
from llama_index.core.schema import IndexNode, TransformComponent
from llama_index.core.settings import Settings

from late_rag import Selection
from late_rag.adapters import (
    InputError,
    Mode,
    StoreHolder,
    UnsupportedError,
    hinting,
    listed,
    progress_bar,
    to_reader,
    to_writer,
)
from llama_index.indices.late_rag.docstore import ref_docs
from llama_index.indices.late_rag.documents import Parsed, each_once, listed_documents, stored_hashes, without_objects
from llama_index.retrievers.late_rag.checks import check_nodes, of_document

if TYPE_CHECKING:
    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.schema import BaseNode, Document
    from llama_index.core.storage.docstore.types import RefDocInfo

    from late_rag import Retriever
    from late_rag.adapters import Addable, Collection, Report

ELSEWHERE = (
    "a LateInteractionIndex keeps its nodes, documents and hashes in its collection alone: persist(folder) copies "
    "that, LateInteractionIndex.load(folder) opens it, and load_index_from_storage cannot; what looks nodes up "
    "by their ids takes index.docstore, or StorageContext.from_defaults(docstore=index.docstore)"
)


_SELF_CONTAINED = "the index keeps everything in its collection, by the collection's own model"


class WritableIndex(BaseIndex[IndexDict]):
    """An index without retrievers; see :class:`llama_index.indices.late_rag.index.LateInteractionIndex`."""

    index_struct_cls = IndexDict

    @hinting(
        embed_model=f"{_SELF_CONTAINED}: model= chooses one",
        index_name="use collection, the location",
        location="use collection",
        persist_dir="use collection, or LateInteractionIndex.load(persist_dir)",
        storage_context=_SELF_CONTAINED,
        vector_store="use collection, or make VectorStoreIndex.from_vector_store(…)",
    )
    def __init__(
        self,
        nodes: Sequence[BaseNode] | None = None,
        *,
        collection: str | Path | Collection | None = None,
        model: str | None = None,
        mode: Mode = "write",
        create: Mapping[str, Any] | None = None,
        trust_model: bool = False,
        objects: Sequence[IndexNode] | None = None,
        transformations: list[TransformComponent] | None = None,
        callback_manager: CallbackManager | None = None,
        show_progress: bool = False,
    ) -> None:
        if isinstance(nodes, str | Path):
            raise InputError(f"nodes is {str(nodes)!r}; the location of a collection goes into collection=")
        nodes = [] if nodes is None else check_nodes(nodes)
        objects = listed(objects or (), IndexNode, "objects", "index nodes")
        if transformations is not None:
            transformations = listed(transformations, TransformComponent, "transformations", "TransformComponents")  # type: ignore[type-abstract]
        self._collection, self._model, self._mode, self._trust_model = collection, model, mode, trust_model
        self._holder = StoreHolder(collection, model, mode, create or {}, trust_model=trust_model)
        super().__init__(
            index_struct=IndexDict(),
            callback_manager=callback_manager,
            transformations=transformations or Settings.transformations,
            show_progress=show_progress,
        )
        self._object_map.update({node.index_id: node.obj for node in objects})
        bare = [node.model_copy(update={"obj": None}) for node in objects]
        if nodes or bare:
            self.insert_nodes([*nodes, *bare])

    def insert(self, document: Document, **insert_kwargs: Any) -> None:
        """Puts a document in, in the place of all nodes that it had; ``insert_kwargs`` are for the transformations."""
        with self._callback_manager.as_trace("insert"):
            self._put([document], insert_kwargs)

    async def ainsert(self, document: Document, **insert_kwargs: Any) -> None:
        """Async twin of :meth:`insert`."""
        with self._callback_manager.as_trace("ainsert"):
            await self._aput([document], insert_kwargs)

    def insert_nodes(self, nodes: Sequence[BaseNode], **insert_kwargs: Any) -> None:
        """Puts nodes in, each in the place of the one with its id; they stay as they are.

        Raises:
            ConflictError: an id is that of a passage of another document or file.
        """
        with self._callback_manager.as_trace("insert_nodes"):
            self._insert(nodes)

    async def ainsert_nodes(self, nodes: Sequence[BaseNode], **insert_kwargs: Any) -> None:
        """Async twin of :meth:`insert_nodes`."""
        with self._callback_manager.as_trace("ainsert_nodes"):
            await self._awrite([], nodes)

    def delete_nodes(self, node_ids: list[str], delete_from_docstore: bool = False, **delete_kwargs: Any) -> None:
        """Removes nodes, and documents that have none left; ids that do not exist are no error."""
        self._holder.writable().delete(Selection(ids=tuple(listed(node_ids, str, "node_ids", "ids"))))

    async def adelete_nodes(
        self, node_ids: list[str], delete_from_docstore: bool = False, **delete_kwargs: Any
    ) -> None:
        """Async twin of :meth:`delete_nodes`."""
        await to_writer(self.delete_nodes, node_ids)

    def delete_ref_doc(self, ref_doc_id: str, delete_from_docstore: bool = False, **delete_kwargs: Any) -> None:
        """Removes a document with all its nodes; an id that does not exist is no error."""
        self._holder.writable().delete(of_document(ref_doc_id))

    async def adelete_ref_doc(self, ref_doc_id: str, delete_from_docstore: bool = False, **delete_kwargs: Any) -> None:
        """Async twin of :meth:`delete_ref_doc`."""
        await to_writer(self.delete_ref_doc, ref_doc_id)

    def update_ref_doc(self, document: Document, **update_kwargs: Any) -> None:
        """Puts a document in the place of its older state, in one commit."""
        self.insert(document, **update_kwargs.get("insert_kwargs", {}))

    async def aupdate_ref_doc(self, document: Document, **update_kwargs: Any) -> None:
        """Async twin of :meth:`update_ref_doc`."""
        await self.ainsert(document, **update_kwargs.get("insert_kwargs", {}))

    def refresh_ref_docs(self, documents: Sequence[Document], **update_kwargs: Any) -> list[bool]:
        """Puts those documents in that are new or have another hash; for each whether it was."""
        with self._callback_manager.as_trace("refresh_ref_docs"):
            documents = listed_documents(documents)
            changed = self._changed(documents)
            wanted = [document for document, new in zip(documents, changed, strict=True) if new]
            self._put(wanted, update_kwargs.get("insert_kwargs", {}))
            return changed

    async def arefresh_ref_docs(self, documents: Sequence[Document], **update_kwargs: Any) -> list[bool]:
        """Async twin of :meth:`refresh_ref_docs`."""
        with self._callback_manager.as_trace("arefresh_ref_docs"):
            documents = await to_writer(listed_documents, documents)  # they may be read from files only now
            changed = await to_writer(self._changed, documents)
            wanted = [document for document, new in zip(documents, changed, strict=True) if new]
            await self._aput(wanted, update_kwargs.get("insert_kwargs", {}))
            return changed

    @property
    def ref_doc_info(self) -> dict[str, RefDocInfo]:
        """For each document the ids of its nodes, in order, and the metadata of the first that has any."""
        return ref_docs(self._holder.retriever().collection)

    async def aref_doc_info(self) -> dict[str, RefDocInfo]:
        """Async twin of :attr:`ref_doc_info`."""
        return await to_reader(lambda: self.ref_doc_info)

    def _put(self, documents: Sequence[Document], options: Mapping[str, Any], *, overwrite: bool = False) -> None:
        shown = {"show_progress": self._show_progress, **options}
        documents = each_once(documents)
        self._write(documents, run_transformations(documents, self._transformations, **shown), overwrite=overwrite)

    async def _aput(
        self, documents: Sequence[Document], options: Mapping[str, Any], *, overwrite: bool = False
    ) -> None:
        shown = {"show_progress": self._show_progress, **options}
        documents = await to_writer(each_once, documents)
        nodes = await arun_transformations(documents, self._transformations, **shown)
        await self._awrite(documents, nodes, overwrite=overwrite)

    def _write(self, documents: Sequence[BaseNode], nodes: Sequence[BaseNode], *, overwrite: bool = False) -> None:
        for retriever, items in self._prepared(documents, nodes, overwrite=overwrite):
            with self._bar() as progress:
                retriever.add(items, progress=progress)

    async def _awrite(
        self, documents: Sequence[BaseNode], nodes: Sequence[BaseNode], *, overwrite: bool = False
    ) -> None:
        """Async twin; cancelled, it stops at the next step and keeps what was committed."""
        for retriever, items in await to_writer(self._prepared, documents, nodes, overwrite=overwrite):
            with self._bar() as progress:
                await retriever.aadd(items, progress=progress)

    def _bar(self) -> AbstractContextManager[Report | None]:
        return progress_bar("Encoding nodes", wanted=self._show_progress)

    def _prepared(
        self, documents: Sequence[BaseNode], nodes: Sequence[BaseNode], *, overwrite: bool
    ) -> Sequence[tuple[Retriever, Sequence[Addable]]]:
        listed = check_nodes(nodes)
        if not documents and not listed and not overwrite:
            return []
        retriever = self._holder.writable()
        parsed = Parsed.of(documents, without_objects(listed, self._object_map), lambda: retriever.encoder)
        return parsed.prepared(retriever, self._model, overwrite=overwrite)

    def _changed(self, documents: Sequence[Document]) -> list[bool]:
        collection = (self._holder.retriever if self._mode == "read" else self._holder.writable)().collection
        hashes = stored_hashes(collection, [document.node_id for document in each_once(documents)])
        changed = []
        for document in documents:
            changed.append(hashes.get(document.node_id) != document.hash)
            hashes[document.node_id] = document.hash
        return changed

    def _insert(self, nodes: Sequence[BaseNode], **insert_kwargs: Any) -> None:
        self._write([], nodes)

    def _delete_node(self, node_id: str, **delete_kwargs: Any) -> None:
        self.delete_nodes([node_id])

    def _build_index_from_nodes(self, nodes: Sequence[BaseNode], **build_kwargs: Any) -> NoReturn:
        raise UnsupportedError(ELSEWHERE)  # the base class would; this index never asks for it
