"""Ctrl-C as a request: the work stops at its next step, with everything kept that is done."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from late_rag.errors import CancelledError

_STDERR = 2
_HINT = b"\nstopping at the next step; Ctrl-C again stops at once\n"


@contextmanager
def stoppable() -> Iterator[Callable[[], None]]:
    """A function to call at each step of the work: it raises CancelledError once Ctrl-C was pressed.

    A second Ctrl-C raises KeyboardInterrupt, wherever the work is. Outside the main thread, where no signals arrive,
    the function does nothing.
    """
    stop = threading.Event()

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        os.write(_STDERR, _HINT)  # not through sys.stderr, which may be in the middle of another write

    def check() -> None:
        if stop.is_set():
            raise CancelledError("stopped")

    if threading.current_thread() is not threading.main_thread():
        yield check
        return
    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)
