"""A version of the index as the database names it, and which names and numbers can be ours."""

from __future__ import annotations

import re
from typing import NamedTuple

PREFIX = "version-"
FOLDER = re.compile(rf"{PREFIX}[A-Za-z0-9_]+")
_MOST_ROWS = 2**26
"""Row numbers that an index may cover beyond what it holds: what is gone of them is kept in memory."""


class Published(NamedTuple):
    """A version of the index: it covers the rows up to ``mark``, ``size`` of which had embeddings.

    ``manifest`` is the digest of the list of its files (:mod:`late_rag.collections.local.index_manifest`).
    """

    version: int
    mark: int
    size: int
    folder: str
    manifest: str
    kind: str = ""


def is_possible(version: object, mark: object, size: object, folder: object, manifest: object) -> bool:
    """Whether a row of ``indexes`` can be one of ours."""
    numbers = all(isinstance(number, int) and 0 <= number < 2**62 for number in (version, mark, size))
    texts = isinstance(folder, str) and isinstance(manifest, str) and FOLDER.fullmatch(folder) is not None
    return numbers and texts and size <= mark <= size + _MOST_ROWS  # type: ignore[operator]
