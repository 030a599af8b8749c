"""What callers pass in, checked once, before a model is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, TypeAlias

from late_rag.errors import InputError
from late_rag.filters.selection import Selection
from late_rag.texts import check_encodable
from late_rag.types import Chunk, Document, Hit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from late_rag.filters import Filter

Addable: TypeAlias = Document | Chunk | str
"""What can be added: a document or a text is chunked, a chunk is taken as it is."""

_ON_CONFLICT = ("replace", "skip", "fail")


def check_text(value: object, name: str) -> str:
    """A text that can be encoded and stored; NUL characters become spaces.

    Raises:
        InputError: not a str, or with half of a surrogate pair; the message starts with ``name``.
    """
    if not isinstance(value, str):
        raise InputError(f"{name} must be a str, not {type(value).__name__}: {shown(value)}")
    check_encodable(value, name)
    return value.replace("\0", " ")


def check_query(query: object, name: str = "query") -> str:
    """A query with something in it.

    Raises:
        InputError: not a text, or nothing but white space.
    """
    text = check_text(query, name)
    if not text.strip():
        raise InputError(f"{name} is {shown(text)}: there is nothing to search for")
    return text


def check_queries(queries: object) -> list[str]:
    """The queries of a batch, each checked; a single text is refused, because its letters would be the queries."""
    if isinstance(queries, str) or not isinstance(queries, Iterable):
        raise InputError(
            f"queries must be a sequence of texts, not {shown(queries)}; for one query use the single form"
        )
    return [check_query(query, f"query {number}") for number, query in enumerate(queries)]


def check_top_k(top_k: object, name: str = "top_k") -> int:
    """How many results are wanted.

    Raises:
        InputError: not a whole number of at least 1; the message starts with ``name``.
    """
    if isinstance(top_k, bool) or not isinstance(top_k, Integral) or top_k < 1:
        raise InputError(f"{name} must be a whole number of at least 1, not {shown(top_k)}")
    return int(top_k)


def check_threshold(threshold: object, name: str = "threshold") -> float | None:
    """The least similarity of a result, or None.

    Raises:
        InputError: no number from 0 to 1; the message starts with ``name``.
    """
    if threshold is None:
        return None
    if isinstance(threshold, bool) or not isinstance(threshold, Real) or not 0 <= float(threshold) <= 1:
        raise InputError(f"{name} must be a similarity between 0 and 1, not {shown(threshold)}")
    return float(threshold)


def check_hit(hit: object) -> Chunk:
    """The chunk that is meant by a hit or a chunk.

    Raises:
        InputError: neither of them.
    """
    chunk = hit.chunk if isinstance(hit, Hit) else hit
    if not isinstance(chunk, Chunk):
        raise InputError(f"hit must be a Hit or a Chunk, not {type(hit).__name__}: {shown(hit)}")
    return chunk


def check_on_conflict(on_conflict: object) -> None:
    """Raises InputError for an unknown way to deal with ids that are there already."""
    if on_conflict not in _ON_CONFLICT:
        raise InputError(f"on_conflict must be one of {', '.join(_ON_CONFLICT)}, not {shown(on_conflict)}")


def combined(selection: Selection | None, filter: Filter | Mapping[str, Any] | str | None) -> Selection | None:  # noqa: A002
    """One selection of what both mean: ``filter`` is short for ``Selection(filter=…)``.

    Raises:
        FilterError: the filter cannot be read.
    """
    if selection is not None and not isinstance(selection, Selection):
        raise InputError(f"selection must be a Selection, not {shown(selection)}; a filter goes into filter=")
    if filter is None:
        return selection
    restriction = Selection(filter=filter)
    if selection is None:
        return restriction
    if selection.filter is None:
        return replace(selection, filter=restriction.filter)
    return replace(selection, filter=selection.filter & restriction.filter)  # type: ignore[operator]


def check_addable(item: object, number: int) -> Document | Chunk:
    """A document or chunk whose texts can be stored; a text becomes a document.

    Raises:
        InputError: names the document or chunk by its id, or by its place where it has none.
    """
    if isinstance(item, str):
        return Document(text=check_text(item, f"text {number}"))
    if not isinstance(item, Document | Chunk):
        raise InputError(f"item {number} must be a Document, a Chunk or a str, not {shown(item)}")
    check_text(item.id, f"the id of item {number}")
    return clean_document(item) if isinstance(item, Document) else clean_chunk(item)


def clean_document(document: Document) -> Document:
    """The document with a text that can be stored.

    Raises:
        InputError: the text is none, or metadata that cannot be stored; the message names the document by its id.
    """
    name = f"document {document.id!r}"
    text = check_text(document.text, name)
    _check_metadata(document, name)
    return document if text == document.text else replace(document, text=text)


def clean_chunk(chunk: Chunk) -> Chunk:
    """The chunk with texts that can be encoded and stored.

    Raises:
        InputError: a text or id is none, or metadata that cannot be stored; the message names the chunk by its id.
    """
    name = f"chunk {chunk.id!r}"
    if not chunk.id:
        raise InputError(f"{name} of document {chunk.document_id!r} needs an id")
    check_text(chunk.document_id, f"the document_id of {name}")
    _check_metadata(chunk, name if chunk.document_id == chunk.id else f"{name} of document {chunk.document_id!r}")
    text = check_text(chunk.text, name)
    embed_text = None if chunk.embed_text is None else check_text(chunk.embed_text, f"the embed_text of {name}")
    if text == chunk.text and embed_text == chunk.embed_text:
        return chunk
    return replace(chunk, text=text, embed_text=embed_text)


def _check_metadata(item: Document | Chunk, name: str) -> None:
    from late_rag.metadata import check

    for values in (item.metadata, item.extra or {}):
        try:
            check(values)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error


def check_addables(items: object) -> Iterable[Document | Chunk]:
    """What ``add`` was given: a sequence is checked in whole at once, a stream item by item as it is read.

    Raises:
        InputError: a single text or document, or an item that cannot be added.
    """
    if isinstance(items, str | Document | Chunk) or not isinstance(items, Iterable):
        raise InputError(f"add takes an iterable of documents, chunks or texts, not {shown(items)}; put it in a list")
    if isinstance(items, Sequence):
        return [check_addable(item, number) for number, item in enumerate(items)]
    return (check_addable(item, number) for number, item in enumerate(items))


def shown(value: object) -> str:
    """A value in an error message, cut to a readable length and safe to print."""
    text = ascii(value) if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
