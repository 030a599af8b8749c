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
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from late_rag.collections.base import BaseCollection
from late_rag.collections.kit.checks import Change, Order, Packed
from late_rag.collections.local import creation, schema, schema_check, temporary
from late_rag.collections.local.database import Database
from late_rag.collections.local.field_values import FieldReader
from late_rag.collections.local.index_files import IndexFiles
from late_rag.collections.local.reader import Reader, where
from late_rag.collections.local.repair import repair
from late_rag.collections.local.search import Searcher
from late_rag.collections.local.upkeep import Upkeep
from late_rag.collections.local.verification import verify
from late_rag.collections.local.view import ViewKeeper
from late_rag.collections.local.writer import Writer
from late_rag.filters.selection import Selection
from late_rag.protocols import Capabilities, CollectionInfo, CollectionSettings, RepairReport, VerifyReport
from late_rag.types import (
    AddResult,
    Chunk,
    Document,
    FieldValue,
    Hit,
    Mode,
    OnConflict,
    Report,
    Source,
    TokenEmbeddings,
)

T = TypeVar("T")


class LocalCollection(BaseCollection):
    """A collection in a folder; see :class:`late_rag.protocols.Collection`. Safe for threads, processes and forks."""

    def __init__(self, folder: Path, mode: Mode, *, timeout: float = 60.0) -> None:
        self._folder = folder.resolve()
        self._database = Database(self._folder / creation.FILE, mode, timeout=timeout)
        with self._database.connection() as connection:
            settings = schema_check.read_settings(connection, str(self._folder))
        super().__init__(str(self._folder), settings, mode)
        self._files = IndexFiles(self._folder / "index", self._database, settings)
        self._reader = Reader(self._database, settings)
        self._views = ViewKeeper(settings, self._files, self._database)
        self._searcher = Searcher(self._views, settings, self.location)
        self._upkeep = Upkeep(self._database, self._files)
        self._remove: Callable[[], object] | None = None

    @classmethod
    def create(cls, location: str | Path | None, settings: CollectionSettings) -> LocalCollection:
        """Makes a collection and opens it; see :func:`late_rag.collections.create_collection`."""
        folder = temporary.make() if location is None else Path(location)
        creation.create(folder, settings)
        collection = cls(folder, "write")
        if location is None:
            collection._temporary = True
            of_process = os.getpid(), collection._database, folder, temporary.lock(folder)
            collection._remove = weakref.finalize(collection, _discard, *of_process)
        return collection

    @classmethod
    def open(cls, location: str | Path, mode: Mode = "write") -> LocalCollection:
        """Opens a collection that exists; see :func:`late_rag.collections.open_collection`."""
        return cls(Path(location), mode)

    @property
    def capabilities(self) -> Capabilities:
        exact, recall = self._files.promises()
        return Capabilities(text_search=True, staging=True, exact=exact, recall=recall)

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called, or the folder that was opened has been removed or replaced."""
        return self._database.closed or self._database.gone

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
            index = self._files.choice(connection).spec.name
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
            index=index,
            index_reason=reason,
            indexed=indexed,
            staged=staged,
            commits=commits,
        )

    def finish_load(self, progress: Report | None = None) -> None:
        self._upkeep.after_load(progress)

    def optimize(self, progress: Report | None = None) -> None:
        self._upkeep.optimize(progress)

    def verify(self) -> VerifyReport:
        with self._database.reading() as connection:
            return verify(connection, self.settings, self._files)

    def repair(self) -> RepairReport:
        return repair(self._database, self.settings, self._files)

    def _add(self, items: list[Packed], documents: list[Document], on_conflict: OnConflict) -> AddResult:
        return self._write(len(items), lambda writer: writer.add(items, documents, on_conflict))

    def _replace(self, source: Source, documents: list[Document], items: list[Packed]) -> AddResult:
        return self._write(len(items), lambda writer: writer.replace(source, documents, items))

    def _put_records(self, source: Source, documents: list[Document], items: list[Packed]) -> AddResult:
        return self._write(len(items), lambda writer: writer.put_records(source, documents, items))

    def _finish_records(self, source: Source, document_ids: set[str]) -> int:
        return self._write(0, lambda writer: writer.finish_records(source, document_ids))

    def _stage(self, source: Source, items: list[Packed]) -> None:
        with self._database.writing() as connection:
            Writer(connection, self.location, self.settings).stage(source, items)

    def _staged(self, source: Source) -> dict[str, str]:
        return self._write(0, lambda writer: writer.staged(source))

    def _sources(self, root: str | None, below: str | None) -> list[Source]:
        return self._reader.sources(root, below)

    def _delete_source(self, source: Source) -> int:
        return self._write(0, lambda writer: writer.delete_source(source))

    def _delete(self, selection: Selection) -> int:
        return self._write(0, lambda writer: writer.delete(*where(selection)))

    def _arrange(self, ids: Sequence[str]) -> None:
        self._write(len(ids), lambda writer: writer.arrange(ids))

    def _clear(self) -> None:
        self._write(0, lambda writer: writer.clear())

    def _update_metadata(self, selection: Selection, change: Change) -> int:
        return self._write(0, lambda writer: writer.update_metadata(*where(selection), change))

    def _get(self, ids: Sequence[str]) -> list[Chunk]:
        return self._reader.get(ids)

    def _locations(self, ids: Sequence[str]) -> dict[str, str]:
        return self._reader.locations(ids)

    def _get_documents(self, ids: Sequence[str]) -> list[Document]:
        return self._reader.get_documents(ids)

    def _embeddings(self, ids: Sequence[str]) -> dict[str, TokenEmbeddings]:
        return self._reader.embeddings(ids)

    def _document_hashes(self, ids: Sequence[str] | None) -> dict[str, str]:
        return self._reader.document_hashes(ids)

    def _iterate(
        self, selection: Selection | None, batch_size: int, *, with_embeddings: bool
    ) -> Iterator[list[tuple[Chunk, TokenEmbeddings | None]]]:
        return self._reader.iterate(selection, batch_size, with_embeddings=with_embeddings)

    def _iterate_documents(self, batch_size: int) -> Iterator[list[tuple[Document, Source | None]]]:
        return self._reader.iterate_documents(batch_size)

    def _count(self, selection: Selection | None) -> int:
        return self._reader.count(selection)

    def _fields(self) -> dict[str, frozenset[str]]:
        return self._reader.fields()

    def _field_values(
        self, name: str, selection: Selection | None, search: str | None, order: Order, offset: int, limit: int | None
    ) -> tuple[list[FieldValue], int]:
        with self._field_reader(selection) as fields:
            return fields.values(name, search, order, offset, limit)

    def _field_range(self, name: str, selection: Selection | None) -> tuple[Any, Any] | None:
        with self._field_reader(selection) as fields:
            return fields.range(name)

    def _count_distinct(self, fields: Sequence[str], selection: Selection | None) -> dict[str, int]:
        with self._field_reader(selection) as found:
            return {name: found.distinct(name) for name in fields}

    def _search(self, queries: Sequence[TokenEmbeddings], top_k: int, selection: Selection | None) -> list[list[Hit]]:
        with self._database.reading() as connection:
            return self._searcher.search(connection, queries, top_k, selection)

    def _text_search(self, queries: Sequence[str], top_k: int, selection: Selection | None) -> list[list[Hit]]:
        with self._database.reading() as connection:
            return [self._searcher.text_search(connection, query, top_k, selection) for query in queries]

    @contextmanager
    def _field_reader(self, selection: Selection | None) -> Iterator[FieldReader]:
        with self._database.reading() as connection:
            yield FieldReader(connection, self._views.within(connection, selection))

    def _write(self, chunks: int, work: Callable[[Writer], T]) -> T:
        with self._database.writing() as connection:
            result = work(Writer(connection, self.location, self.settings))
        self._upkeep.after_write(chunks)
        return result


def _discard(process: int, database: Database, folder: Path, held: int | None) -> None:
    """Removes a temporary collection; a fork of the process that made it leaves it to that."""
    if os.getpid() != process:
        return
    database.close()
    shutil.rmtree(folder, ignore_errors=True)
    if held is not None:
        os.close(held)


def _size(path: Path) -> int:
    """Bytes of a file; none where it has gone meanwhile."""
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:
        return 0
