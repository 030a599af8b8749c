"""Files that may break their parser are read in a process of its own, with limits on memory and time.

Parsers of PDFs and office files are large programs in C over bytes that anybody may have made: 600 of them can take all
memory, minutes, or end the process. Here that ends the *worker*, which is another process of this Python: a fresh
interpreter, started when the first such file is read, that imports loaders alone and reads file after file. What it
sends back is JSON, which is checked: nothing of it is run. It is a limit and no sandbox: a parser that a file takes
over has the rights of this user.
"""

from __future__ import annotations

import atexit
import logging
import sys
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from late_rag.errors import InputError, LoadError, NoTextError
from late_rag.forking import starts_anew_in_children
from late_rag.loaders.isolation import messages
from late_rag.loaders.isolation.process import ForkedError, WorkerProcess
from late_rag.types import Document, Omission

if TYPE_CHECKING:
    from late_rag.loading import Isolation, Loader, LoadOptions

logger = logging.getLogger(__name__)

_MOST_IDLE = 4
"""Workers that are kept for the next file."""


def can_read(loader: Loader) -> bool:
    """Whether another process can import this loader, by the names of its module and class."""
    kind = type(loader)
    module = sys.modules.get(kind.__module__)
    return kind.__module__ != "__main__" and getattr(module, kind.__qualname__, None) is kind


def read_isolated(
    loader: Loader, path: Path, options: LoadOptions, limits: Isolation
) -> Iterator[tuple[str, Document] | Omission]:
    """What the loader gives in a worker; documents have no id yet.

    Raises:
        LoadError: what the loader raises; it takes more memory or time than the limits; it ends the worker.
    """
    reading = _Reading(loader, path, options, limits)
    worker = _workers.take()
    if worker is None or not (yield from reading.items(worker, used=True)):
        yield from reading.items(_started(path), used=False)


class _Reading:
    """One file: what a worker says about it, and for how long it is waited for."""

    def __init__(self, loader: Loader, path: Path, options: LoadOptions, limits: Isolation) -> None:
        try:
            size = path.stat().st_size
        except OSError as error:
            raise LoadError(f"{path}: {error.strerror or error}") from error
        self._path = path
        self._limits = limits
        self._seconds = limits.seconds_for(size)
        self._request = messages.request(loader, path, options, limits, self._seconds)

    def items(self, worker: WorkerProcess, *, used: bool) -> Generator[tuple[str, Document] | Omission, None, bool]:
        """Documents and omissions; whether the file was read.

        It was not if a worker that is ``used`` ended before anything came: it may have waited for too long, or an
        earlier file may have damaged it. Another one tells.
        """
        left, begun, clean = self._seconds, False, False
        try:
            worker.ask(self._request)
            while True:
                started = time.monotonic()
                message = self._next(worker, left)
                left -= time.monotonic() - started
                match message:
                    case ["document" | "omission", *_]:
                        begun = True
                        yield self._item(message)
                    case ["log", str(name), int(level), str(text)]:
                        _logger(name).log(level, "%s", text)
                    case ["end", bool(spent)]:
                        clean = not spent
                        return True
                    case ["error", bool(no_text), str(text), bool(spent)]:
                        clean = not spent
                        raise (NoTextError if no_text else LoadError)(text)
                    case None:
                        ending = worker.end()
                        if used and not begun and ending.is_sudden:
                            return False
                        raise LoadError(f"{self._path}: reading it {ending.reason(self._limits, self._seconds)}")
                    case _:
                        raise self._nonsense()
        finally:
            if clean:
                _workers.put_back(worker)
            else:
                worker.end()

    def _next(self, worker: WorkerProcess, seconds: float) -> Any:
        try:
            return worker.receive(seconds)
        except ValueError as error:
            raise self._nonsense() from error
        except ForkedError as error:
            raise LoadError(f"{self._path}: it was being read when this process was forked") from error

    def _item(self, message: Any) -> tuple[str, Document] | Omission:
        try:
            return messages.decode_item(message, self._path)
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
            raise self._nonsense() from error

    def _nonsense(self) -> LoadError:
        return LoadError(f"{self._path}: the process that read it answered what it never should; is the file hostile?")


def _logger(name: str) -> logging.Logger:
    """The logger of that name, if there is one: the name comes from a worker."""
    return logging.getLogger(name) if name in logging.Logger.manager.loggerDict else logger


class _Workers:
    """Those that wait for a file. One that reads belongs to whoever reads: a thread, or one of several iterators."""

    def __init__(self) -> None:
        self.start_anew()

    def start_anew(self) -> None:
        """A child of a fork starts its own."""
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess] = []

    def take(self) -> WorkerProcess | None:
        """The one that read last, if one waits."""
        with self._lock:
            return self._idle.pop() if self._idle else None

    def put_back(self, worker: WorkerProcess) -> None:
        """Keeps it for the next file."""
        with self._lock:
            if len(self._idle) < _MOST_IDLE:
                self._idle.append(worker)
                return
        worker.end()

    def end(self) -> None:
        """Ends those that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.end()


def _started(path: Path) -> WorkerProcess:
    try:
        worker = WorkerProcess()
    except OSError as error:
        raise _not_started(path, error.strerror or str(error)) from error
    except InputError as error:
        raise _not_started(path, str(error)) from error
    if not worker.is_ready():
        raise _not_started(path, worker.end().code_in_words())
    return worker


def _not_started(path: Path, why: str) -> LoadError:
    return LoadError(
        f"{path}: the process that reads such files could not be started ({why}); read what you trust with "
        "isolated=False"
    )


_workers = _Workers()
starts_anew_in_children(_workers)
atexit.register(_workers.end)
