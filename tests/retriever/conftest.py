"""What the tests of the retriever share: an encoder that counts, and retrievers around it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from late_rag import Retriever
from late_rag.testing import HashEncoder
from late_rag.types import Chunk, Document, TokenEmbeddings


class CountingEncoder(HashEncoder):
    """Remembers which texts it encoded, and on which threads."""

    def __init__(self, **options: int) -> None:
        super().__init__(**({"document_length": 33} | options))
        self.documents: list[str] = []
        self.queries: list[str] = []
        self.threads: set[str] = set()

    def encode_documents(
        self, chunks: Iterable[Chunk], documents: Mapping[str, Document] | None = None
    ) -> Iterator[TokenEmbeddings]:
        def counted() -> Iterator[Chunk]:
            for chunk in chunks:
                self.documents.append(chunk.encoded_text)
                self.threads.add(threading.current_thread().name)
                yield chunk

        return super().encode_documents(counted(), documents)

    def encode_queries(self, queries: Sequence[str]) -> list[TokenEmbeddings]:
        self.queries += queries
        self.threads.add(threading.current_thread().name)
        return super().encode_queries(queries)

    def forget(self) -> None:
        """Starts counting anew."""
        self.documents.clear()
        self.queries.clear()


@pytest.fixture
def encoder() -> CountingEncoder:
    return CountingEncoder()


@pytest.fixture
def retriever(tmp_path: Path, encoder: CountingEncoder) -> Iterator[Retriever]:
    """An empty collection whose model is already compared, so that what is counted afterwards is the test's."""
    with Retriever.create(tmp_path / "collection.rag", encoder) as made:
        made.add(["warm up"])
        made.collection.clear()
        encoder.forget()
        yield made


@pytest.fixture
def files(tmp_path: Path) -> Callable[[Mapping[str, str | None]], Path]:
    """Writes files below a folder, or removes those whose content is None, and gives the folder."""
    folder = tmp_path / "files"

    def write(contents: Mapping[str, str | None]) -> Path:
        for name, content in contents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_text(content, encoding="utf-8")
        return folder

    return write
