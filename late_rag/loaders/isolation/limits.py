"""What a worker may take of the machine. Windows has none of these limits: there the parent limits the time alone."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

OUT_OF_MEMORY = 77
"""The exit code of a worker that found its memory used up."""

RETIREMENT = 256 << 20
"""Bytes of memory; a worker that keeps more behind a file is not used again."""

_WATCH_SECONDS = 0.05


class Limits:
    """The limits of this process; made once, before the first file."""

    def __init__(self) -> None:
        self._given: dict[int, tuple[int, int]] = {}
        self._most = 0
        self._statm: int | None = None
        with suppress(OSError):
            self._statm = os.open("/proc/self/statm", os.O_RDONLY)  # kept open: it is read twice for each file
        if sys.platform == "win32":
            return
        import resource

        for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU):
            self._given[kind] = resource.getrlimit(kind)
        for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):  # no dump of a gigabyte, no file
            with suppress(OSError, ValueError):
                resource.setrlimit(kind, (0, 0))
        if sys.platform == "darwin":  # has RLIMIT_AS and does not keep it
            self.watch()

    def set(self, memory: int, seconds: float) -> None:
        """For the next file: so many bytes and seconds of a processor more than are used up already."""
        self._most = self._resident() + memory
        if sys.platform == "win32":
            return
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        self._lower(resource.RLIMIT_AS, self._pages(0) + memory)
        self._lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + seconds) + 1)

    def _lower(self, kind: int, value: int) -> None:
        import resource

        soft, hard = self._given[kind]
        least = min(limit for limit in (value, soft, hard) if limit != resource.RLIM_INFINITY)
        with suppress(OSError, ValueError):
            resource.setrlimit(kind, (least, hard))

    def is_spent(self) -> bool:
        """Whether this process keeps so much memory that another should read the next file."""
        return self._resident() > RETIREMENT

    def watch(self) -> None:
        """Ends the process where it takes too much memory, on systems that do not."""
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(_WATCH_SECONDS)
            if self._most and self._resident() > self._most:
                os._exit(OUT_OF_MEMORY)

    def _resident(self) -> int:
        """Bytes of memory in use; the most that were, where the system does not say how many are."""
        if sys.platform == "win32":
            return 0
        if found := self._pages(1):
            return found
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    def _pages(self, column: int) -> int:
        """Bytes that are mapped (0) or in use (1), by Linux; else 0."""
        if self._statm is None:
            return 0
        return int(os.pread(self._statm, 200, 0).split()[column]) * os.sysconf("SC_PAGE_SIZE")


def be_the_first_to_go() -> None:
    """Has Linux end this process, and not its parent, where the machine runs out of memory."""
    if sys.platform == "linux":
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
