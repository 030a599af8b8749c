"""The program of a worker: reads files that its parent names until nobody asks any more."""

from __future__ import annotations

import errno
import importlib
import io
import logging
import os
import select
import signal
import threading
from pathlib import Path
from typing import NoReturn, cast

from late_rag.errors import LoadError, NoTextError
from late_rag.loaders.isolation import limits, messages
from late_rag.loaders.reading import read_here

_PATIENCE = 60.0
"""Seconds without a file after which a worker ends."""

_BLOCK = 1 << 16

_CAN_POLL = hasattr(select, "poll")  # on Windows a worker has all patience, and ends after the file that it is reading


def main() -> NoReturn:
    """Answers requests from the standard input on the standard output, which nothing else can write to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who presses Ctrl-C means the parent
    asked, answers = _own(0, "rb"), _own(1, "wb")
    if _CAN_POLL:
        threading.Thread(target=_end_with_parent, args=(asked,), daemon=True).start()
    limits.be_the_first_to_go()
    try:
        _serve(asked, answers)
    except MemoryError:
        os._exit(limits.OUT_OF_MEMORY)
    except OSError:  # the parent is gone
        os._exit(0)
    except BaseException:  # noqa: BLE001 - nothing may be printed, and no thread waited for
        os._exit(1)
    os._exit(0)


def _own(descriptor: int, mode: str) -> io.FileIO:
    """A pipe under another number; what prints, or reads, finds nothing in its place."""
    pipe = io.FileIO(os.dup(descriptor), mode)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, descriptor)
    os.close(nothing)
    return pipe


def _end_with_parent(asked: io.FileIO) -> None:
    """Ends this process when the parent has gone, also where a file is being read."""
    poll = select.poll()
    poll.register(asked, 0)  # its end alone
    poll.poll()
    os._exit(0)


def _serve(asked: io.FileIO, answers: io.FileIO) -> None:
    limit = limits.Limits()
    out = _Answers(answers)
    log = logging.getLogger("late_rag")
    log.addHandler(_Telling(out))
    out.put(["ready"])
    out.flush()
    while (request := _next(asked)) is not None:
        log.setLevel(request["level"])
        limit.set(request["memory"], request["seconds"])
        ending = _read(request, out)
        out.put([*ending, limit.is_spent()])
        out.flush()


class _Answers:
    """What is sent to the parent, a block at a time or at the end of a file.

    To wake the parent for each message takes longer than to read a small file.
    """

    def __init__(self, pipe: io.FileIO) -> None:
        self._pipe = pipe
        self._held = bytearray()

    def put(self, message: list[object]) -> None:
        """Takes a message; sends what is held if that is much."""
        self._held += messages.pack(message)
        if len(self._held) >= _BLOCK:
            self.flush()

    def flush(self) -> None:
        """Sends all."""
        messages.send(self._pipe, self._held)
        self._held = bytearray()


def _next(asked: io.FileIO) -> messages.Request | None:
    """What is asked for next, unless that takes too long."""
    if _CAN_POLL:
        poll = select.poll()
        poll.register(asked, select.POLLIN)
        if not poll.poll(_PATIENCE * 1000):
            return None
    return cast("messages.Request | None", messages.receive(asked.read))


def _read(request: messages.Request, answers: _Answers) -> list[object]:
    """Reads a file and sends what is in it; what is left to say at its end."""
    path = request["path"]
    try:
        loader = getattr(importlib.import_module(request["module"]), request["name"])()
        for item in read_here(loader, Path(path), messages.options_of(request)):
            answers.put(messages.encode_item(item, path))
    except LoadError as error:
        if _is_out_of_memory(error.__cause__):
            raise MemoryError from None
        return ["error", isinstance(error, NoTextError), str(error)]
    except (ImportError, AttributeError, TypeError, ValueError, RecursionError) as error:  # of what somebody added
        return ["error", False, f"{path}: its loader cannot be isolated ({type(error).__name__}: {error})"]
    return ["end"]


def _is_out_of_memory(error: BaseException | None) -> bool:
    """Whether there was no memory, or no room to map a file."""
    return isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM)


class _Telling(logging.Handler):
    """Sends records of the log to the parent."""

    def __init__(self, answers: _Answers) -> None:
        super().__init__()
        self._answers = answers
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._answers.put(["log", record.name, record.levelno, self.format(record)])
