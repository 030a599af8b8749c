"""The seams of the library: what a chunker, encoder, pooling, index and collection promise each other.

:mod:`late_rag.testing` has a contract suite for Encoder, Index and Collection: whoever writes a new one subclasses
the suite and is done when it passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, runtime_checkable

from late_rag.collection_protocols import Collection, FieldQueries, SourceLedger
from late_rag.collection_types import Capabilities, CollectionInfo, CollectionSettings, RepairReport, VerifyReport
from late_rag.types import Chunk, Document, Region, TextSpan

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from tokenizers import Tokenizer

    from late_rag.types import TokenEmbeddings

__all__ = [
    "Capabilities",
    "Chunker",
    "Collection",
    "CollectionInfo",
    "CollectionSettings",
    "Encoder",
    "FieldQueries",
    "Index",
    "RepairReport",
    "SourceLedger",
    "TokenPooling",
    "VerifyReport",
]


class Chunker(Protocol):
    """Splits documents into chunks that an encoder takes whole."""

    def __call__(self, document: Document) -> Iterator[Chunk]:
        """The document's chunks in order; ids are the document's id and the ordinal."""

    def options(self) -> dict[str, Any]:
        """What it was made with, as JSON: recorded in the collection, enough to make it again."""


@runtime_checkable
class Encoder(Protocol):
    """Texts to token embeddings. Thread-safe; an embedding never depends on its batch."""

    @property
    def model(self) -> str:
        """What :func:`late_rag.encoders.load_encoder` was given."""

    @property
    def model_id(self) -> str:
        """What must match between a collection and a query: checkpoint, head, prefixes, lengths, skip list."""

    @property
    def variant(self) -> str:
        """How it is computed: backend, precision, device. Keys caches; need not match."""

    @property
    def dim(self) -> int: ...

    @property
    def query_length(self) -> int:
        """Tokens of a query, markers included; a longer one is cut, with a warning."""

    @property
    def document_length(self) -> int:
        """Tokens of one pass over a document, markers included; a longer one is encoded in windows."""

    @property
    def document_capacity(self) -> int:
        """Tokens of text that fit into one pass: the document length less markers and prefix."""

    @property
    def tokenizer(self) -> Tokenizer | Callable[[str], int]:
        """The tokenizer, without truncation and padding, or a function that counts a text's tokens."""

    @property
    def modalities(self) -> frozenset[str]:
        """What it reads: "text", "image", …"""

    @property
    def contextual(self) -> bool:
        """Whether the embedding of a chunk depends on the text and media of its document, where that is given.

        Otherwise it depends on the chunk's content alone, and is used again wherever that content comes again.
        """

    def encode_queries(self, queries: Sequence[str]) -> list[TokenEmbeddings]:
        """One ``(tokens, dim) float32`` array for each query, rows of unit norm.

        Raises:
            InputError: a query that is empty, only white space, or not a text.
        """

    def encode_documents(
        self, chunks: Iterable[Chunk], documents: Mapping[str, Document] | None = None
    ) -> Iterator[TokenEmbeddings]:
        """One ``(tokens, dim) float32`` array for each chunk, in input order, while the input is still being read.

        Holds a window of chunks bounded in tokens and bytes. A chunk longer than the document length is encoded in
        overlapping windows whose rows are concatenated. One without text and media has no rows. ``documents``, by
        id, is for contextual encoders: it has the documents of chunks that are on their way.
        """

    def token_regions(self, chunk: Chunk) -> list[Region]:
        """For each row of the chunk's unpooled encoding the span of ``chunk.text`` (or image) it stands for."""

    def query_regions(self, query: str) -> list[TextSpan | None]:
        """For each row of the query's encoding the span of the query it stands for; None for markers."""

    def close(self) -> None: ...


class TokenPooling(Protocol):
    """Fewer rows for a chunk."""

    def __call__(self, embeddings: TokenEmbeddings) -> TokenEmbeddings:
        """``(tokens, dim) float32`` to ``(fewer, dim) float32``; rows need no unit norm."""

    def options(self) -> dict[str, Any]:
        """Name and parameters, as JSON: recorded in the collection."""


Rows: TypeAlias = "Iterable[tuple[int, TokenEmbeddings]]"
"""Row numbers, ascending, with ``(tokens, dim) float32`` of each; read once, from a stream."""

Done: TypeAlias = Callable[[int], object]
"""Told how many rows are in so far; whatever it raises stops the building."""


def silent(_: int) -> None:
    """Is told and does nothing."""


class Index(Protocol):
    """Finds candidates. Knows row numbers and embeddings: no ids, text, filters or deletes.

    Row numbers are positive, given in ascending order and never used twice. What it holds are files in one folder,
    which it writes once and never changes: whoever opened them goes on searching while others are made. Whether files
    are what was written is checked before ``open``, by whoever keeps them: an index does not check its own.

    ``options`` is the frozen dataclass that its table row names (:mod:`late_rag.specs`), None without; ``device`` is
    where to compute: "cpu", "cuda".
    """

    kind: ClassVar[str]
    slow_build: ClassVar[bool]
    """Whether building is so slow that writes leave it to ``optimize`` and the end of a bulk load, up to a bound."""
    upper_bounds: ClassVar[bool]
    """Whether approximate scores are never below the exact ones, so that asking for more ends in the exact result."""
    recall: ClassVar[float]
    """The mean share of the exact ten best that it promises among 100 candidates; 1 with upper bounds."""

    @classmethod
    def create(
        cls, folder: Path, rows: Rows, dim: int, options: Any = None, device: str = "cpu", progress: Done = silent
    ) -> Index:
        """Writes an index of these rows into an empty folder, below which it may have any files; opened.

        Raises:
            InputError: rows that do not ascend.
        """

    @classmethod
    def open(cls, folder: Path, options: Any = None, device: str = "cpu") -> Index:
        """What ``create`` or ``add`` wrote; whatever it raises is taken for damage."""

    def add(self, folder: Path, rows: Rows, progress: Done = silent) -> Index:
        """Writes what is in and rows above all that are in, into another empty folder; opened.

        What it gives may have an attribute ``worn``: whether an index that is created of all rows would be better by
        so much that it is to be made in its place.

        Raises:
            InputError: rows that do not ascend.
        """

    def close(self) -> None:
        """Lets go of its files. No search follows, except of those that run."""

    def __len__(self) -> int:
        """How many rows are in."""

    def search(
        self, queries: Sequence[TokenEmbeddings], n: int, within: npt.NDArray[np.int64] | None = None
    ) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """For each query up to ``n`` candidates, best first: row numbers and approximate scores.

        ``within`` restricts to these sorted row numbers; empty means no candidates, never all. Rows without
        embeddings are never candidates.
        """
