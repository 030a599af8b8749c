"""What every engine refuses of what it is given, and in what form it takes the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from late_rag import metadata as metadata_json
from late_rag.chunkers.encoded import encoded_keys, possible_keys
from late_rag.collections.kit import rows
from late_rag.errors import InputError
from late_rag.protocols import CollectionSettings
from late_rag.scoring.packing import PackedRows, check, pack
from late_rag.types import Chunk, Document, Metadata, Source, TokenEmbeddings

Packed = tuple[Chunk, PackedRows]


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


def metadata_change(
    settings: CollectionSettings, changes: Metadata, mode: Literal["merge", "replace"]
) -> tuple[Callable[[Chunk], Metadata], Callable[[Metadata], Metadata]]:
    """What becomes of a chunk's metadata, and of a document's.

    Raises:
        InputError: changes that cannot be stored; also where the first is called with a chunk of which they would
            change what is encoded.
    """
    if mode not in ("merge", "replace"):
        raise InputError(f"mode must be 'merge' or 'replace', not {mode!r}")
    metadata_json.check(changes)
    possible = possible_keys(settings)

    def change(metadata: Metadata) -> Metadata:
        return {**metadata, **changes} if mode == "merge" else dict(changes)

    def change_chunk(chunk: Chunk) -> Metadata:
        before, after = chunk.metadata, change(chunk.metadata)
        differing = {key for key in possible if before.get(key) != after.get(key)}
        touched = sorted(differing & encoded_keys(chunk, settings)) if differing else ()
        if touched:
            raise InputError(
                f"metadata {touched[0]!r} is part of what is encoded of chunk {chunk.id!r} (embed_metadata, or the "
                "heading in front of it); Retriever.update_metadata changes it and encodes those chunks again"
            )
        return after

    return change_chunk, change
