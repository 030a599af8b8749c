"""What of the documents that a store is given is to be written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import TYPE_CHECKING

from haystack.document_stores.types import DuplicatePolicy

from haystack_integrations.document_stores.late_rag.documents import to_document
from haystack_integrations.document_stores.late_rag.errors import DuplicateError
from haystack_integrations.document_stores.late_rag.inputs import document_name
from late_rag.adapters import ConflictError, InputError, check_owners

if TYPE_CHECKING:
    from haystack import Document

    from late_rag import Document as CoreDocument
    from late_rag import Retriever
    from late_rag.adapters import OnConflict

ON_CONFLICT: Mapping[DuplicatePolicy, OnConflict] = {
    DuplicatePolicy.NONE: "fail",
    DuplicatePolicy.FAIL: "fail",
    DuplicatePolicy.SKIP: "skip",
    DuplicatePolicy.OVERWRITE: "replace",
}


def converted(
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


def to_write(retriever: Retriever, items: Sequence[CoreDocument], policy: DuplicatePolicy) -> list[CoreDocument]:
    """The documents that are new, or replace what is there, each id once.

    Raises:
        InputError: an unknown policy.
        DuplicateError: an id is there, or comes twice, unless the policy is to skip or overwrite.
        ConflictError: the id of a passage of a larger document or file would be overwritten.
    """
    if policy not in ON_CONFLICT:
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
    for identity, count in Counter(item.id for item in items).items():
        if identity in there or count > 1:
            what = "is there already" if identity in there else f"comes {count} times"
            raise DuplicateError(f"the document {identity!r} {what}; nothing was written")


@contextmanager
def naming_duplicates(policy: DuplicatePolicy) -> Iterator[None]:
    """Names a conflict of ids as Haystack does, also one that another writer causes in between."""
    try:
        yield
    except ConflictError as error:
        if policy is DuplicatePolicy.OVERWRITE:
            raise
        raise DuplicateError(str(error)) from error
