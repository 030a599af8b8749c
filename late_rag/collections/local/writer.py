"""What a write does to the tables, inside the transaction that the caller has begun and will commit."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from late_rag.collections.kit import embedding_rows, fulltext, rows
from late_rag.collections.kit.checks import Change, Packed
from late_rag.collections.local import facets, redaction
from late_rag.errors import ConflictError
from late_rag.metadata import dumps
from late_rag.protocols import CollectionSettings
from late_rag.types import AddResult, Chunk, Document, OnConflict, Source, batched

_LISTED = "(SELECT value FROM json_each(?))"
_REMOVED_KEPT = 100_000
_STAGED_BATCH = 500
_CHUNK = rows.CHUNK_COLUMNS.replace("checksum", "chunks.checksum")
_PACKED = embedding_rows.COLUMNS.replace("checksum", "embeddings.checksum")
_STAGED_PACKED = embedding_rows.COLUMNS.replace("checksum", "packed_checksum")


class Writer:
    """The tables of one collection, under one transaction."""

    def __init__(self, connection: sqlite3.Connection, location: str, settings: CollectionSettings) -> None:
        self._execute = connection.execute
        self._executemany = connection.executemany
        self._location = location
        self._settings = settings

    def add(self, items: Sequence[Packed], documents: Sequence[Document], on_conflict: OnConflict) -> AddResult:
        """Chunks and documents without a source; see ``Collection.add``."""
        items, twice = self._once(items, on_conflict)
        documents = list({document.id: document for document in documents}.values())
        known = self._existing("chunks", [chunk.id for chunk, _ in items])
        known_documents = self._existing("documents", [document.id for document in documents])
        if on_conflict == "fail" and (known or known_documents):
            kind, identity = ("chunk", min(known)) if known else ("document", min(known_documents))
            raise ConflictError(f"{self._location}: {kind} {identity!r} is there already; nothing was written")
        if on_conflict == "skip":
            documents = [document for document in documents if document.id not in known_documents]
            kept = [(c, p) for c, p in items if c.id not in known and c.document_id not in known_documents]
            twice += len(items) - len(kept)
            items, known = kept, set()
        self.put_documents(documents, None)
        self.put_chunks(items, None)
        self._execute(  # a chunk that is put in the place of another stays of its document's source
            "UPDATE chunks SET source_id = (SELECT source_id FROM documents WHERE id = chunks.document_id) "
            f"WHERE id IN {_LISTED}",
            (json.dumps([chunk.id for chunk, _ in items]),),
        )
        self._committed()
        return AddResult(len(items) - len(known), len(known), twice)

    def _once(self, items: Sequence[Packed], on_conflict: OnConflict) -> tuple[list[Packed], int]:
        """Each id once, as if one came after the other; how many were left out."""
        kept: dict[str, Packed] = {}
        for chunk, packed in items:
            earlier = kept.get(chunk.id)
            if earlier is not None and earlier[0].content_hash != chunk.content_hash and on_conflict == "fail":
                raise ConflictError(
                    f"{self._location}: chunk {chunk.id!r} comes twice with different content; nothing was written"
                )
            if earlier is None or on_conflict == "replace":
                kept[chunk.id] = chunk, packed
        return list(kept.values()), len(items) - len(kept)

    def replace(self, source: Source, documents: Iterable[Document], items: Sequence[Packed]) -> AddResult:
        """All of a source out; what was staged for this state of it, and then these, in."""
        number = self._put_source(source)
        before = {identity for (identity,) in self._execute("SELECT id FROM chunks WHERE source_id = ?", (number,))}
        self._delete_rows(self._rows("source_id = ?", (number,)))
        self._execute("DELETE FROM documents WHERE source_id = ?", (number,))
        self.put_documents(list(documents), number)
        written = replaced = 0
        for batch in itertools.chain(self._take_staged(source), [items]):
            identities = [chunk.id for chunk, _ in batch]
            replaced += len(before.intersection(identities) | self._existing("chunks", identities))
            self.put_chunks(batch, number)
            written += len(batch)
        self._committed()
        return AddResult(written - replaced, replaced, 0)

    def put_records(self, source: Source, documents: Sequence[Document], items: Sequence[Packed]) -> AddResult:
        """Some records of a source in. Its hash stays empty until the last one is, so that it counts as changed."""
        number = self._put_source(Source(source.root, source.path, "", source.size, source.mtime))
        known = self._existing("chunks", [chunk.id for chunk, _ in items])
        self.put_documents(documents, number)
        self.put_chunks(items, number)
        self._committed()
        return AddResult(len(items) - len(known), len(known), 0)

    def finish_records(self, source: Source, document_ids: Iterable[str]) -> int:
        """Other records of the source out, and its state written."""
        number = self._put_source(source)
        kept = set(document_ids)
        found = self._execute("SELECT id FROM documents WHERE source_id = ?", (number,)).fetchall()
        gone = [identity for (identity,) in found if identity not in kept]
        count = self._delete_documents(gone)
        self._committed()
        return count

    def stage(self, source: Source, items: Sequence[Packed]) -> None:
        """Keeps chunks of a source that is not complete."""
        marks = ", ".join("?" * 19)
        columns = f"root, path, hash, {rows.CHUNK_COLUMNS}, {_STAGED_PACKED}"
        self._executemany(
            f"INSERT OR REPLACE INTO staged ({columns}) VALUES ({marks})",
            [
                (source.root, source.path, source.hash, *rows.chunk_values(c), *embedding_rows.values(0, p))
                for c, p in items
            ],
        )

    def staged(self, source: Source) -> dict[str, str]:
        """Ids and hashes of what is staged for this state of the source; the other states go."""
        place = (source.root, source.path)
        self._execute("DELETE FROM staged WHERE root = ? AND path = ? AND hash <> ?", (*place, source.hash))
        return dict(
            self._execute("SELECT id, content_hash FROM staged WHERE root = ? AND path = ? ORDER BY ordinal", place)
        )

    def _take_staged(self, source: Source) -> Iterator[list[Packed]]:
        place = (source.root, source.path)
        cursor = self._execute(
            f"SELECT {rows.CHUNK_COLUMNS}, 0, {_STAGED_PACKED} FROM staged WHERE root = ? AND path = ? AND hash = ? "
            "ORDER BY ordinal",
            (*place, source.hash),
        )
        while batch := cursor.fetchmany(_STAGED_BATCH):
            packed = embedding_rows.read([v[rows.CHUNK_WIDTH :] for v in batch], self._settings, self._location)
            chunks = [rows.chunk_from(values[: rows.CHUNK_WIDTH]) for values in batch]
            yield list(zip(chunks, packed, strict=True))
        self._execute("DELETE FROM staged WHERE root = ? AND path = ?", place)

    def put_documents(self, documents: Sequence[Document], source: int | None) -> None:
        """Documents in, each in the place of all chunks that it had."""
        self._delete_documents([document.id for document in documents])
        self._executemany(
            f"INSERT OR REPLACE INTO documents (source_id, {rows.DOCUMENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(source, *rows.document_values(document)) for document in documents],
        )

    def put_chunks(self, items: Sequence[Packed], source: int | None) -> None:
        """Chunks in, each in the place of the one of its id; row numbers as in the order given."""
        if not items:
            return
        gone = self._rows(f"id IN {_LISTED}", (json.dumps([chunk.id for chunk, _ in items]),))
        passages = redaction.passages(self._execute, gone)
        self._delete_rows(gone)
        self._insert(items, source)
        same = {(chunk.document_id, chunk.start, chunk.end, chunk.text) for chunk, _ in items if passages}
        redaction.blot_out(self._execute, [passage for passage in passages if passage not in same])

    def arrange(self, identities: Sequence[str]) -> None:
        """Chunks as they are, in this order behind all others; of ids that do not exist nothing comes."""
        query = f"SELECT {_CHUNK}, source_id, embeddings.row, {_PACKED} FROM chunks JOIN embeddings USING (row)"
        found = self._execute(f"{query} WHERE id IN {_LISTED}", (json.dumps(identities),))
        by_id = {values[0]: values for values in found}
        moved = [by_id[identity] for identity in identities if identity in by_id]
        if not moved:
            return
        packed = embedding_rows.read(
            [values[rows.CHUNK_WIDTH + 1 :] for values in moved], self._settings, self._location
        )
        chunks = [rows.chunk_from(values[: rows.CHUNK_WIDTH]) for values in moved]
        self._delete_rows([values[rows.CHUNK_WIDTH + 1] for values in moved])
        self._insert(list(zip(chunks, packed, strict=True)), None)
        self._executemany(
            "UPDATE chunks SET source_id = ? WHERE id = ?", [(values[rows.CHUNK_WIDTH], values[0]) for values in moved]
        )
        self._committed()

    def _insert(self, items: Sequence[Packed], source: int | None) -> None:
        (last,) = self._execute("SELECT last_row FROM state").fetchone()
        numbered = list(enumerate(items, last + 1))
        marks = ", ".join("?" * 13)
        self._executemany(
            f"INSERT INTO chunks (row, source_id, {rows.CHUNK_COLUMNS}) VALUES ({marks})",
            [(row, source, *rows.chunk_values(chunk)) for row, (chunk, _) in numbered],
        )
        self._executemany(
            f"INSERT INTO embeddings (row, {embedding_rows.COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
            [(row, *embedding_rows.values(row, packed)) for row, (_, packed) in numbered],
        )
        self._executemany(
            "INSERT INTO fulltext (rowid, text) VALUES (?, ?)",
            [(row, fulltext.indexed_text(chunk.encoded_text, self._settings.language)) for row, (chunk, _) in numbered],
        )
        self._put_facets((row, chunk) for row, (chunk, _) in numbered)
        self._execute(
            "UPDATE state SET chunks = chunks + ?, tokens = tokens + ?, last_row = ?",
            (len(items), sum(len(packed.values) for _, packed in items), last + len(items)),
        )

    def _put_facets(self, chunks: Iterable[tuple[int, Chunk]]) -> None:
        self._executemany(
            "INSERT INTO facets VALUES (?, ?, ?, ?)",
            [values for row, chunk in chunks for values in facets.facet_rows(row, chunk.metadata)],
        )

    def update_metadata(self, where: str, parameters: Sequence[object], change: Change) -> int:
        """Other metadata for the chunks meant, and for documents all of whose chunks are meant."""
        found = self._execute(f"SELECT row, {rows.CHUNK_COLUMNS} FROM chunks WHERE {where}", parameters).fetchall()
        changed = []
        for row, *columns in found:
            before = rows.chunk_from(columns)
            changed.append((row, replace(before, metadata=change(before.metadata))))
        self._executemany(
            "UPDATE chunks SET metadata = ?, checksum = ? WHERE row = ?",
            [(dumps(after.metadata), rows.chunk_values(after)[-1], row) for row, after in changed],
        )
        self._execute(f"DELETE FROM facets WHERE row IN {_LISTED}", (json.dumps([row for row, _ in changed]),))
        self._put_facets(changed)
        self._update_documents(Counter(after.document_id for _, after in changed), change)
        if changed:
            self._committed()
        return len(changed)

    def _update_documents(self, meant: Mapping[str, int], change: Change) -> None:
        listed = (json.dumps(list(meant)),)
        counts = dict(
            self._execute(
                f"SELECT document_id, count(*) FROM chunks WHERE document_id IN {_LISTED} GROUP BY document_id", listed
            )
        )
        query = f"SELECT {rows.DOCUMENT_COLUMNS} FROM documents WHERE id IN {_LISTED}"
        whole = [rows.document_from(v) for v in self._execute(query, listed) if counts.get(v[0]) == meant[v[0]]]
        changed = [replace(document, metadata=change(document.metadata)) for document in whole]
        self._executemany(
            "UPDATE documents SET metadata = ?, checksum = ? WHERE id = ?",
            [(dumps(after.metadata), rows.document_values(after)[-1], after.id) for after in changed],
        )

    def delete(self, where: str, parameters: Sequence[object]) -> int:
        """Chunks out, also of the texts of their documents, and documents that have none left.

        The files that they were of count as changed: what the collection has of them is not what is in them.
        """
        gone = self._execute(f"SELECT row, document_id FROM chunks WHERE {where}", parameters).fetchall()
        self._count_as_changed([row for row, _ in gone])
        passages = redaction.passages(self._execute, redaction.parted(self._execute, gone))
        self._delete_rows([row for row, _ in gone])
        self._execute(
            f"DELETE FROM documents WHERE id IN {_LISTED} "
            "AND NOT EXISTS (SELECT 1 FROM chunks WHERE chunks.document_id = documents.id)",
            (json.dumps(list({owner for _, owner in gone if isinstance(owner, str)})),),
        )
        redaction.blot_out(self._execute, passages)
        if gone:
            self._committed()
        return len(gone)

    def delete_source(self, source: Source) -> int:
        """A source out, with its documents, chunks and what is staged for it."""
        place = (source.root, source.path)
        self._execute("DELETE FROM staged WHERE root = ? AND path = ?", place)
        found = self._execute("SELECT id FROM sources WHERE root = ? AND path = ?", place).fetchone()
        if found is None:
            return 0
        gone = self._rows("source_id = ?", found)
        self._delete_rows(gone)
        self._execute("DELETE FROM documents WHERE source_id = ?", found)
        self._execute("DELETE FROM sources WHERE id = ?", found)
        self._committed()
        return len(gone)

    def clear(self) -> None:
        """Everything out but the settings. Row numbers go on."""
        self._execute("INSERT INTO removed (row) SELECT row FROM chunks")
        for table in ("chunks", "embeddings", "facets", "fulltext", "documents", "sources", "staged"):
            self._execute(f"DELETE FROM {table}")
        self._execute("UPDATE state SET chunks = 0, tokens = 0")
        self._committed()

    def _put_source(self, source: Source) -> int:
        self._execute(
            f"INSERT INTO sources ({rows.SOURCE_COLUMNS}, location) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (root, path) DO UPDATE SET hash = excluded.hash, size = excluded.size, "
            "mtime = excluded.mtime, checksum = excluded.checksum",
            (*rows.source_values(source), source.location),
        )
        found = self._execute("SELECT id FROM sources WHERE root = ? AND path = ?", (source.root, source.path))
        return int(found.fetchone()[0])

    def _count_as_changed(self, gone: Sequence[int]) -> None:
        """Empties the hashes of the sources that chunks are of."""
        found = self._execute(
            f"SELECT {rows.SOURCE_COLUMNS} FROM sources WHERE hash <> '' AND id IN "
            f"(SELECT source_id FROM chunks WHERE row IN {_LISTED})",
            (json.dumps(gone),),
        ).fetchall()
        for values in found:
            changed = replace(rows.source_from(values), hash="")
            *_, checksum = rows.source_values(changed)
            self._execute(
                "UPDATE sources SET hash = '', checksum = ? WHERE root = ? AND path = ?",
                (checksum, changed.root, changed.path),
            )

    def _existing(self, table: str, identities: Sequence[str]) -> set[str]:
        found = self._execute(f"SELECT id FROM {table} WHERE id IN {_LISTED}", (json.dumps(identities),))
        return {identity for (identity,) in found}

    def _rows(self, where: str, parameters: Sequence[object]) -> list[int]:
        return [row for (row,) in self._execute(f"SELECT row FROM chunks WHERE {where}", parameters)]

    def _delete_documents(self, identities: Sequence[str]) -> int:
        """Documents and all their chunks out."""
        if not identities:
            return 0
        listed = (json.dumps(identities),)
        gone = self._rows(f"document_id IN {_LISTED}", listed)
        self._delete_rows(gone)
        self._execute(f"DELETE FROM documents WHERE id IN {_LISTED}", listed)
        return len(gone)

    def _delete_rows(self, gone: Sequence[int]) -> None:
        for batch in batched(gone, 10_000):
            listed = (json.dumps(batch),)
            (tokens,) = self._execute(
                f"SELECT coalesce(sum(tokens), 0) FROM embeddings WHERE row IN {_LISTED}", listed
            ).fetchone()
            for table, column in (("chunks", "row"), ("embeddings", "row"), ("facets", "row"), ("fulltext", "rowid")):
                self._execute(f"DELETE FROM {table} WHERE {column} IN {_LISTED}", listed)
            self._execute("INSERT INTO removed (row) SELECT value FROM json_each(?)", listed)
            self._execute("UPDATE state SET chunks = chunks - ?, tokens = tokens - ?", (len(batch), tokens))

    def _committed(self) -> None:
        """Counts the commit, and forgets removals that every open collection will have seen, or else looks anew."""
        self._execute("UPDATE state SET version = version + 1")
        (newest,) = self._execute("SELECT coalesce(max(sequence), 0) FROM removed").fetchone()
        (floor,) = self._execute("SELECT removed_floor FROM state").fetchone()
        if newest - floor > 2 * _REMOVED_KEPT:
            floor = newest - _REMOVED_KEPT
            self._execute("DELETE FROM removed WHERE sequence <= ?", (floor,))
            self._execute("UPDATE state SET removed_floor = ?", (floor,))
