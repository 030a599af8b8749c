"""A collection in the memory of one process, without SQL: the second engine, by which the protocol is tested.

To be used by location it needs a row: ``backends.COLLECTIONS["memory"] = Backend("late_rag.testing",
"MemoryCollection")``; then ``memory://handbook`` is one. It has no full text and no staging.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from late_rag.collections import shown
from late_rag.collections.base import BaseCollection
from late_rag.collections.kit.checks import Change, Order, Packed
from late_rag.collections.kit.rescoring import best_of_rows
from late_rag.errors import (
    CollectionError,
    CollectionExistsError,
    CollectionNotFoundError,
    CollectionReadOnlyError,
    ConflictError,
)
from late_rag.filters.selection import Selection
from late_rag.protocols import Capabilities, CollectionInfo, CollectionSettings, RepairReport, VerifyReport
from late_rag.scoring import similarity
from late_rag.scoring.packing import PackedRows, unpack
from late_rag.scoring.stored import stored_query
from late_rag.testing import memory_fields
from late_rag.testing.memory_store import Key, Store
from late_rag.types import (
    AddResult,
    Chunk,
    Document,
    FieldValue,
    Hit,
    Mode,
    OnConflict,
    Source,
    TokenEmbeddings,
    batched,
)

_stores: dict[str, Store] = {}


class MemoryCollection(BaseCollection):
    """See :class:`late_rag.protocols.Collection`. Scores each chunk exactly; lives as long as its process."""

    capabilities = Capabilities()

    def __init__(self, location: str, mode: Mode, *, temporary: bool = False) -> None:
        super().__init__(location, _stores[location].settings, mode, temporary=temporary)
        self._closed = False

    @classmethod
    def create(cls, location: object, settings: CollectionSettings) -> MemoryCollection:
        """Makes a collection; without a location one that goes when it is closed."""
        name = f"memory://{secrets.token_hex(8)}" if location is None else shown(location)
        if _stores.setdefault(name, store := Store(settings)) is not store:
            raise CollectionExistsError(f"there is a collection at {name} already; open it")
        return cls(name, "write", temporary=location is None)

    @classmethod
    def open(cls, location: object, mode: Mode = "write") -> MemoryCollection:
        """Opens one that this process has made."""
        if (name := shown(location)) not in _stores:
            raise CollectionNotFoundError(f"there is no collection at {name} in this process")
        return cls(name, mode)

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Ends the use of this handle; a temporary collection is gone."""
        self._closed = True
        if self.temporary:
            _stores.pop(self.location, None)

    @contextmanager
    def _reading(self) -> Iterator[Store]:
        store = None if self._closed else _stores.get(self.location)
        if store is None:
            raise CollectionError(f"{self.location} is closed")
        with store.lock:
            yield store

    @contextmanager
    def _writing(self) -> Iterator[Store]:
        if self.mode == "read":
            raise CollectionReadOnlyError(f"{self.location} is open for reading")
        with self._reading() as store:
            yield store
            store.commits += 1

    def info(self) -> CollectionInfo:
        with self._reading() as store:
            tokens = sum(len(stored.packed.values) for stored in store.chunks.values())
            count, why = len(store.chunks), "every chunk is scored"
            sizes = (len(store.documents), count, tokens, len(store.sources), 0)
            return CollectionInfo(
                self.location, self.settings, *sizes, "none", why, indexed=count, commits=store.commits
            )

    def _add(self, items: list[Packed], documents: list[Document], on_conflict: OnConflict) -> AddResult:
        with self._writing() as store:
            kept: dict[str, Packed] = {}
            for chunk, packed in items:
                known = kept.get(chunk.id, (chunk,))[0]
                if on_conflict == "fail" and known.content_hash != chunk.content_hash:
                    raise ConflictError(f"{self.location}: chunk {chunk.id!r} comes twice with different content")
                if on_conflict == "replace" or chunk.id not in kept:
                    kept[chunk.id] = chunk, packed
            there = store.chunks.keys() & kept.keys()
            owners = store.documents.keys() & {document.id for document in documents}
            if on_conflict == "fail" and (there or owners):
                raise ConflictError(f"{self.location}: {min(there or owners)!r} is there already; nothing was written")
            if on_conflict == "skip":
                documents = [document for document in documents if document.id not in owners]
                kept = {k: v for k, v in kept.items() if k not in there and v[0].document_id not in owners}
                there = set()
            store.put_documents(documents, None)
            for item in kept.values():
                _, source = store.documents.get(item[0].document_id, (None, None))
                store.put_chunks([item], source)
            return AddResult(len(kept) - len(there), len(there), len(items) - len(kept))

    def _replace(self, source: Source, documents: list[Document], items: list[Packed]) -> AddResult:
        key = _key(source)
        with self._writing() as store:
            before = {stored.chunk.id for stored in store.drop(lambda stored: stored.source == key)}
            store.drop_documents(lambda _, owner: owner == key)
            store.sources[key] = source
            store.put_documents(documents, key)
            known = {chunk.id for chunk, _ in items} & (before | store.chunks.keys())
            store.put_chunks(items, key)
            return AddResult(len(items) - len(known), len(known), 0)

    def _put_records(self, source: Source, documents: list[Document], items: list[Packed]) -> AddResult:
        key = _key(source)
        with self._writing() as store:
            store.sources[key] = replace(source, hash="")
            known = len(store.chunks.keys() & {chunk.id for chunk, _ in items})
            store.put_documents(documents, key)
            store.put_chunks(items, key)
            return AddResult(len(items) - known, known, 0)

    def _finish_records(self, source: Source, document_ids: set[str]) -> int:
        key = _key(source)
        with self._writing() as store:
            store.sources[key] = source
            return store.drop_documents(lambda identity, owner: owner == key and identity not in document_ids)

    def _sources(self, root: str | None, below: str | None) -> list[Source]:
        with self._reading() as store:
            found = [store.sources[key] for key in sorted(store.sources) if root in (None, key[0])]
        return [s for s in found if below is None or s.path == below or s.path.startswith(f"{below}/")]

    def _delete_source(self, source: Source) -> int:
        key = _key(source)
        with self._writing() as store:
            gone = len(store.drop(lambda stored: stored.source == key))
            store.drop_documents(lambda _, owner: owner == key)
            store.sources.pop(key, None)
            return gone

    def _delete(self, selection: Selection) -> int:
        with self._writing() as store:
            meant = {stored.chunk.id for stored in store.selected(selection)}
            gone = store.drop(lambda stored: stored.chunk.id in meant)
            for key in {stored.source for stored in gone if stored.source is not None}:
                store.sources[key] = replace(store.sources[key], hash="")
            owners = {stored.chunk.document_id for stored in gone}
            owners -= {stored.chunk.document_id for stored in store.chunks.values()}
            store.drop_documents(lambda identity, _: identity in owners)
            return len(meant)

    def _arrange(self, ids: Sequence[str]) -> None:
        with self._writing() as store:
            for identity in ids:
                if identity in store.chunks:
                    store.chunks[identity] = store.chunks.pop(identity)

    def _clear(self) -> None:
        with self._writing() as store:
            for part in (store.chunks, store.documents, store.sources):
                part.clear()

    def _update_metadata(self, selection: Selection, change: Change) -> int:
        with self._writing() as store:
            meant = store.selected(selection)
            counts = Counter(stored.chunk.document_id for stored in store.chunks.values())
            for stored in meant:
                after = replace(stored.chunk, metadata=change(stored.chunk.metadata))
                store.chunks[after.id] = stored._replace(chunk=after)
            for identity, count in Counter(stored.chunk.document_id for stored in meant).items():
                if count == counts[identity] and identity in store.documents:
                    document, source = store.documents[identity]
                    store.documents[identity] = replace(document, metadata=change(document.metadata)), source
            return len(meant)

    def _get(self, ids: Sequence[str]) -> list[Chunk]:
        with self._reading() as store:
            return [store.chunks[identity].chunk for identity in ids if identity in store.chunks]

    def _locations(self, ids: Sequence[str]) -> dict[str, str]:
        with self._reading() as store:
            known = {each: store.location(store.chunks[each].source) for each in ids if each in store.chunks}
            return {identity: location for identity, location in known.items() if location is not None}

    def _get_documents(self, ids: Sequence[str]) -> list[Document]:
        with self._reading() as store:
            return [store.documents[identity][0] for identity in ids if identity in store.documents]

    def _embeddings(self, ids: Sequence[str]) -> dict[str, TokenEmbeddings]:
        with self._reading() as store:
            there = [identity for identity in ids if identity in store.chunks]
            return {identity: unpack(store.chunks[identity].packed) for identity in there}

    def _document_hashes(self, ids: Sequence[str] | None) -> dict[str, str]:
        with self._reading() as store:
            wanted = store.documents if ids is None else set(ids)
            return {name: document.content_hash for name, (document, _) in store.documents.items() if name in wanted}

    def _iterate(
        self, selection: Selection | None, batch_size: int, *, with_embeddings: bool
    ) -> Iterator[list[tuple[Chunk, TokenEmbeddings | None]]]:
        with self._reading() as store:
            found = store.selected(selection)
        for batch in batched(found, batch_size):
            yield [(stored.chunk, unpack(stored.packed) if with_embeddings else None) for stored in batch]

    def _iterate_documents(self, batch_size: int) -> Iterator[list[tuple[Document, Source | None]]]:
        with self._reading() as store:
            found = [(document, store.sources[key] if key else None) for document, key in store.documents.values()]
        yield from batched(found, batch_size)

    def _count(self, selection: Selection | None) -> int:
        with self._reading() as store:
            return len(store.selected(selection))

    def _located(self, selection: Selection | None = None) -> list[memory_fields.Located]:
        with self._reading() as store:
            return [(stored.chunk, store.location(stored.source)) for stored in store.selected(selection)]

    def _fields(self) -> dict[str, frozenset[str]]:
        return memory_fields.kinds(self._located())

    def _field_values(
        self, name: str, selection: Selection | None, search: str | None, order: Order, offset: int, limit: int | None
    ) -> tuple[list[FieldValue], int]:
        found = memory_fields.distinct(self._located(selection), name, search, order)
        return found[offset:][:limit], len(found)

    def _field_range(self, name: str, selection: Selection | None) -> tuple[Any, Any] | None:
        return memory_fields.ends(self._located(selection), name)

    def _count_distinct(self, fields: Sequence[str], selection: Selection | None) -> dict[str, int]:
        located = self._located(selection)
        return {name: len(memory_fields.distinct(located, name)) for name in fields}

    def _search(self, queries: Sequence[TokenEmbeddings], top_k: int, selection: Selection | None) -> list[list[Hit]]:
        with self._reading() as store:
            found = [stored for stored in store.selected(selection) if len(stored.packed.values)]
            places = [store.location(stored.source) for stored in found]

        def rows(numbers: Sequence[int]) -> tuple[list[int], list[PackedRows]]:
            return list(numbers), [found[number].packed for number in numbers]

        hits = []
        for query in queries:
            prepared = stored_query(query, self.settings.storage)
            ranked = best_of_rows(rows, prepared, range(len(found)), top_k)
            hits.append(
                [Hit(found[row].chunk, score, similarity(score, len(query)), places[row]) for row, score in ranked]
            )
        return hits

    def verify(self) -> VerifyReport:
        with self._reading() as store:
            return VerifyReport({"chunks": len(store.chunks), "documents": len(store.documents)})

    def repair(self) -> RepairReport:
        return RepairReport()


def _key(source: Source) -> Key:
    return source.root, source.path
