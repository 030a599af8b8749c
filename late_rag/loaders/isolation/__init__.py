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
from collections.abc import Iterator
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
    reading = _Reading(path, limits)
    worker = _workers.begin(messages.request(loader, path, options, limits, reading.seconds), path)
    clean = False
    try:
        yield from reading.items(worker)
        clean = True
    finally:
        if clean and not reading.retired:
            _workers.put_back(worker)
        else:
            worker.end()
    if reading.error is not None:
        raise reading.error


class _Reading:
    """One file: what a worker says about it, and for how long it is waited for."""

    def __init__(self, path: Path, limits: Isolation) -> None:
        try:
            size = path.stat().st_size
        except OSError as error:
            raise LoadError(f"{path}: {error.strerror or error}") from error
        self.path = path
        self.seconds = limits.seconds_for(size)
        self.error: LoadError | None = None
        self.retired = False
        self._limits = limits

    def items(self, worker: WorkerProcess) -> Iterator[tuple[str, Document] | Omission]:
        """Documents and omissions until the file has ended; its error is in ``error`` then."""
        left = self.seconds
        while True:
            started = time.monotonic()
            message = self._next(worker, left)
            left -= time.monotonic() - started
            match message:
                case ["document" | "omission", *_]:
                    yield self._item(message)
                case ["log", str(name), int(level), str(text)]:
                    _logger(name).log(level, "%s", text)
                case ["end", bool(retired)]:
                    self.retired = retired
                    return
                case ["error", bool(no_text), str(text), bool(retired)]:
                    self.error, self.retired = (NoTextError if no_text else LoadError)(text), retired
                    return
                case _:
                    raise self._nonsense()

    def _next(self, worker: WorkerProcess, seconds: float) -> Any:
        try:
            message = worker.receive(seconds)
        except ValueError as error:
            raise self._nonsense() from error
        except ForkedError as error:
            raise LoadError(f"{self.path}: it was being read when this process was forked") from error
        if message is None:
            raise LoadError(f"{self.path}: reading it {worker.end().reason(self._limits, self.seconds)}")
        return message

    def _item(self, message: Any) -> tuple[str, Document] | Omission:
        try:
            return messages.decode_item(message, self.path)
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
            raise self._nonsense() from error

    def _nonsense(self) -> LoadError:
        return LoadError(f"{self.path}: the process that read it answered what it never should; is the file hostile?")


def _logger(name: str) -> logging.Logger:
    """The logger of that name, if there is one: the name comes from a worker."""
    return logging.getLogger(name) if name in logging.Logger.manager.loggerDict else logger


class _Workers:
    """Those that wait for a file. One that reads belongs to whoever reads: a thread, or one of several iterators."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[WorkerProcess] = []

    def start_anew(self) -> None:
        """A child of a fork starts its own."""
        self._lock = threading.Lock()
        self._idle = []

    def begin(self, request: Any, path: Path) -> WorkerProcess:
        """A worker that has begun to read a file."""
        while True:
            with self._lock:
                worker = self._idle.pop() if self._idle else None
            if worker is None:
                break
            if worker.begin(request):  # else it went because it had waited for too long
                return worker
            worker.end()
        try:
            worker = WorkerProcess()
        except OSError as error:
            raise _not_started(path, error.strerror or str(error)) from error
        except InputError as error:
            raise _not_started(path, str(error)) from error
        if not worker.begin(request):
            raise _not_started(path, worker.end().code_in_words())
        return worker

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


def _not_started(path: Path, why: str) -> LoadError:
    return LoadError(
        f"{path}: the process that reads such files could not be started ({why}); read what you trust with "
        "isolated=False"
    )


_workers = _Workers()
starts_anew_in_children(_workers)
atexit.register(_workers.end)
