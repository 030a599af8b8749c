"""Documents with the nodes that LlamaIndex made of them, as the collection stores them: together, in one commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from llama_index.core.schema import IndexNode, MetadataMode

from late_rag import Chunk, Document, Retriever
from late_rag.adapters import InputError, check_owners, digest
from llama_index.retrievers.late_rag.checks import check_nodes
from llama_index.retrievers.late_rag.loose import named_chunks, to_chunks
from llama_index.retrievers.late_rag.nodes import to_chunk

if TYPE_CHECKING:
    from llama_index.core.schema import BaseNode
    from llama_index.core.schema import Document as LlamaIndexDocument

    from late_rag.adapters import Addable, Collection, Encoder

HASH = "llama_index_hash"
"""The key of a document's ``extra`` under which its hash stands as LlamaIndex computes it."""

_NODES = "llama_index_nodes"
"""The key beside it for a hash of its nodes, so that a document with other nodes is not taken for the same."""


@dataclass(frozen=True)
class Parsed:
    """What is written: documents, the chunks of each by its id, and chunks of documents that are not given."""

    documents: Sequence[Document]
    chunks: Mapping[str, Sequence[Chunk]]
    loose: Sequence[Chunk]

    @classmethod
    def of(cls, documents: Iterable[BaseNode], nodes: Iterable[BaseNode], encoder: Callable[[], Encoder]) -> Parsed:
        """Documents, each id once, and the nodes that were made of them.

        Raises:
            InputError: one that cannot be stored, or two nodes with one id and different content.
        """
        given = {document.node_id: document for document in documents}
        texts = {identity: document.get_content(MetadataMode.NONE) for identity, document in given.items()}
        of_given: list[BaseNode] = []
        loose: list[BaseNode] = []
        for node in nodes:
            (of_given if _family(node) in given else loose).append(node)
        chunks: dict[str, list[Chunk]] = {identity: [] for identity in given}
        found = named_chunks(of_given, lambda node: to_chunk(node, texts[_family(node)], encoder))
        for node, chunk in zip(of_given, found, strict=True):
            chunks[_family(node)].append(chunk)
        stored = [_stored(document, chunks[document.node_id]) for document in given.values()]
        return cls(stored, chunks, to_chunks(loose, encoder))

    def prepared(
        self, retriever: Retriever, model: str | None, *, overwrite: bool = False
    ) -> Sequence[tuple[Retriever, Sequence[Addable]]]:
        """What is to be added by which retriever over the collection; each document takes the place of all it had.

        With ``overwrite`` the collection is empty afterwards, if nothing is wrong with what is to be added.

        Raises:
            ConflictError: the id of a node is that of a passage of another document.
        """
        chunks = [*(chunk for chunks in self.chunks.values() for chunk in chunks), *self.loose]
        check_owners(None if overwrite else retriever, chunks)
        if overwrite:
            retriever.collection.clear()
        splitting = Retriever(retriever.collection, model, _Prepared(self.chunks))
        return [(by, items) for by, items in ((splitting, self.documents), (retriever, self.loose)) if items]


class _Prepared:
    """A chunker whose chunks are made already."""

    def __init__(self, chunks: Mapping[str, Sequence[Chunk]]) -> None:
        self._chunks = chunks

    def options(self) -> dict[str, Any]:
        return {}

    def __call__(self, document: Document) -> Iterator[Chunk]:
        yield from self._chunks[document.id]


def _family(node: BaseNode) -> str:
    return node.ref_doc_id or node.node_id


def _stored(document: BaseNode, chunks: Sequence[Chunk]) -> Document:
    whole = to_chunk(document)
    extra = {**(whole.extra or {}), HASH: document.hash, _NODES: digest(*map(repr, chunks))}
    return Document(document.node_id, whole.text, whole.metadata, whole.media, extra)


def stored_hashes(collection: Collection, ids: Sequence[str]) -> dict[str, str | None]:
    """LlamaIndex's hash of each document that is there; None where no LlamaIndex wrote it."""
    return {document.id: (document.extra or {}).get(HASH) for document in collection.get_documents(ids)}


def without_objects(nodes: Iterable[BaseNode], objects: dict[str, Any]) -> list[BaseNode]:
    """The nodes; index nodes whose objects cannot be written down as copies without, and these go into ``objects``."""
    return [_without_object(node, objects) if isinstance(node, IndexNode) else node for node in nodes]


def _without_object(node: IndexNode, objects: dict[str, Any]) -> IndexNode:
    try:
        node.dict()
    except ValueError:
        objects[node.index_id] = node.obj
        node = node.model_copy(update={"obj": None})
    return node


def each_once(documents: Sequence[LlamaIndexDocument]) -> list[LlamaIndexDocument]:
    """The documents, each id once.

    Raises:
        InputError: two with the same id and different content, of which one would be lost.
    """
    met: dict[str, tuple[int, LlamaIndexDocument]] = {}
    for place, document in enumerate(listed_documents(documents)):
        before, first = met.setdefault(document.node_id, (place, document))
        if first.hash != document.hash:
            raise InputError(
                f"documents[{before}] and documents[{place}] have the same id, {document.node_id!r}, and different "
                "content; give each an id of its own, such as the file and the page"
            )
    return [document for _, document in met.values()]


def listed_documents(documents: Sequence[LlamaIndexDocument]) -> list[LlamaIndexDocument]:
    """The documents as a list; raises InputError as :func:`check_nodes`."""
    return cast("list[LlamaIndexDocument]", check_nodes(documents, "documents"))
