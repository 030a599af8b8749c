"""A test collection encoded once: its chunks, and their rows in a temporary file, read as often as they are needed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from late_rag import road
from late_rag.chunkers import load_chunker
from late_rag.errors import InputError
from late_rag.types import Progress

if TYPE_CHECKING:
    import numpy.typing as npt

    from late_rag.evaluation.beir import BeirCollection
    from late_rag.protocols import Encoder
    from late_rag.types import Report, TokenEmbeddings


class EncodedCorpus:
    """``document_ids`` has one entry a chunk; chunk numbers count from 1, as an index has them."""

    def __init__(self, dim: int, document_ids: list[str], lengths: list[int], rows: npt.NDArray[np.float32]) -> None:
        self.dim = dim
        self.document_ids = document_ids
        self._ends = np.cumsum(np.array(lengths, np.int64))
        self._lengths = lengths
        self._rows = rows

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[tuple[int, TokenEmbeddings]]:
        """Chunk numbers and rows."""
        for number, (end, length) in enumerate(zip(self._ends.tolist(), self._lengths, strict=True), 1):
            yield number, np.array(self._rows[end - length : end])


@contextmanager
def encoded_corpus(encoder: Encoder, data: BeirCollection, titles: bool, report: Report) -> Iterator[EncodedCorpus]:
    """Chunks and encodes a test collection; what is in the file goes with the context.

    Raises:
        InputError: nothing of it can be encoded.
    """
    chunker = load_chunker(None, encoder)
    document_ids: list[str] = []
    lengths: list[int] = []
    done = 0
    with tempfile.TemporaryFile(prefix="late-rag-study-") as file:
        for chunk, rows in road.encode(road.split(data.documents(titles), chunker), encoder):
            new = not document_ids or document_ids[-1] != chunk.document_id
            done += new
            document_ids.append(chunk.document_id)
            lengths.append(len(rows))
            file.write(np.ascontiguousarray(rows, np.float32).tobytes())
            if new:
                report(Progress("encode", done, data.document_count, "documents"))
        file.flush()
        if not sum(lengths):
            raise InputError(f"{data.corpus}: there is nothing in its documents that can be encoded")
        mapped = np.memmap(file, np.float32, "r", shape=(sum(lengths), encoder.dim))
        yield EncodedCorpus(encoder.dim, document_ids, lengths, mapped)
