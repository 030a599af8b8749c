"""What a collection promises: ids, metadata, sources and durability; it never sees an encoder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from late_rag.collection_types import Capabilities, CollectionInfo, CollectionSettings, RepairReport, VerifyReport
from late_rag.filters.selection import Selection
from late_rag.types import AddResult, Chunk, Document, Hit, Metadata, OnConflict, Report, Source

if TYPE_CHECKING:
    from late_rag.types import FieldValue, TokenEmbeddings


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
