"""Async twins: the same work in a thread, so that the event loop never waits for it."""

from __future__ import annotations

import functools
import inspect
import threading
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from late_rag.errors import CancelledError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

S = TypeVar("S")
P = ParamSpec("P")
R = TypeVar("R")


def twin(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], Coroutine[Any, Any, R]]:
    """The async twin of a method: same arguments, same result, computed in a thread.

    The method is looked up by its name on the object (or class) it is called on, so an override in a subclass has a
    twin as well. Where the method takes ``progress``, cancelling the awaiting task stops the work at its next step,
    with what was committed kept; other work runs to its end unobserved. For a class method wrap the function:
    ``aopen = classmethod(twin(open_function))``.
    """
    name = method.__name__
    reports = "progress" in inspect.signature(method).parameters

    @functools.wraps(method)
    async def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        import asyncio  # what is never awaited, such as the command line, starts quicker without

        bound: Callable[..., R] = getattr(self, name)
        if not reports:
            return await asyncio.to_thread(bound, *args, **kwargs)
        options: dict[str, Any] = dict(kwargs)
        report = options.pop("progress", None)
        return await in_thread(lambda progress: bound(*args, progress=progress, **options), report)

    vars(call).pop("__isabstractmethod__", None)  # who writes the method has the twin
    call.__name__ = call.__qualname__ = f"a{name}" if name != "sync" else "async_"
    call.__doc__ = f"Async twin of :meth:`{name}`; never blocks the event loop."
    return call


async def in_thread(work: Callable[[Callable[[Any], None]], R], progress: Callable[[Any], object] | None = None) -> R:
    """Does work in a thread, and stops it at its next step where the awaiting task is cancelled.

    Args:
        work: is given the ``progress`` to call at each step, which raises :class:`CancelledError` when it is to stop.
        progress: is told of each step as well.
    """
    import asyncio

    stop = threading.Event()
    try:
        return await asyncio.to_thread(work, _stoppable(stop, progress))
    except asyncio.CancelledError:
        stop.set()
        raise


def _stoppable(stop: threading.Event, progress: Callable[[Any], object] | None) -> Callable[[Any], None]:
    def report(step: Any) -> None:
        if stop.is_set():
            raise CancelledError("stopped: the task that waited for it was cancelled")
        if progress is not None:
            progress(step)

    return report
