"""What the parts of the collection contract share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from late_rag.protocols import Collection, CollectionSettings
from late_rag.testing.data import random_embeddings
from late_rag.types import Chunk, Document, Source, TokenEmbeddings

DIM = 32


class CollectionContractBase:
    """How collections are made for the contract."""

    settings = CollectionSettings(model="test", model_id="test-1", dim=DIM)

    def create(self, settings: CollectionSettings) -> Collection:
        """An empty collection for one test."""
        raise NotImplementedError("subclasses make the collection")

    def reopen(self, collection: Collection) -> Collection:
        """The same collection opened a second time."""
        raise NotImplementedError("subclasses open the collection")

    @pytest.fixture
    def collection(self) -> Iterator[Collection]:
        collection = self.create(self.settings)
        yield collection
        collection.close()


def chunk(identity: str, text: str | None = None, document: str = "", **metadata: Any) -> Chunk:
    """A chunk of a document of its own, or of the one named."""
    return Chunk(identity, document or f"doc-{identity}", text or f"text of {identity}", metadata=metadata)


def rows(count: int, seed: int = 0, **options: Any) -> list[TokenEmbeddings]:
    """Embeddings for so many chunks."""
    return random_embeddings(count, DIM, seed=seed, **options)


def source(path: str, state: str = "1", root: str = "/root") -> Source:
    """A source in some state."""
    return Source(root, path, f"hash-{state}", 10, 1.5)


def fill(
    collection: Collection, count: int, seed: int = 0, **metadata: Any
) -> tuple[list[Chunk], list[TokenEmbeddings]]:
    """So many chunks with embeddings, added."""
    chunks = [chunk(f"c{number}", **metadata) for number in range(count)]
    embeddings = rows(count, seed)
    collection.add(chunks, embeddings)
    return chunks, embeddings


def everything(collection: Collection) -> list[Chunk]:
    """All chunks, in the order written."""
    return [chunk for batch in collection.iterate(batch_size=7) for chunk, _ in batch]


def identities(chunks: Sequence[Chunk]) -> list[str]:
    return [chunk.id for chunk in chunks]


def document(identity: str, text: str = "") -> Document:
    return Document(identity, text or f"the text of {identity}", {"title": identity})
