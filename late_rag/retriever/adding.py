"""``Retriever.add``: documents, chunks and texts from anywhere into the collection, in bounded batches."""

from __future__ import annotations

import itertools
from operator import itemgetter
from typing import TYPE_CHECKING, TypeAlias

from late_rag.errors import ConflictError
from late_rag.filters.selection import Selection
from late_rag.retriever.encoding import Batch, encode
from late_rag.retriever.modalities import check_readable
from late_rag.retriever.places import Places
from late_rag.retriever.reuse import StoredEmbeddings, paired_chunks, same_item, unchanged
from late_rag.types import AddResult, Chunk, Document, OnConflict, digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from late_rag.retriever.progress import Meter
    from late_rag.retriever.reuse import Paired
    from late_rag.retriever.stages import Stages

Item: TypeAlias = Document | Chunk

GROUP_ITEMS = 64
GROUP_CHARACTERS = 128_000
"""Of about 30,000 tokens: a commit every few seconds, and 16 MB of embeddings in flight for each group."""


class Adding:
    """One call of ``add``: what it has met and written so far."""

    def __init__(self, stages: Stages, on_conflict: OnConflict, meter: Meter) -> None:
        self.result = AddResult()
        self._stages = stages
        self._collection = stages.collection
        self._on_conflict = on_conflict
        self._meter = meter
        self._places = Places(stages.collection)

    def stream(self, items: Iterable[Item]) -> None:
        """Adds group by group. Where an id comes again with other content, what came before is written first."""
        for _, groups in itertools.groupby(_Met().groups(self._counted(items)), key=itemgetter(0)):
            self._encode(group for _, group in groups)
        self._places.restore()
        self._collection.finish_load(self._meter.passed_on)

    def all_or_nothing(self, items: Iterable[Item]) -> None:
        """Adds everything in one commit, if no id is there already.

        Raises:
            ConflictError: an id is there, or comes twice with different content.
        """
        listed = _once(self._counted(items))
        documents, chunks = _parted(listed)
        known = [*self._collection.document_hashes([document.id for document in documents])]
        known += [chunk.id for chunk in self._collection.get([chunk.id for chunk in chunks])]
        if known:
            more = f" and {len(known) - 1} more are" if len(known) > 1 else " is"
            raise ConflictError(f"{self._collection.location}: {known[0]!r}{more} there already; nothing was written")
        self._encode([listed])
        self._collection.finish_load(self._meter.passed_on)

    def _counted(self, items: Iterable[Item]) -> Iterator[Item]:
        for number, item in enumerate(items, 1):
            yield item
            self._meter.reached(number)

    def _encode(self, groups: Iterable[Sequence[Item]]) -> None:
        wanted = itertools.chain.from_iterable(map(self._plan, groups))
        encode(self._stages, wanted, self._meter)

    def _plan(self, group: Sequence[Item]) -> Iterator[tuple[Batch, Chunk]]:
        """Puts a group into one batch, and yields those of its chunks that must be encoded."""
        batch = Batch(self._write)
        documents, chunks = _parted(group)
        for chunk, embeddings in itertools.chain(self._of_documents(documents, batch), self._given(chunks)):
            batch.put(chunk, embeddings)
            if embeddings is None:
                check_readable(chunk, self._stages.encoder)
                yield batch, chunk
        batch.close()

    def _of_documents(self, documents: Sequence[Document], batch: Batch) -> Paired:
        """The chunks of the documents that are new or changed."""
        if not documents:
            return
        hashes = self._collection.document_hashes([document.id for document in documents])
        left = set(hashes) if self._on_conflict == "skip" else unchanged(self._collection, documents, hashes)
        if left:
            self.result += AddResult(skipped=self._collection.count(Selection(document_ids=tuple(left))))
        for document in documents:
            if document.id not in left:
                batch.take(document)
        yield from paired_chunks(self._stages, batch.documents, hashes)

    def _given(self, chunks: Sequence[Chunk]) -> Paired:
        """The chunks that are new or changed."""
        if not chunks:
            return
        stored = {chunk.id: chunk for chunk in self._collection.get([chunk.id for chunk in chunks])}
        left = set(stored) if self._on_conflict == "skip" else {c.id for c in chunks if same_item(stored.get(c.id), c)}
        self.result += AddResult(skipped=len(left))
        changed = tuple(stored.keys() - left)
        self._places.note(
            stored[chunk.id]
            for chunk in chunks
            if chunk.id in changed and chunk.document_id == stored[chunk.id].document_id
        )
        known = StoredEmbeddings(self._stages, Selection(ids=changed) if changed else None)
        yield from known.pair((chunk, None) for chunk in chunks if chunk.id not in left)

    def _write(self, batch: Batch) -> None:
        chunks, embeddings = batch.take_ready()
        if chunks or batch.documents:
            self.result += self._collection.add(chunks, embeddings, batch.documents, self._on_conflict)


class _Met:
    """Which ids have come so far in one round, and with what content."""

    def __init__(self) -> None:
        self._contents: dict[tuple[type, str], str] = {}
        self._owners: set[str] = set()

    def groups(self, items: Iterable[Item]) -> Iterator[tuple[int, list[Item]]]:
        """Groups of items, each with the number of its round; within a round no id comes twice.

        An id that comes again in a round with equal content is left out; with other content it begins a new round.
        """
        number, characters, group = 0, 0, list[Item]()
        for item in items:
            content = digest(repr(item))
            if self._contents.get((type(item), item.id)) == content:
                continue
            again = self._comes_again(item)
            if group and (again or len(group) == GROUP_ITEMS or characters > GROUP_CHARACTERS):
                yield number, group
                characters, group = 0, []
            if again:
                number += 1
                self._contents.clear()
                self._owners.clear()
            self._remember(item, content)
            group.append(item)
            characters += len(item.text)
        if group:
            yield number, group

    def _comes_again(self, item: Item) -> bool:
        """Whether something of this round must be written before it."""
        if (type(item), item.id) in self._contents:
            return True
        if isinstance(item, Document):
            return item.id in self._owners
        return any((Document, owner) in self._contents for owner in _owners(item))

    def _remember(self, item: Item, content: str) -> None:
        self._contents[type(item), item.id] = content
        if isinstance(item, Chunk):
            self._owners.update(_owners(item))


def _owners(chunk: Chunk) -> tuple[str, str]:
    """The documents that may have a chunk of this id: its own, and the one that chunkers would give it to."""
    return chunk.document_id, chunk.id.rpartition("#")[0]


def _once(items: Iterable[Item]) -> list[Item]:
    """Each id once."""
    kept: dict[tuple[type, str], Item] = {}
    for item in items:
        if kept.setdefault((type(item), item.id), item) != item:
            raise ConflictError(f"{item.id!r} comes twice with different content; nothing was written")
    return list(kept.values())


def _parted(items: Iterable[Item]) -> tuple[list[Document], list[Chunk]]:
    documents, chunks = list[Document](), list[Chunk]()
    for item in items:
        if isinstance(item, Document):
            documents.append(item)
        else:
            chunks.append(item)
    return documents, chunks
