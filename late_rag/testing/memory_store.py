"""What a collection in memory holds, and the writes that its operations are made of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from late_rag.collections.kit import rows
from late_rag.collections.kit.checks import Packed
from late_rag.filters import matches, parse
from late_rag.filters.selection import Selection
from late_rag.protocols import CollectionSettings
from late_rag.scoring.packing import PackedRows
from late_rag.types import Chunk, Document, Source

Key: TypeAlias = tuple[str, str]
"""Root and path of a source."""


class Stored(NamedTuple):
    """A chunk with its rows, and the source it is of."""

    chunk: Chunk
    packed: PackedRows
    source: Key | None


@dataclass
class Store:
    """All of a collection; dicts are in the order of writing."""

    settings: CollectionSettings
    chunks: dict[str, Stored] = field(default_factory=dict)
    documents: dict[str, tuple[Document, Key | None]] = field(default_factory=dict)
    sources: dict[Key, Source] = field(default_factory=dict)
    commits: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def put_documents(self, documents: Iterable[Document], source: Key | None) -> None:
        """Each in the place of all chunks that it had."""
        for document in documents:
            self.drop(lambda stored, owner=document.id: stored.chunk.document_id == owner)  # type: ignore[misc]
            self.documents.pop(document.id, None)
            self.documents[document.id] = rows.document_from(rows.document_values(document)), source

    def put_chunks(self, items: Iterable[Packed], source: Key | None) -> int:
        """How many took the place of another."""
        replaced = 0
        for chunk, packed in items:
            replaced += self.chunks.pop(chunk.id, None) is not None
            self.chunks[chunk.id] = Stored(rows.chunk_from(rows.chunk_values(chunk)), packed, source)
        return replaced

    def drop(self, meant: Callable[[Stored], bool]) -> list[Stored]:
        """Takes chunks out, and gives them."""
        gone = [stored for stored in self.chunks.values() if meant(stored)]
        for stored in gone:
            del self.chunks[stored.chunk.id]
        return gone

    def drop_documents(self, meant: Callable[[str, Key | None], bool]) -> int:
        """Takes documents out with their chunks; how many chunks."""
        gone = {identity for identity, (_, source) in self.documents.items() if meant(identity, source)}
        for identity in gone:
            del self.documents[identity]
        return len(self.drop(lambda stored: stored.chunk.document_id in gone))

    def location(self, key: Key | None) -> str | None:
        return None if key is None else self.sources[key].location

    def selected(self, selection: Selection | None) -> list[Stored]:
        """The chunks meant, in order."""
        every = list(self.chunks.values())
        if selection is None or selection.everything:
            return every
        tree = None if selection.filter is None else parse(selection.filter)

        def meant(stored: Stored) -> bool:
            chunk = stored.chunk
            named = selection.ids is None or chunk.id in selection.ids
            owned = selection.document_ids is None or chunk.document_id in selection.document_ids
            built_in = (chunk.id, chunk.document_id, chunk.text, self.location(stored.source))
            return named and owned and (tree is None or matches(tree, chunk.metadata, *built_in))

        return list(filter(meant, every))
