"""What components are given in lists: documents, texts, and what stands beside each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_core.documents import Document as LangChainDocument

from langchain_late_rag.blocks import media_of, unread_kept
from langchain_late_rag.documents import to_document
from late_rag import Chunk, Document, Media
from late_rag.adapters import ConflictError, InputError, check_owners, check_text, digest, listed, to_compare

if TYPE_CHECKING:
    from late_rag import Retriever
    from late_rag.adapters import Encoder

T = TypeVar("T")


def check_documents(documents: Any) -> list[LangChainDocument]:
    """The documents as a list.

    Raises:
        InputError: no list of LangChain documents.
    """
    return listed(documents, LangChainDocument, "documents", "LangChain documents")


def to_documents(documents: Any, ids: Iterable[str | None] | None = None) -> list[Document | Chunk]:
    """What the core stores of each document; ``ids`` stand in place of the documents' own.

    Raises:
        InputError: no list of documents, not as many ids, one that cannot be stored, named by its place and id, or two
            with one id and different content.
    """
    given = check_documents(documents)
    identities = one_for_each(ids, str, "ids", len(given), "documents")
    items = [_named(to_document, n, item, id) for n, (item, id) in enumerate(zip(given, identities, strict=True))]  # noqa: A001
    met: dict[str, int] = {}
    for place, item in enumerate(items):
        first = met.setdefault(item.id, place)
        if first != place and repr(items[first]) != repr(item):
            raise InputError(
                f"documents[{first}] and documents[{place}] have the same id, {item.id!r}, and different content, and "
                "the first would be lost; give each an id of its own"
            )
    return items


def text_documents(
    texts: Any, metadatas: Iterable[dict[str, Any] | None] | None = None, ids: Iterable[str | None] | None = None
) -> list[LangChainDocument]:
    """Texts as documents, with their metadata and ids where they have any.

    Raises:
        InputError: no list of texts, or not as many metadatas or ids.
    """
    given = listed(texts, str, "texts", "texts")
    for place, text in enumerate(given):
        check_text(text, f"texts[{place}]")
    known = one_for_each(metadatas, dict, "metadatas", len(given), "texts")
    named = one_for_each(ids, str, "ids", len(given), "texts")
    return [
        LangChainDocument(id=identity, page_content=text, metadata=metadata or {})
        for text, metadata, identity in zip(given, known, named, strict=True)
    ]


def one_for_each(values: Iterable[T | None] | None, kind: type[T], name: str, count: int, of: str) -> list[T | None]:
    """As many values as there are items, None where one has none.

    Raises:
        InputError: a text or one value alone, another number of them, or something else in it.
    """
    if values is None:
        return [None] * count
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        raise InputError(f"{name} takes a list with one for each of the {of}, not {values!r}")
    found = list(values)
    if len(found) != count:
        raise InputError(f"there must be as many {name} as {of}: got {len(found)} {name} and {count} {of}")
    for place, value in enumerate(found):
        if value is not None and not isinstance(value, kind):
            raise InputError(f"{name}[{place}] is {value!r}; it takes a {kind.__name__} or None")
    return found


def _named(convert: Callable[..., T], place: int, document: LangChainDocument, identity: str | None = None) -> T:
    """What is made of one of several documents.

    Raises:
        InputError: names the document by its place, and by its id where it has one.
    """
    try:
        return convert(document, identity)
    except InputError as error:
        known = identity or document.id
        raise InputError(f"documents[{place}]{f' (id {known!r})' if known else ''}: {error}") from error


def check_page(place: int, document: LangChainDocument) -> None:
    """Raises InputError for a text that cannot be encoded, with the document's place and id."""
    _named(lambda item, _: check_text(item.page_content, "page_content"), place, document)


def candidates(documents: Iterable[LangChainDocument], encoder: Callable[[], Encoder]) -> Iterator[Chunk]:
    """What a reranker scores of each document; a picture alone that the model does not read is nothing, and logged.

    Raises:
        InputError: a text that cannot be encoded, or none and a content block that cannot be read; names the document
            by its place and id.
    """
    for place, document in enumerate(documents):
        check_page(place, document)
        identity = document.id or digest(document.page_content)
        media = _named(lambda item, _: _foreign_media(item), place, document)
        source = document.metadata.get("source")
        metadata = {"source": source} if isinstance(source, str) else {}  # by which a message may name it
        yield to_compare(Chunk(identity, identity, document.page_content, metadata=metadata, media=media), encoder)


def _foreign_media(document: LangChainDocument) -> tuple[Media, ...]:
    """The media of a document from elsewhere, which is only looked at: where it has text, broken blocks are none."""
    try:
        return media_of(document.metadata)
    except InputError:
        if document.page_content.strip():
            return ()
        raise


def prepared(retriever: Retriever, items: Sequence[Document | Chunk]) -> list[Document | Chunk]:
    """What the retriever adds of the items; pictures alone that its model does not read are only kept.

    Raises:
        ConflictError: one would change a part of what is stored as a whole document or file; names the passage, and
            what it is a part of.
    """
    _check_conflicts(retriever, items)
    return [unread_kept(item, lambda: retriever.encoder) for item in items]


def _check_conflicts(retriever: Retriever, items: Sequence[Document | Chunk]) -> None:
    check_owners(retriever, items)
    passages = {item.document_id: item.id for item in items if isinstance(item, Chunk)}
    for whole in retriever.collection.get_documents(list(passages)):
        raise ConflictError(
            f"{passages[whole.id]!r} is a passage of {whole.id!r}, which is stored as a whole document or file; change "
            "that, or delete it before its passages are added"
        )
