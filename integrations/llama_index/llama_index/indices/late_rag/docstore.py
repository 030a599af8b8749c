"""The collection of an index as a LlamaIndex docstore, for what looks nodes up by their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from llama_index.core.storage.docstore.types import BaseDocumentStore, RefDocInfo

from late_rag import Chunk, Selection
from late_rag.adapters import InputError, StoreHolder, UnsupportedError, batched, to_reader
from llama_index.indices.late_rag.documents import stored_hashes
from llama_index.retrievers.late_rag.checks import of_document
from llama_index.retrievers.late_rag.nodes import from_chunk

if TYPE_CHECKING:
    from llama_index.core.schema import BaseNode

    from late_rag.adapters import Collection

_READ_TOGETHER = 256


class CollectionDocstore(BaseDocumentStore):
    """Gives nodes and documents as they are in the collection now, whoever put them in; it keeps nothing of its own.

    It is for ``PrevNextNodePostprocessor``, ``AutoMergingRetriever``, ``BM25Retriever`` and the like, and knows no
    filters: it shows all that there is. All that writes raises UnsupportedError: the index writes.

    Args:
        holder: of the collection.
    """

    def __init__(self, holder: StoreHolder) -> None:
        self._holder = holder

    @property
    def docs(self) -> dict[str, BaseNode]:
        """Every node by its id, in order; all of them are in memory then."""
        return {chunk.id: from_chunk(chunk) for batch in self._collection.iterate() for chunk, _ in batch}

    def get_document(self, doc_id: str, raise_error: bool = True) -> BaseNode | None:
        """The node with this id, or else the document.

        Raises:
            InputError: there is none, unless ``raise_error`` is false, which gives None.
        """
        for chunk in self._collection.get([doc_id]):
            return from_chunk(chunk)
        for found in self._collection.get_documents([doc_id]):
            whole = Chunk(found.id, found.id, found.text, metadata=found.metadata, media=found.media, extra=found.extra)
            return from_chunk(whole)
        if raise_error:
            raise InputError(f"there is no node or document {doc_id!r} in {self._collection.location}")
        return None

    def get_nodes(self, node_ids: list[str], raise_error: bool = True) -> list[BaseNode]:
        """The nodes or documents with these ids, in order; raises as :meth:`get_document`."""
        found = (self.get_document(identity, raise_error) for identity in node_ids)
        return [node for node in found if node is not None]

    def document_exists(self, doc_id: str) -> bool:
        """Whether there is a node or document with this id."""
        return self.get_document(doc_id, raise_error=False) is not None

    def get_document_hash(self, doc_id: str) -> str | None:
        """LlamaIndex's hash of a document that the index put in; else None."""
        return stored_hashes(self._collection, [doc_id]).get(doc_id)

    def get_all_document_hashes(self) -> dict[str, str]:
        """The ids of documents by their hashes."""
        hashes: dict[str, str] = {}
        for group in batched(self.get_all_ref_doc_info(), _READ_TOGETHER):
            found = stored_hashes(self._collection, group)
            hashes.update({value: identity for identity, value in found.items() if value is not None})
        return hashes

    def get_all_ref_doc_info(self) -> dict[str, RefDocInfo]:
        """For each document the ids of its nodes, in order, and the metadata of the first that has any."""
        return ref_docs(self._collection)

    def get_ref_doc_info(self, ref_doc_id: str) -> RefDocInfo | None:
        """The same of one document; None where it is not there."""
        return ref_docs(self._collection, of_document(ref_doc_id)).get(ref_doc_id)

    async def aget_document(self, doc_id: str, raise_error: bool = True) -> BaseNode | None:
        """Async twin, in a thread, as are all others."""
        return await to_reader(self.get_document, doc_id, raise_error)

    async def aget_nodes(self, node_ids: list[str], raise_error: bool = True) -> list[BaseNode]:
        return await to_reader(self.get_nodes, node_ids, raise_error)

    async def adocument_exists(self, doc_id: str) -> bool:
        return await to_reader(self.document_exists, doc_id)

    async def aget_document_hash(self, doc_id: str) -> str | None:
        return await to_reader(self.get_document_hash, doc_id)

    async def aget_all_document_hashes(self) -> dict[str, str]:
        return await to_reader(self.get_all_document_hashes)

    async def aget_all_ref_doc_info(self) -> dict[str, RefDocInfo]:
        return await to_reader(self.get_all_ref_doc_info)

    async def aget_ref_doc_info(self, ref_doc_id: str) -> RefDocInfo | None:
        return await to_reader(self.get_ref_doc_info, ref_doc_id)

    @property
    def _collection(self) -> Collection:
        return self._holder.retriever().collection

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise UnsupportedError(
            "the docstore of a LateInteractionIndex only reads its collection: insert, insert_nodes, delete_nodes and "
            "delete_ref_doc of the index write to it, and its persist(folder) copies it"
        )

    async def _arefuse(self, *_: Any, **__: Any) -> NoReturn:
        self._refuse()

    add_documents = delete_document = delete_ref_doc = set_document_hash = set_document_hashes = persist = _refuse
    async_add_documents = adelete_document = adelete_ref_doc = aset_document_hash = aset_document_hashes = _arefuse


def ref_docs(collection: Collection, selection: Selection | None = None) -> dict[str, RefDocInfo]:
    """For each document the ids of its nodes, in order, and the metadata of the first that has any."""
    found: dict[str, RefDocInfo] = {}
    for batch in collection.iterate(selection):
        for chunk, _ in batch:
            if (identity := from_chunk(chunk).ref_doc_id) is not None:
                info = found.setdefault(identity, RefDocInfo())
                info.node_ids.append(chunk.id)
                info.metadata = info.metadata or dict(chunk.metadata)
    return found
