"""What a file holds, as a hash: its identity, whatever it is called and wherever it stands."""

from __future__ import annotations

import hashlib
import stat
import time
from pathlib import Path
from typing import Any

_RACY_SECONDS = 0.1
"""A file that was written so lately may change again without a change of its times."""

_MOST = 64
"""Hashes that are kept: the pages of a file follow each other, so few files are asked for at a time."""

_known: dict[tuple[Any, ...], str] = {}


def hash_of_file(path: str) -> str:
    """A 128-bit hexadecimal hash of a file's bytes, in bounded memory; "" for what cannot be read or is no file.

    A file is read once for all who ask, as long as it does not change.
    """
    try:
        state = Path(path).stat()
        if not stat.S_ISREG(state.st_mode):  # a pipe or a device may have no end
            return ""
        key = (path, state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        return _known.get(key) or _remembered(key, _hashed(path), max(state.st_mtime, state.st_ctime))
    except (OSError, ValueError):  # a path with NUL is a ValueError
        return ""


def _hashed(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _remembered(key: tuple[Any, ...], found: str, changed: float) -> str:
    if time.time() - changed > _RACY_SECONDS:
        while len(_known) >= _MOST:
            _known.pop(next(iter(_known)), None)
        _known[key] = found
    return found
