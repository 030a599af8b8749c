"""The order of a document's passages, where some of them are written again by themselves."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from late_rag.filters.selection import Selection
from late_rag.types import Chunk, batched

if TYPE_CHECKING:
    from collections.abc import Iterable

    from late_rag.protocols import Collection

_MOVED_TOGETHER = 256


class Places:
    """Keeps each passage where it stood in its document: a collection puts what is written again behind all others.

    What stood behind such a passage is put behind it. Where that is cut off, or another process writes meanwhile, only
    the order may be another.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._before: dict[str, list[str]] = {}

    def note(self, chunks: Iterable[Chunk]) -> None:
        """Remembers the order of the documents of stored chunks, before these are written again."""
        owners = {chunk.document_id for chunk in chunks} - self._before.keys()
        if owners:
            self._before.update(self._ids(owners))

    def restore(self) -> None:
        """Puts passages back where they stood, and new ones behind them."""
        several = {owner: ids for owner, ids in self._before.items() if len(ids) > 1}
        now = self._ids(several) if several else {}
        for owner, before in several.items():
            there, known = now.get(owner, []), set(before)
            left = set(there)
            wanted = [each for each in before if each in left] + [each for each in there if each not in known]
            same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(wanted, there, strict=True)))
            for group in batched(wanted[same:], _MOVED_TOGETHER):
                self._collection.arrange(group)
        self._before.clear()

    def _ids(self, owners: Iterable[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for batch in self._collection.iterate(Selection(document_ids=tuple(owners))):
            for chunk, _ in batch:
                found.setdefault(chunk.document_id, []).append(chunk.id)
        return found
