"""The seams of the library: what a chunker, encoder, pooling, index and collection promise each other.

:mod:`late_rag.testing` has a contract suite for Encoder, Index and Collection: whoever writes a new one subclasses
the suite and is done when it passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

from late_rag.collection_types import Capabilities, CollectionInfo, CollectionSettings, RepairReport, VerifyReport
from late_rag.filters.selection import Selection
from late_rag.types import AddResult, Chunk, Document, Hit, Metadata, OnConflict, Region, Source, TextSpan

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from tokenizers import Tokenizer

    from late_rag.types import FieldValue, Report, TokenEmbeddings

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


class SourceLedger(Protocol):
    """What a collection knows of the files that its chunks came from: all that ``sync`` needs."""

    def replace(
        self,
        source: Source,
        documents: Iterable[Document],
        chunks: Sequence[Chunk],
        embeddings: Sequence[TokenEmbeddings],
    ) -> AddResult:
        """One commit: all of that source out, these in, and what was staged for the same state of it before them."""

    def stage(self, source: Source, chunks: Sequence[Chunk], embeddings: Sequence[TokenEmbeddings]) -> None:
        """Keeps encoded chunks of a source that is not complete, where no search sees them.

        Raises:
            UnsupportedError: the engine's ``capabilities`` have no ``staging``; so does ``staged``.
        """

    def staged(self, source: Source) -> dict[str, str]:
        """Ids and content hashes of the chunks staged for this state of the source; other states are dropped."""

    def put_records(
        self,
        source: Source,
        documents: Sequence[Document],
        chunks: Sequence[Chunk],
        embeddings: Sequence[TokenEmbeddings],
    ) -> AddResult:
        """One commit: some records of a source in, each replacing the chunks of its document; the rest stay."""

    def finish_records(self, source: Source, document_ids: Iterable[str]) -> int:
        """One commit: records of the source other than these out, and the source's state written; how many went."""

    def sources(self, root: str | None = None, below: str | None = None) -> list[Source]:
        """Sources in order of root and path; of one root; at or below a path of it."""

    def delete_source(self, source: Source) -> int:
        """Removes a source with its documents and chunks; how many chunks went."""


class FieldQueries(Protocol):
    """What the metadata of a collection's chunks hold, as a user interface asks."""

    def fields(self) -> dict[str, frozenset[str]]:
        """Metadata fields and the kinds of values they have."""

    def field_values(
        self,
        name: str,
        selection: Selection | None = None,
        *,
        search: str | None = None,
        order: Literal["value", "count"] = "value",
        offset: int = 0,
        limit: int | None = None,
    ) -> tuple[list[FieldValue], int]:
        """A page of a field's distinct values, and how many there are on all pages; see :class:`FieldValue`.

        Args:
            name: As filters have it: keys joined by dots, or a built-in field. One that no chunk has is no error.
            selection: Of which chunks; of all without.
            search: Only values whose text (as in JSON; of times ISO 8601) contains this, case ignored.
            order: "value", or "count": first what most chunks have.
            offset: How many values come before the page.
            limit: How many are on it at most; 0 where only their number is wanted.

        Raises:
            InputError: an argument that is none of these.
        """

    def field_range(self, name: str, selection: Selection | None = None) -> tuple[Any, Any] | None:
        """A field's least and greatest value as stored; None where no value has an order.

        Kinds do not compare, so it is the range of the numbers (not of bools or NaN) if there are any; else of the
        texts by code point, if one of them is no time; else of the times, texts or not: as instants where all have an
        offset, else as the clock on the wall showed them. Of equal values it is one that was written first.

        Raises:
            InputError: the name is none, or an unknown built-in field.
        """

    def count_distinct(self, fields: Sequence[str], selection: Selection | None = None) -> dict[str, int]:
        """For each field how many distinct values there are; ``InputError`` as for ``field_range``."""


class Collection(SourceLedger, FieldQueries, Protocol):
    """Stores chunks with their embeddings and finds them again. Never sees an encoder and never encodes.

    Each method has an async twin, its name with an ``a`` in front, which never blocks the event loop. An engine
    subclasses :class:`late_rag.collections.base.BaseCollection`, which has the twins and all checks of arguments.
    """

    @property
    def location(self) -> str:
        """What opens it again; of a URL without name, password and the values of its query."""

    @property
    def settings(self) -> CollectionSettings: ...
    @property
    def capabilities(self) -> Capabilities: ...
    @property
    def closed(self) -> bool: ...

    @property
    def temporary(self) -> bool:
        """Whether it lives in this process only, so that its location says nothing to another."""

    def info(self) -> CollectionInfo: ...
    def close(self) -> None: ...

    def add(
        self,
        chunks: Sequence[Chunk],
        embeddings: Sequence[TokenEmbeddings],
        documents: Sequence[Document] = (),
        on_conflict: OnConflict = "replace",
    ) -> AddResult:
        """Writes chunks in one commit. A document that is listed replaces all its chunks; "fail" is all or nothing.

        A chunk belongs to the source of its document, also when it takes the place of another of its id.

        Raises:
            ConflictError: ``on_conflict="fail"`` and an id is there already, or twice with different content.
            InputError: embeddings of another dim or dtype, with NaN, or not one for each chunk; metadata that
                cannot be stored.
        """

    def delete(self, selection: Selection) -> int:
        """Removes the chunks meant, and documents that have none left; how many chunks went.

        Raises:
            InputError: a selection of everything (use ``clear``).
        """

    def arrange(self, ids: Sequence[str]) -> None:
        """Puts chunks, as they are, in this order behind all others, in one commit; ids that do not exist are left out.

        What is put in the place of another stands behind all others; so its neighbours can be put behind it.
        """

    def clear(self) -> None:
        """Removes every chunk, document and source."""

    def update_metadata(
        self, selection: Selection, changes: Metadata, mode: Literal["merge", "replace"] = "merge"
    ) -> int:
        """Changes metadata of the chunks meant, and of documents all of whose chunks are meant; how many chunks.

        Encodes nothing: ``Retriever.update_metadata`` also encodes anew the chunks that have a value in front.

        Raises:
            InputError: a value that cannot be stored, or an unknown mode.
        """

    def get(self, ids: Sequence[str]) -> list[Chunk]:
        """The chunks that exist, in the order of ``ids``."""

    def locations(self, ids: Sequence[str]) -> dict[str, str]:
        """By id of a chunk the location of the file that it came from; without chunks that came from none."""

    def get_documents(self, ids: Sequence[str]) -> list[Document]:
        """The documents that exist, in the order of ``ids``."""

    def embeddings(self, ids: Sequence[str]) -> dict[str, TokenEmbeddings]:
        """Stored rows as ``(tokens, dim) float32`` by chunk id, for the chunks that exist, in the order of ``ids``."""

    def document_hashes(self, ids: Sequence[str] | None = None) -> dict[str, str]:
        """Content hash by document id."""

    def iterate(
        self, selection: Selection | None = None, batch_size: int = 1000, with_embeddings: bool = False
    ) -> Iterator[list[tuple[Chunk, TokenEmbeddings | None]]]:
        """Batches of chunks in the order they were written, each id once, as of when the iteration began."""

    def iterate_documents(self, batch_size: int = 1000) -> Iterator[list[tuple[Document, Source | None]]]:
        """Batches of documents with the source each came from."""

    def count(self, selection: Selection | None = None) -> int: ...

    def search(
        self, queries: Sequence[TokenEmbeddings], top_k: int, selection: Selection | None = None
    ) -> list[list[Hit]]:
        """For each query the ``top_k`` chunks of the highest MaxSim, best first, ties by age."""

    def text_search(self, queries: Sequence[str], top_k: int, selection: Selection | None = None) -> list[list[Hit]]:
        """For each query the ``top_k`` chunks of the highest BM25 score, best first.

        Raises:
            UnsupportedError: the engine's ``capabilities`` have no ``text_search``.
        """

    def finish_load(self, progress: Report | None = None) -> None:
        """Says that a bulk load has ended, so that an index that is slow to build is built, if enough has come.

        Whatever goes wrong is logged: what was loaded is there. ``progress`` is told how much of the index is built,
        and stops that by raising :class:`~late_rag.errors.CancelledError`.
        """

    def optimize(self, progress: Report | None = None) -> None:
        """Brings indexes up to date and gives unused room back; ``progress`` is told how much of the index is built."""

    def verify(self) -> VerifyReport: ...

    def repair(self) -> RepairReport:
        """Makes what is derived anew: what filters and full text read, indexes, counters. Never removes a chunk."""
