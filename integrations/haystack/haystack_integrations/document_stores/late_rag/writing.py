"""The half of the document store that takes documents in and out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from haystack.document_stores.types import DuplicatePolicy

from haystack_integrations.document_stores.late_rag.documents import to_document
from haystack_integrations.document_stores.late_rag.errors import DuplicateError
from haystack_integrations.document_stores.late_rag.inputs import check_documents, check_names, document_name
from haystack_integrations.document_stores.late_rag.metadata import MetadataQueries
from late_rag import Selection
from late_rag.adapters import ConflictError, InputError, check_owners, item_name, progress_bar, to_writer

if TYPE_CHECKING:
    from haystack import Document

    from late_rag import Document as CoreDocument
    from late_rag import Retriever
    from late_rag.adapters import OnConflict, Report

_ON_CONFLICT: Mapping[DuplicatePolicy, OnConflict] = {
    DuplicatePolicy.NONE: "fail",
    DuplicatePolicy.FAIL: "fail",
    DuplicatePolicy.SKIP: "skip",
    DuplicatePolicy.OVERWRITE: "replace",
}


class WritableStore(MetadataQueries):
    """A store without searches; see :class:`LateInteractionDocumentStore`."""

    _embedded: tuple[list[str], str]
    _progress_bar: bool

    def write_documents(self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE) -> int:
        """Encodes and stores documents; how many were written.

        What is there with equal content and metadata is not encoded again. What has no text, and no picture that the
        model reads, is stored and logged: filters find it, and no search does.

        Args:
            documents: stay as they are; their scores are not stored.
            policy: what happens to ids that are there already, or come twice: OVERWRITE has the last one, SKIP the
                first, FAIL and NONE write all documents or nothing.

        Raises:
            DuplicateError: with FAIL and NONE, an id that is there already, or twice; it is a Haystack
                DuplicateDocumentError.
            InputError: what is no document, or metadata that cannot be stored.
            ConflictError: with OVERWRITE, an id that is that of a passage of a larger document or file.
        """
        documents = check_documents(documents)
        items = self._new(documents, policy)
        with _naming_duplicates(policy), self._bar() as progress:
            result = self._writer().add(items, on_conflict=_ON_CONFLICT[policy], progress=progress)
        return result.added if policy is DuplicatePolicy.SKIP else len(documents)

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        """Async twin; cancelled, it stops at the next step and keeps what was committed."""
        documents = check_documents(documents)
        items = await to_writer(self._new, documents, policy)
        writer = await to_writer(self._writer)
        with _naming_duplicates(policy), self._bar() as progress:
            result = await writer.aadd(items, on_conflict=_ON_CONFLICT[policy], progress=progress)
        return result.added if policy is DuplicatePolicy.SKIP else len(documents)

    def delete_documents(self, document_ids: list[str]) -> None:
        """Removes the documents with these ids; ids that do not exist are no error.

        Raises:
            InputError: no list of ids.
        """
        if document_ids is None:
            raise InputError("document_ids takes a list of ids, not None; delete_all_documents removes everything")
        self._writable().delete(Selection(ids=tuple(check_names(document_ids, "document_ids"))))

    def delete_all_documents(self, recreate_index: bool = False) -> None:
        """Removes every document, and with ``recreate_index`` gives the room back that they had on disk."""
        collection = self._writable().collection
        collection.clear()
        if recreate_index:
            collection.optimize()

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        await to_writer(self.delete_documents, document_ids)

    async def delete_all_documents_async(self, recreate_index: bool = False) -> None:
        await to_writer(self.delete_all_documents, recreate_index)

    def _writer(self) -> Retriever:
        """Metadata that the collection itself embeds are the shared retriever's business."""
        return self._embedding() if self._embedded[0] else self._writable()

    def _bar(self) -> AbstractContextManager[Report | None]:
        return progress_bar("Encoding documents", wanted=self._progress_bar)

    def _new(self, documents: Sequence[Document], policy: DuplicatePolicy) -> list[CoreDocument]:
        retriever = self._writable()
        return _to_write(retriever, _converted(retriever, documents, *self._embedded), policy)


def _converted(
    retriever: Retriever, documents: Sequence[Document], meta_fields_to_embed: Sequence[str], separator: str
) -> list[CoreDocument]:
    """What the core stores of the documents; a picture that the model does not read is only kept.

    Raises:
        InputError: a document that cannot be stored, named by its place, id and file.
    """
    return [
        to_document(
            document,
            meta_fields_to_embed,
            separator,
            encoder=lambda: retriever.encoder,
            name=document_name(document, place),
        )
        for place, document in enumerate(documents)
    ]


def _to_write(retriever: Retriever, items: Sequence[CoreDocument], policy: DuplicatePolicy) -> list[CoreDocument]:
    """The documents that are new, or replace what is there, each id once.

    Raises:
        InputError: an unknown policy.
        DuplicateError: an id is there, or comes twice, unless the policy is to skip or overwrite.
        ConflictError: the id of a passage of a larger document or file would be overwritten.
    """
    if policy not in _ON_CONFLICT:
        raise InputError(f"policy takes a DuplicatePolicy, not {policy!r}")
    if policy is DuplicatePolicy.OVERWRITE:
        check_owners(retriever, items)
        return list({item.id: item for item in items}.values())
    there = {chunk.id for chunk in retriever.collection.get([item.id for item in items])}
    if policy is DuplicatePolicy.SKIP:
        first = {item.id: item for item in reversed(items) if item.id not in there}
        return list(reversed(first.values()))
    _check_new(items, there)
    return list(items)


def _check_new(items: Sequence[CoreDocument], there: Set[str]) -> None:
    met: dict[str, str] = {}
    for place, item in enumerate(items):
        name = item_name("documents", place, item.id, item.metadata)
        if item.id in there:
            raise DuplicateError(f"{name} is there already; nothing was written")
        if (before := met.setdefault(item.id, name)) != name:
            raise DuplicateError(f"{before} comes again as {name}; nothing was written")


@contextmanager
def _naming_duplicates(policy: DuplicatePolicy) -> Iterator[None]:
    """Names a conflict of ids as Haystack does, also one that another writer causes in between."""
    try:
        yield
    except ConflictError as error:
        if policy is DuplicatePolicy.OVERWRITE:
            raise
        raise DuplicateError(str(error)) from error
