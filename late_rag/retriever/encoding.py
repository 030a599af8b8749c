"""One stream of chunks through the encoder, however many files and documents they come from.

Chunks that are written together form a :class:`Batch`. The encoder reads chunks of the next batches while it is
still busy with those of the last, so its workers never wait at the border of a file, and a batch is written, on the
calling thread, while they encode the ones behind it.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from late_rag.types import Chunk, Document

if TYPE_CHECKING:
    from late_rag.retriever.progress import Meter
    from late_rag.retriever.stages import Stages
    from late_rag.road import Passage
    from late_rag.types import TokenEmbeddings


@dataclass(slots=True, eq=False)
class _Slot:
    chunk: Chunk
    embeddings: TokenEmbeddings | None


class Batch:
    """Documents and chunks that become visible together.

    Chunks go in with their embeddings or without; those come later, in the same order. Once the batch is closed and
    every chunk has its embeddings, it is written.
    """

    def __init__(self, write: Callable[[Batch], None], name: str | None = None) -> None:
        self.name = name
        self.documents: list[Document] = []
        self._by_id: dict[str, Document] = {}
        self._write = write
        self._closed = False
        self._slots: deque[_Slot] = deque()
        self._missing: deque[_Slot] = deque()

    def take(self, document: Document) -> None:
        """Takes a document, before its chunks."""
        self.documents.append(document)
        self._by_id[document.id] = document

    def document_of(self, chunk: Chunk) -> Document | None:
        """The chunk's document, if it is of this batch."""
        return self._by_id.get(chunk.document_id)

    def put(self, chunk: Chunk, embeddings: TokenEmbeddings | None) -> None:
        """Takes the next chunk, with its embeddings where they are known already."""
        slot = _Slot(chunk, embeddings)
        self._slots.append(slot)
        if embeddings is None:
            self._missing.append(slot)

    def fill(self, embeddings: TokenEmbeddings) -> None:
        """Gives the first chunk that has none its embeddings."""
        self._missing.popleft().embeddings = embeddings
        self._write_if_complete()

    def close(self) -> None:
        """No chunk will follow."""
        self._closed = True
        self._write_if_complete()

    def take_ready(self) -> tuple[list[Chunk], list[TokenEmbeddings]]:
        """Removes the chunks from the front that have their embeddings."""
        chunks, found = list[Chunk](), list["TokenEmbeddings"]()
        while self._slots and (embeddings := self._slots[0].embeddings) is not None:
            chunks.append(self._slots.popleft().chunk)
            found.append(embeddings)
        return chunks, found

    def _write_if_complete(self) -> None:
        if self._closed and not self._missing:
            self._write(self)


def encode(stages: Stages, wanted: Iterator[tuple[Batch, Chunk]], meter: Meter) -> None:
    """Encodes all wanted chunks in one stream and fills the batches they belong to.

    Args:
        stages: what encodes; asked for the encoder only if there is anything to encode.
        wanted: chunks without embeddings, each after it was put into its batch; read ahead by the encoder.
        meter: counts.
    """
    first = next(wanted, None)
    if first is None:
        return
    waiting: deque[Batch] = deque()

    def passages() -> Iterator[Passage]:
        for batch, chunk in itertools.chain([first], wanted):
            waiting.append(batch)
            meter.wanted()
            yield chunk, batch.document_of(chunk)

    with closing(stages.encode(passages())) as stream:
        for _, embeddings in stream:
            batch = waiting.popleft()
            batch.fill(embeddings)
            meter.done(batch.name)
    meter.finish()
