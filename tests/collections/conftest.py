"""A local collection with a few chunks, and ways to damage its files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from late_rag.collections.local import LocalCollection
from late_rag.protocols import CollectionSettings
from late_rag.testing.collection_base import DIM, chunk, fill, source
from late_rag.testing.collection_base import rows as embeddings
from late_rag.types import Document


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[LocalCollection]:
    collection = LocalCollection.create(
        tmp_path / "c.rag", CollectionSettings(model="test", model_id="test-1", dim=DIM)
    )
    fill(collection, 30)
    yield collection
    collection.close()


@pytest.fixture
def location(collection: LocalCollection) -> Path:
    """A closed collection with all that one can hold: documents, a file, what is staged, every type of metadata."""
    collection.clear()
    chunks = [chunk(f"m{n}", tenant="a" if n % 2 else "b", number=n, flag=True, day="2020-01-31") for n in range(12)]
    collection.add(chunks, embeddings(12, seed=1), [Document("doc-m0", "its text", {"a": 1})])
    collection.add([chunks[0]], embeddings(1))
    collection.replace(
        source("file.txt"), [Document("f", "all of it")], [chunk("f0", document="f")], embeddings(1, seed=2)
    )
    collection.stage(source("large.txt"), [chunk("s0")], embeddings(1, seed=3))
    collection.close()
    return Path(collection.location)


@pytest.fixture
def damage() -> Callable[[Path, str], None]:
    """Damages a file in one of several ways."""
    return _damage


def _damage(path: Path, kind: str) -> None:
    content = path.read_bytes()
    if kind == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif kind == "overwritten":
        path.write_bytes(b"not a database, a text file\n" * 1000)
    elif kind == "holes":
        path.write_bytes(content[:4096] + os.urandom(len(content) - 4096))
    else:
        path.write_bytes(b"")
