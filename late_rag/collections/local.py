"""The local collection: a folder with one SQLite database, for one machine and any number of its processes.

::

    handbook.rag/
      collection.sqlite    everything that is true: documents, chunks, metadata, embeddings, settings, full text
      index/<version>/     candidate indexes: derived, may be deleted at any time

There is no storage engine here to get wrong: a write is one SQLite transaction, durable when the call returns, and a
search sees one snapshot. Network file systems are not supported (SQLite's locks do not hold there): for those there
are the engines that scale out.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

from late_rag.asynchronous import twin
from late_rag.closing import Closing
from late_rag.collections import checks, creation, rows, schema, schema_check, shared_collection
from late_rag.collections.checks import Packed
from late_rag.collections.database import Database
from late_rag.collections.field_values import FieldReader, Order, check_names, check_page
from late_rag.collections.index_files import IndexFiles
from late_rag.collections.reader import Reader, where
from late_rag.collections.repair import repair
from late_rag.collections.search import Searcher
from late_rag.collections.upkeep import Upkeep
from late_rag.collections.verification import verify
from late_rag.collections.view import ViewKeeper
from late_rag.collections.writer import Writer
from late_rag.errors import CollectionError, InputError
from late_rag.protocols import Capabilities, CollectionInfo, CollectionSettings, RepairReport, VerifyReport
from late_rag.types import (
    AddResult,
    Chunk,
    Document,
    FieldValue,
    Hit,
    Metadata,
    Mode,
    OnConflict,
    Selection,
    Source,
    TokenEmbeddings,
)

T = TypeVar("T")


class LocalCollection(Closing):
    """A collection in a folder; see :class:`late_rag.protocols.Collection`. Safe for threads, processes and forks."""

    def __init__(self, folder: Path, mode: Mode, *, timeout: float = 60.0) -> None:
        self._folder = folder.resolve()
        self._database = Database(self._folder / creation.FILE, mode, timeout=timeout)
        with self._database.connection() as connection:
            self.settings = schema_check.read_settings(connection, str(self._folder))
        self._files = IndexFiles(self._folder / "index", self._database, self.settings)
        self._reader = Reader(self._database, self.settings)
        self._views = ViewKeeper(self.settings, self._files, self._database)
        self._searcher = Searcher(self._views, self.settings)
        self._upkeep = Upkeep(self._database, self._files)
        self._remove: Callable[[], object] | None = None

    @classmethod
    def create(cls, location: str | Path | None, settings: CollectionSettings) -> LocalCollection:
        """Makes a collection and opens it; see :func:`late_rag.collections.create_collection`."""
        folder = Path(tempfile.mkdtemp(prefix="late-rag-")) if location is None else Path(location)
        creation.create(folder, settings)
        collection = cls(folder, "write")
        if location is None:
            collection._remove = weakref.finalize(collection, _discard, os.getpid(), collection._database, folder)
        return collection

    @classmethod
    def open(cls, location: str | Path, mode: Mode = "write") -> LocalCollection:
        """Opens a collection that exists; see :func:`late_rag.collections.open_collection`."""
        return cls(Path(location), mode)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.temporary:
            raise CollectionError(
                "a temporary collection lives in this process only; copy it to a location to share or pickle it"
            )
        return shared_collection, (self.location, self._database.mode)

    def __repr__(self) -> str:
        return f"LocalCollection({self.location!r}, {self._database.mode!r})"

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(text_search=True, staging=True, exact=self._files.exact, recall=self._files.recall)

    @property
    def location(self) -> str:
        return str(self._folder)

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called, or the folder that was opened has been removed or replaced."""
        return self._database.closed or self._database.gone

    @property
    def temporary(self) -> bool:
        return self._remove is not None

    def close(self) -> None:
        """Ends the use of the collection; a temporary one is removed. Idempotent."""
        self._database.close()
        if self._remove is not None:
            self._remove()

    def info(self) -> CollectionInfo:
        with self._database.reading() as connection:
            chunks, tokens, commits = connection.execute("SELECT chunks, tokens, version FROM state").fetchone()
            documents, sources, staged = (
                connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("documents", "sources", "staged")
            )
            indexed, reason = self._files.reason(connection)
            size = sum(map(_size, self._folder.rglob("*")))
        commits &= (1 << schema.GENERATION_SHIFT) - 1
        return CollectionInfo(
            self.location,
            self.settings,
            documents=documents,
            chunks=chunks,
            tokens=tokens,
            sources=sources,
            bytes_on_disk=size,
            index=self._files.kind,
            index_reason=reason,
            indexed=indexed,
            staged=staged,
            commits=commits,
        )

    def add(
        self,
        chunks: Sequence[Chunk],
        embeddings: Sequence[TokenEmbeddings],
        documents: Sequence[Document] = (),
        on_conflict: OnConflict = "replace",
    ) -> AddResult:
        checks.check_on_conflict(on_conflict)
        items, documents = self._packed(chunks, embeddings), checks.checked_documents(documents)
        return self._write(len(items), lambda writer: writer.add(items, documents, on_conflict))

    def replace(
        self,
        source: Source,
        documents: Iterable[Document],
        chunks: Sequence[Chunk],
        embeddings: Sequence[TokenEmbeddings],
    ) -> AddResult:
        items, documents = self._packed(chunks, embeddings), checks.checked_documents(documents)
        return self._write(len(items), lambda writer: writer.replace(checks.checked_source(source), documents, items))

    def put_records(
        self,
        source: Source,
        documents: Sequence[Document],
        chunks: Sequence[Chunk],
        embeddings: Sequence[TokenEmbeddings],
    ) -> AddResult:
        items, documents = self._packed(chunks, embeddings), checks.checked_documents(documents)
        return self._write(
            len(items), lambda writer: writer.put_records(checks.checked_source(source), documents, items)
        )

    def finish_records(self, source: Source, document_ids: Iterable[str]) -> int:
        return self._write(0, lambda writer: writer.finish_records(checks.checked_source(source), document_ids))

    def stage(self, source: Source, chunks: Sequence[Chunk], embeddings: Sequence[TokenEmbeddings]) -> None:
        items = self._packed(chunks, embeddings)
        with self._database.writing() as connection:
            Writer(connection, self.location, self.settings).stage(checks.checked_source(source), items)

    def staged(self, source: Source) -> dict[str, str]:
        return self._write(0, lambda writer: writer.staged(source))

    def delete_source(self, source: Source) -> int:
        return self._write(0, lambda writer: writer.delete_source(source))

    def delete(self, selection: Selection) -> int:
        if selection.everything:
            raise InputError("delete needs ids, document_ids or a filter; to remove everything call clear()")
        return self._write(0, lambda writer: writer.delete(*where(selection)))

    def clear(self) -> None:
        self._write(0, lambda writer: writer.clear())

    def update_metadata(
        self, selection: Selection, changes: Metadata, mode: Literal["merge", "replace"] = "merge"
    ) -> int:
        change_chunk, change = checks.metadata_change(self.settings, changes, mode)
        return self._write(0, lambda writer: writer.update_metadata(*where(selection), change_chunk, change))

    def get(self, ids: Sequence[str]) -> list[Chunk]:
        return self._reader.get(ids)

    def get_documents(self, ids: Sequence[str]) -> list[Document]:
        return self._reader.get_documents(ids)

    def embeddings(self, ids: Sequence[str]) -> dict[str, TokenEmbeddings]:
        return self._reader.embeddings(ids)

    def document_hashes(self, ids: Sequence[str] | None = None) -> dict[str, str]:
        return self._reader.document_hashes(ids)

    def sources(self, root: str | None = None, below: str | None = None) -> list[Source]:
        return self._reader.sources(root, below)

    def iterate(
        self, selection: Selection | None = None, batch_size: int = 1000, with_embeddings: bool = False
    ) -> Iterator[list[tuple[Chunk, TokenEmbeddings | None]]]:
        checks.check_count("batch_size", batch_size)
        return self._reader.iterate(selection, batch_size, with_embeddings=with_embeddings)

    def iterate_documents(self, batch_size: int = 1000) -> Iterator[list[tuple[Document, Source | None]]]:
        checks.check_count("batch_size", batch_size)
        return self._reader.iterate_documents(batch_size)

    def count(self, selection: Selection | None = None) -> int:
        return self._reader.count(selection)

    def fields(self) -> dict[str, frozenset[str]]:
        return self._reader.fields()

    def field_values(
        self,
        name: str,
        selection: Selection | None = None,
        *,
        search: str | None = None,
        order: Order = "value",
        offset: int = 0,
        limit: int | None = None,
    ) -> tuple[list[FieldValue], int]:
        check_names([name])
        check_page(search, order, offset, limit)
        with self._fields(selection) as fields:
            return fields.values(name, search, order, offset, limit)

    def field_range(self, name: str, selection: Selection | None = None) -> tuple[Any, Any] | None:
        check_names([name])
        with self._fields(selection) as fields:
            return fields.range(name)

    def count_distinct(self, fields: Sequence[str], selection: Selection | None = None) -> dict[str, int]:
        check_names(fields)
        with self._fields(selection) as found:
            return {name: found.distinct(name) for name in fields}

    def search(
        self, queries: Sequence[TokenEmbeddings], top_k: int, selection: Selection | None = None
    ) -> list[list[Hit]]:
        checks.check_count("top_k", top_k)
        checks.check_queries(queries, self.settings, self._folder.name)
        with self._database.reading() as connection:
            return self._searcher.search(connection, queries, top_k, selection)

    def text_search(self, queries: Sequence[str], top_k: int, selection: Selection | None = None) -> list[list[Hit]]:
        checks.check_count("top_k", top_k)
        for query in queries:
            rows.check_text(query, "a query")
            if not query.strip():
                raise InputError("a query is empty; give at least one word")
        with self._database.reading() as connection:
            return [self._searcher.text_search(connection, query, top_k, selection) for query in queries]

    def finish_load(self) -> None:
        self._upkeep.after_load()

    def optimize(self) -> None:
        self._upkeep.optimize()

    def verify(self) -> VerifyReport:
        with self._database.reading() as connection:
            return verify(connection, self.settings, self._files)

    def repair(self) -> RepairReport:
        return repair(self._database, self.settings, self._files)

    @contextmanager
    def _fields(self, selection: Selection | None) -> Iterator[FieldReader]:
        with self._database.reading() as connection:
            yield FieldReader(connection, self._views.within(connection, selection))

    def _packed(self, chunks: Sequence[Chunk], embeddings: Sequence[TokenEmbeddings]) -> list[Packed]:
        return checks.packed(chunks, embeddings, self.settings)

    def _write(self, chunks: int, work: Callable[[Writer], T]) -> T:
        with self._database.writing() as connection:
            result = work(Writer(connection, self.location, self.settings))
        self._upkeep.after_write(chunks)
        return result

    aadd = twin(add)
    areplace = twin(replace)
    aput_records = twin(put_records)
    afinish_records = twin(finish_records)
    astage = twin(stage)
    astaged = twin(staged)
    adelete_source = twin(delete_source)
    adelete = twin(delete)
    aclear = twin(clear)
    aupdate_metadata = twin(update_metadata)
    aget = twin(get)
    aget_documents = twin(get_documents)
    aembeddings = twin(embeddings)
    adocument_hashes = twin(document_hashes)
    asources = twin(sources)
    acount = twin(count)
    afields = twin(fields)
    afield_values = twin(field_values)
    afield_range = twin(field_range)
    acount_distinct = twin(count_distinct)
    asearch = twin(search)
    atext_search = twin(text_search)
    afinish_load = twin(finish_load)
    aoptimize = twin(optimize)
    averify = twin(verify)
    arepair = twin(repair)
    ainfo = twin(info)


def _discard(process: int, database: Database, folder: Path) -> None:
    """Removes a temporary collection; a fork of the process that made it leaves it to that."""
    if os.getpid() != process:
        return
    database.close()
    shutil.rmtree(folder, ignore_errors=True)


def _size(path: Path) -> int:
    """Bytes of a file; none where it has gone meanwhile."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0
