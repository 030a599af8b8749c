"""What every engine refuses of what it is given, and in what form it takes the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias

from late_rag import metadata as metadata_json
from late_rag.collections.kit import rows
from late_rag.errors import InputError
from late_rag.filters.operators import check_field
from late_rag.protocols import CollectionSettings
from late_rag.scoring.packing import PackedRows, check, pack
from late_rag.types import Chunk, Document, Metadata, Source, TokenEmbeddings

Packed: TypeAlias = tuple[Chunk, PackedRows]
"""A chunk, and its rows as they are stored."""

Order: TypeAlias = Literal["value", "count"]
"""How a field's values are listed."""

Change: TypeAlias = Callable[[Metadata], Metadata]
"""The metadata of a chunk or document, changed."""


def check_count(name: str, value: object) -> None:
    """Raises InputError for what is not a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{name} must be a whole number of at least 1, not {value!r}")


def check_on_conflict(value: object) -> None:
    """Raises InputError for another word than there are."""
    if value not in ("replace", "skip", "fail"):
        raise InputError(f"on_conflict must be 'replace', 'skip' or 'fail', not {value!r}")


def check_queries(queries: Sequence[TokenEmbeddings], settings: CollectionSettings, collection: str) -> None:
    """Raises InputError, naming the query, for embeddings that cannot be searched with."""
    for number, query in enumerate(queries):
        name = f'query {number}\'s embeddings (collection "{collection}", model {settings.model})'
        if not len(check(query, settings.dim, name)):
            raise InputError(f"{name} have no rows")


def packed(
    chunks: Sequence[Chunk], embeddings: Sequence[TokenEmbeddings], settings: CollectionSettings
) -> list[Packed]:
    """Chunks that can be stored, each with its rows as they are stored.

    Raises:
        InputError: names the chunk and what is wrong with it or its embeddings.
    """
    if len(chunks) != len(embeddings):
        raise InputError(f"{len(chunks)} chunks came with {len(embeddings)} embeddings; each needs its own")
    rows.check_chunks(chunks)
    pairs = zip(chunks, embeddings, strict=True)
    return [
        (chunk, pack(check(found, settings.dim, f"the embeddings of {chunk.id!r}"), settings.storage))
        for chunk, found in pairs
    ]


def checked_documents(documents: Iterable[Document]) -> list[Document]:
    """Documents that can be stored."""
    listed = list(documents)
    rows.check_documents(listed)
    return listed


def checked_source(source: Source) -> Source:
    """A source that can be stored."""
    for name in ("root", "path", "hash"):
        rows.check_text(getattr(source, name), f"a source's {name}")
    if not source.path:
        raise InputError("a source's path is empty")
    return source


def check_questions(queries: Sequence[str]) -> None:
    """Raises InputError for what has no word to search for in full text."""
    for query in queries:
        rows.check_text(query, "a query")
        if not query.strip():
            raise InputError("a query is empty; give at least one word")


def check_names(names: object) -> None:
    """Raises InputError for what is no sequence of names of fields."""
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise InputError(f"fields must be a sequence of names, not {names!r}")
    for name in names:
        check_field(name)


def check_page(search: object, order: object, offset: object, limit: object) -> None:
    """Raises InputError for what does not say which values are wanted."""
    if search is not None and not isinstance(search, str):
        raise InputError(f"search must be a text, not {search!r}")
    if order not in ("value", "count"):
        raise InputError(f"order must be 'value' or 'count', not {order!r}")
    for what, value in (("offset", offset), ("limit", 0 if limit is None else limit)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise InputError(f"{what} must be a whole number of at least 0, not {value!r}")


def metadata_change(changes: Metadata, mode: Literal["merge", "replace"]) -> Change:
    """What becomes of the metadata of a chunk or document.

    Raises:
        InputError: changes that cannot be stored, or an unknown mode.
    """
    if mode not in ("merge", "replace"):
        raise InputError(f"mode must be 'merge' or 'replace', not {mode!r}")
    metadata_json.check(changes)

    def change(metadata: Metadata) -> Metadata:
        return {**metadata, **changes} if mode == "merge" else dict(changes)

    return change
