"""Embeddings that were used last, within so many bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeAlias

from late_rag.errors import InputError
from late_rag.forking import starts_anew_in_children

if TYPE_CHECKING:
    from late_rag.types import TokenEmbeddings

Key: TypeAlias = tuple[str, str, str]
"""What was encoded, model_id, variant: what an embedding depends on."""

_ENTRY_BYTES = 512
"""What an entry takes beside its rows."""


class EmbeddingCache:
    """The least recently used goes first. Thread-safe.

    Args:
        limit: bytes of all entries together; 0 keeps nothing.
    """

    def __init__(self, limit: int) -> None:
        if type(limit) is not int or limit < 0:
            raise InputError(f"cache_bytes must be a whole number of at least 0, not {limit!r}")
        self.limit = limit
        self.start_anew()
        starts_anew_in_children(self)

    def start_anew(self) -> None:
        """Empty, under a lock of its own: another thread may have been in the middle of a change when it was copied."""
        self.bytes = 0
        self._entries: OrderedDict[Key, TokenEmbeddings] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> TokenEmbeddings | None:
        """``(tokens, dim) float32``, not to be written to; None where there are none."""
        with self._lock:
            embeddings = self._entries.get(key)
            if embeddings is not None:
                self._entries.move_to_end(key)
            return embeddings

    def put(self, key: Key, embeddings: TokenEmbeddings) -> None:
        """Keeps the embeddings, if they fit at all."""
        size = embeddings.nbytes + _ENTRY_BYTES
        if size > self.limit:
            return
        kept = embeddings if embeddings.base is None else embeddings.copy()
        with self._lock:
            if key not in self._entries:
                self._entries[key] = kept
                self.bytes += size
            while self.bytes > self.limit:
                _, oldest = self._entries.popitem(last=False)
                self.bytes -= oldest.nbytes + _ENTRY_BYTES

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._entries.clear()
            self.bytes = 0
