"""Async twins: the same work in a thread, so that the event loop never waits for it.

What reads and what writes have threads of their own: fifty searches that wait for a thread are not in front of a
write, nor is either behind whatever else a program gives to its event loop's threads.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
import os
import threading
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from late_rag.errors import CancelledError
from late_rag.forking import starts_anew_in_children

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Executor, Future

S = TypeVar("S")
P = ParamSpec("P")
R = TypeVar("R")

_GRACE = 1.0
"""Seconds that a cancelled task waits for its work to stop; a step that takes longer ends unobserved."""


class _Threads:
    """Executors for a process, one for what reads and one for what writes, made at first use."""

    def __init__(self) -> None:
        self._inherited: list[dict[bool, Executor]] = []
        self._executors: dict[bool, Executor] = {}
        self.start_anew()
        starts_anew_in_children(self)

    def start_anew(self) -> None:
        """In a child of a fork there are none of its parent's threads; what is kept of them is not torn down."""
        self._inherited.append(self._executors)
        self._executors = {}
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], R], *, writes: bool) -> Future[R]:
        return self._executor(writes).submit(work)

    def _executor(self, writes: bool) -> Executor:
        from concurrent.futures import ThreadPoolExecutor

        with self._lock:
            if writes not in self._executors:
                name = "late_rag_write" if writes else "late_rag_read"
                count = min(32, (os.cpu_count() or 1) + 4)  # as many as an event loop has
                self._executors[writes] = ThreadPoolExecutor(count, thread_name_prefix=name)
            return self._executors[writes]


_threads = _Threads()


def twin(
    method: Callable[Concatenate[S, P], R], *, writes: bool = False
) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
    """The async twin of a method: same arguments, same result, computed in a thread.

    The method is looked up by its name on the object (or class) it is called on, so an override in a subclass has a
    twin as well. Where the method takes ``progress``, cancelling the awaiting task stops the work at its next step,
    with what was committed kept; other work runs to its end unobserved. For a class method wrap the function:
    ``aopen = classmethod(twin(open_function))``.

    Args:
        method: what is done.
        writes: whether it is a write, which waits for a thread behind other writes only.
    """
    name = method.__name__
    reports = "progress" in inspect.signature(method).parameters

    @functools.wraps(method)
    async def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        bound: Callable[..., R] = getattr(self, name)
        if not reports:
            return await _awaited(functools.partial(bound, *args, **kwargs), writes=writes)
        options: dict[str, Any] = dict(kwargs)
        report = options.pop("progress", None)
        return await in_thread(lambda progress: bound(*args, progress=progress, **options), report, writes=writes)

    vars(call).pop("__isabstractmethod__", None)  # who writes the method has the twin
    call.__name__ = call.__qualname__ = f"a{name}" if name != "sync" else "async_"
    call.__doc__ = f"Async twin of :meth:`{name}`; never blocks the event loop."
    return call


async def to_reader(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Calls a function that reads in one of the threads for reading."""
    return await _awaited(functools.partial(function, *args, **kwargs), writes=False)


async def to_writer(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Calls a function that writes, or prepares a write, in one of the threads for writing."""
    return await _awaited(functools.partial(function, *args, **kwargs), writes=True)


async def in_thread(
    work: Callable[[Callable[[Any], None]], R],
    progress: Callable[[Any], object] | None = None,
    *,
    writes: bool = False,
) -> R:
    """Does work in a thread, and stops it at its next step where the awaiting task is cancelled.

    Args:
        work: is given the ``progress`` to call at each step, which raises :class:`CancelledError` when it is to stop.
        progress: is told of each step as well.
        writes: whether it is a write.
    """
    stop = threading.Event()
    return await _awaited(functools.partial(work, _stoppable(stop, progress)), writes=writes, stop=stop)


async def _awaited(work: Callable[[], R], *, writes: bool, stop: threading.Event | None = None) -> R:
    """The result of work in a thread that sees the caller's context variables."""
    import asyncio  # what is never awaited, such as the command line, starts quicker without

    context = contextvars.copy_context()
    submitted: Future[R] = _threads.submit(functools.partial(context.run, work), writes=writes)
    try:
        return await asyncio.wrap_future(submitted)
    except asyncio.CancelledError:
        if stop is not None and not submitted.cancelled():
            stop.set()
            await _ended(submitted)
        raise


async def _ended(submitted: Future[Any]) -> None:
    """Gives work that was told to stop the time for it, so that what it holds is free when its task has ended."""
    import asyncio

    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def tell(_: Future[Any]) -> None:
        try:
            loop.call_soon_threadsafe(ended.set)
        except RuntimeError:  # the loop was closed meanwhile, and nobody waits
            return

    submitted.add_done_callback(tell)
    try:
        await asyncio.wait_for(ended.wait(), _GRACE)
    except TimeoutError:
        return


def _stoppable(stop: threading.Event, progress: Callable[[Any], object] | None) -> Callable[[Any], None]:
    def report(step: Any) -> None:
        if stop.is_set():
            raise CancelledError("stopped: the task that waited for it was cancelled")
        if progress is not None:
            progress(step)

    return report
