"""Folders of temporary collections, which go with their process however it ends.

A process locks each of its folders, and the system takes the lock back when the process has ended. The first temporary
collection of a process removes the folders of the same user that nobody has locked: their processes were killed.
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

_PREFIX = "late-rag-temporary-"
_YOUNG_SECONDS = 60.0
"""A folder that was changed so lately may be one that is made now, and not locked yet."""


def make() -> Path:
    """An empty folder of this user's alone."""
    _remove_abandoned(os.getpid())
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def lock(folder: Path) -> int | None:
    """Holds a folder for this process: an open file, to be closed after the folder was removed; None where it cannot.

    It cannot be held where another process holds it, or the system has no such locks.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held


@functools.lru_cache(maxsize=1)
def _remove_abandoned(_process: int) -> None:
    """Once for a process: folders of this user that were made so long ago that they would be locked if they were used.

    Whatever cannot be read or removed stays.
    """
    with suppress(OSError):
        for entry in Path(tempfile.gettempdir()).iterdir():
            if entry.name.startswith(_PREFIX):
                _remove_if_abandoned(entry)


def _remove_if_abandoned(folder: Path) -> None:
    held = None
    with suppress(OSError):
        about = folder.lstat()
        if about.st_uid != os.getuid() or time.time() - about.st_mtime < _YOUNG_SECONDS:
            return
        held = lock(folder)
    if held is not None:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)
