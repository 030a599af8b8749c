"""Writing a stream of records into a collection, whatever its engine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from late_rag.errors import InputError, ModelMismatchError
from late_rag.transfer.records import ChunkRecord, DocumentRecord, Record, SourceKey
from late_rag.types import Chunk, Document, Source, batched

if TYPE_CHECKING:
    from late_rag.protocols import Collection, CollectionSettings
    from late_rag.road import Passage
    from late_rag.types import TokenEmbeddings

    Encode = Callable[[Sequence[Passage]], Iterable[TokenEmbeddings]]

RECORDS_AT_ONCE = 512
BYTES_AT_ONCE = 32 * 2**20


def check_same_embeddings(settings: CollectionSettings, collection: Collection) -> None:
    """Raises ModelMismatchError, naming both, unless the collection takes embeddings made under these settings."""
    there = collection.settings
    if (settings.model_id, settings.dim, settings.pooling) != (there.model_id, there.dim, there.pooling):
        raise ModelMismatchError(
            f"{collection.location} holds embeddings of {_embeddings_of(there)}, not of {_embeddings_of(settings)}"
        )


def _embeddings_of(settings: CollectionSettings) -> str:
    pooling = f", pooling {dict(settings.pooling)}" if settings.pooling else ""
    return f"model {settings.model} ({settings.model_id}, dim {settings.dim}{pooling})"


def encode_missing(records: Iterable[Record], encode: Encode) -> Iterator[Record]:
    """The records, with embeddings for the chunks that came without; ``encode`` is called only for those.

    It is given a chunk's document if that is among the records at hand or those before them, of which a writer may
    hold as many: what came earlier is written.
    """
    before: dict[str, Document] = {}
    for window in batched(records, RECORDS_AT_ONCE):
        here = {record.document.id: record.document for record in window if isinstance(record, DocumentRecord)}
        lacking = [
            (record.chunk, here.get(record.chunk.document_id) or before.get(record.chunk.document_id))
            for record in window
            if isinstance(record, ChunkRecord) and record.embeddings is None
        ]
        before = here
        made = iter(encode(lacking)) if lacking else iter(())
        for record in window:
            if isinstance(record, ChunkRecord) and record.embeddings is None:
                yield ChunkRecord(record.chunk, next(made))
            else:
                yield record


class RecordWriter:
    """Writes records as they come, and the state of each source last.

    A source whose state is not written counts as changed: where the writing ends halfway, ``index`` looks at those
    files again, and none is taken for complete that is not.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._sources: dict[SourceKey, Source] = {}
        self._source_of: dict[str, SourceKey] = {}
        self._run = _Run(None)

    def write(self, records: Iterable[Record]) -> None:
        """All records; sources before their documents, documents before their chunks."""
        for record in records:
            match record:
                case Source():
                    self._sources[record.root, record.path] = record
                case DocumentRecord():
                    self._take_document(record)
                case ChunkRecord():
                    self._take_chunk(record)
        self._flush()
        self._finish_sources()
        self._collection.finish_load()

    def _take_document(self, record: DocumentRecord) -> None:
        if record.source is not None:
            self._source_of[record.document.id] = record.source
        self._join(record.source, len(record.document.text))
        self._run.documents.append(record.document)

    def _take_chunk(self, record: ChunkRecord) -> None:
        if record.embeddings is None:
            raise InputError(f"chunk {record.chunk.id!r} comes without embeddings, which are not made here")
        self._join(self._source_of.get(record.chunk.document_id), record.embeddings.nbytes)
        self._run.chunks.append(record.chunk)
        self._run.embeddings.append(record.embeddings)

    def _join(self, source: SourceKey | None, size: int) -> None:
        """Makes room in a run of this source."""
        if source != self._run.source or self._run.full:
            self._flush()
            self._run = _Run(source)
        self._run.size += size

    def _flush(self) -> None:
        run, self._run = self._run, _Run(self._run.source)
        if not run:
            return
        if run.source is None:
            self._collection.add(run.chunks, run.embeddings, run.documents)
        else:
            self._collection.put_records(self._sources[run.source], run.documents, run.chunks, run.embeddings)

    def _finish_sources(self) -> None:
        documents_of: defaultdict[SourceKey, list[str]] = defaultdict(list)
        for document_id, key in self._source_of.items():
            documents_of[key].append(document_id)
        for key, source in self._sources.items():
            self._collection.finish_records(source, documents_of[key])


class _Run:
    """Records of one source, or of none, that are written in one commit."""

    def __init__(self, source: SourceKey | None) -> None:
        self.source = source
        self.documents: list[Document] = []
        self.chunks: list[Chunk] = []
        self.embeddings: list[TokenEmbeddings] = []
        self.size = 0

    def __len__(self) -> int:
        return len(self.documents) + len(self.chunks)

    @property
    def full(self) -> bool:
        return len(self) >= RECORDS_AT_ONCE or self.size >= BYTES_AT_ONCE
