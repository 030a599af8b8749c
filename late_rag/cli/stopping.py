"""Ctrl-C and SIGTERM as a request: the work stops at its next step, with everything kept that is done.

Python makes Ctrl-C an exception wherever the program is, which libraries that are just being imported turn into errors
of their own, and leaves SIGTERM to the system, which stops the program in the middle. Here both end a command with a
word on stderr and the exit code that shells give for them, from the first moment on.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from late_rag.errors import CancelledError

_STDERR = 2
_HINTS = {
    signal.SIGINT: b"\nstopping at the next step; Ctrl-C again stops at once\n",
    signal.SIGTERM: b"stopping at the next step\n",
}


class _Stop:
    """Which signal came, and what it does."""

    def __init__(self) -> None:
        self.number: int = signal.SIGINT
        self.raised = False
        self.commanded = False

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """Stops at once: by an exception where a command runs, and where none does yet there is nothing to undo."""
        self.number = number
        if not self.commanded:
            os.write(_STDERR, b"stopped\n")  # not through sys.stderr, which may be in the middle of another write
            os._exit(128 + number)
        self.raised = True
        raise KeyboardInterrupt


_stop = _Stop()


def watch() -> None:
    """Takes Ctrl-C and SIGTERM over for the rest of the program; one that is ignored, as behind ``nohup``, stays so."""
    for number in _HINTS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _stop.on_signal)


@contextmanager
def command() -> Iterator[None]:
    """While a command runs, a signal is a KeyboardInterrupt."""
    before, _stop.commanded = _stop.commanded, True
    _stop.raised = False
    try:
        yield
    finally:
        _stop.commanded = before


def stopped_at_once() -> bool:
    """Whether a signal raised: any error after it may be what a library made of it."""
    return _stop.raised


def exit_code() -> int:
    """128 and the number of the signal that came last; of Ctrl-C if none did."""
    return 128 + _stop.number


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """A function to call at each step of the work: it raises CancelledError once Ctrl-C was pressed or SIGTERM came.

    A second one raises KeyboardInterrupt, wherever the work is. Outside the main thread, where no signals arrive,
    the function does nothing.
    """
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            with command():
                _stop.on_signal(number, frame)
        _stop.number = number
        stop.set()
        os.write(_STDERR, _HINTS[signal.Signals(number)])

    def check() -> None:
        if stop.is_set():
            raise CancelledError("stopped")

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    taken = [number for number in _HINTS if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, on_signal) for number in taken}
    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
