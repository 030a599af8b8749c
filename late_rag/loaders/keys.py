"""Keys of the documents in a file, each given once."""

from __future__ import annotations

import logging
from pathlib import Path

from late_rag.types import digest

logger = logging.getLogger(__name__)


class UniqueKeys:
    """Gives each document of a file a key of its own; remembers a hash of each key."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._count: dict[bytes, int] = {}

    def unique(self, key: str, *, warn: bool = False) -> str:
        """The key; when it comes again, with ``#2``, ``#3``, … behind it, whichever is free.

        Args:
            key: the key that is wanted.
            warn: whether it is logged when it comes for the second time.
        """
        count = self._seen(key)
        if count == 1:
            return key
        if warn and count == 2:
            logger.warning("%s: the key %.80r comes more than once", self._path, key)
        while self._seen(candidate := f"{key}#{count}") > 1:
            count += 1
        self._count[_short(key)] = count  # so that no number is tried twice
        return candidate

    def _seen(self, key: str) -> int:
        short = _short(key)
        self._count[short] = self._count.get(short, 0) + 1
        return self._count[short]


def _short(key: str) -> bytes:
    return bytes.fromhex(digest(key))
