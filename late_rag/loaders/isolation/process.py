"""A worker as its parent sees it: requests go in, answers come out, and it may end at any time."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, cast

from late_rag.errors import InputError
from late_rag.forking import starts_anew_in_children
from late_rag.loaders.isolation import messages
from late_rag.loaders.isolation.limits import OUT_OF_MEMORY

if TYPE_CHECKING:
    from late_rag.loading import Isolation

_START_SECONDS = 60.0
"""For a worker to start: Python and the loaders from a cold disk."""

_BLOCK = 1 << 16

_THE_LIMIT = ", which is the limit for files that are not trusted"
_NO_MEMORY = [-getattr(signal, name, 0) for name in ("SIGABRT", "SIGILL", "SIGTRAP")]  # what parsers in C do then

_CAN_POLL = hasattr(select, "poll")  # Windows waits for sockets alone

_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from late_rag.loaders.isolation.worker import main; main()"
)


class ForkedError(Exception):
    """A child of a fork has no part in what its parent was reading."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a worker ended: its exit code, or below 0 the number of the signal; and whether it took too long."""

    code: int
    late: bool

    @property
    def is_sudden(self) -> bool:
        """Whether no limit ended it."""
        return not self.late and self.code != OUT_OF_MEMORY

    def reason(self, limits: Isolation, seconds: float) -> str:
        """What reading a file did, such as "took more than 60 s"."""
        memory = f"took more than {limits.memory >> 20:,} MiB of memory{_THE_LIMIT}"
        if self.late or self.code == -getattr(signal, "SIGXCPU", 0) < 0:
            return f"took more than {round(seconds, 1):g} s{_THE_LIMIT}"
        if self.code == OUT_OF_MEMORY:
            return memory
        ended = f"ended the process that read it ({self.code_in_words()})"
        if self.code == -getattr(signal, "SIGKILL", 0) < 0:
            return f"{ended}, most likely because the machine had no more memory"
        return f"{ended}, most likely because it {memory}" if self.code in _NO_MEMORY else ended

    def code_in_words(self) -> str:
        """The exit code, or the signal by number and name."""
        if self.code >= 0:
            return f"exit code {self.code}"
        try:
            return f"signal {-self.code}, {signal.Signals(-self.code).name}"
        except ValueError:
            return f"signal {-self.code}"


class WorkerProcess:
    """A process that reads one file at a time. Nothing here is for several threads at once.

    It is started as ``python -c``, so that neither a script without a main block nor a notebook runs again. It ends by
    itself where this process does.

    Raises:
        InputError: this Python cannot be started a second time.
        OSError: the system has no room for another process.
    """

    def __init__(self) -> None:
        if getattr(sys, "frozen", False) or not sys.executable:
            raise InputError("this program is frozen, or embeds Python")
        path = json.dumps(list(map(str, sys.path)))
        self._process = subprocess.Popen(  # noqa: S603 - this very Python
            [sys.executable, "-I", "-X", f"utf8={sys.flags.utf8_mode}", "-c", _CODE, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,  # no locks that a fork could find taken
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._owner = os.getpid()
        self._late = False
        self._until = 0.0
        self._ahead = b""
        starts_anew_in_children(self)

    def start_anew(self) -> None:
        """A child of a fork has no part in it, and must not keep it alive."""
        self._close()
        self._process.returncode = 0  # it is no child of this process

    def is_ready(self) -> bool:
        """Whether it has started; waits for that."""
        try:
            return bool(self.receive(_START_SECONDS) == ["ready"])
        except ValueError:
            return False

    def ask(self, request: Any) -> None:
        """Sends a request; where the worker is gone, the answers are at their end."""
        with suppress(OSError):
            messages.send(self._process.stdin, messages.pack(request))

    def receive(self, seconds: float) -> Any:
        """The next answer, or None if there is none: the worker has ended, or is ended after this time.

        Raises:
            ForkedError: this process is a child of the one that began to read.
            ValueError: the answer is none.
        """
        if os.getpid() != self._owner:
            raise ForkedError
        with self._deadline(seconds):
            message = messages.receive(self._read)
        return None if self._late else message

    @contextmanager
    def _deadline(self, seconds: float) -> Iterator[None]:
        """Ends the worker if the block takes longer."""
        self._until = time.monotonic() + seconds
        if _CAN_POLL:
            yield
            return
        timer = threading.Timer(seconds, self._stop)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _read(self, size: int) -> bytes | None:
        if not self._ahead:
            pipe = cast("IO[bytes]", self._process.stdout)
            if _CAN_POLL:  # in place of a timer, which is a thread and costs more than to read a small file
                poll = select.poll()
                poll.register(pipe, select.POLLIN)
                if not poll.poll(max(0.0, self._until - time.monotonic()) * 1000):
                    self._stop()
            self._ahead = pipe.read(_BLOCK)
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        return data

    def _stop(self) -> None:
        self._late = True
        self._process.kill()

    def end(self) -> Ending:
        """Ends the process, if it is still there, and says how it ended."""
        if os.getpid() == self._owner:
            self._process.kill()  # what is ending already keeps the code with which it ends
            self._process.wait()
            self._close()
        return Ending(self._process.returncode, self._late)

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
