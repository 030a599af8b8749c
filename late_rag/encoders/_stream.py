"""Work that goes out to threads in order and comes back in order, with a bounded amount of it on its way."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R", covariant=True)


class Job(Protocol[R]):
    """Something under way: ``weight`` counts towards the window."""

    @property
    def weight(self) -> int: ...
    @property
    def done(self) -> bool: ...
    def result(self) -> R: ...
    def cancel(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Running(Job[T]):
    """Futures that together fill in one value."""

    value: T
    futures: list[Future[None]]
    weight: int

    @property
    def done(self) -> bool:
        return all(future.done() for future in self.futures)

    def result(self) -> T:
        """The value, when all its parts are there; raises what the first failed part raised."""
        for future in self.futures:
            future.result()
        return self.value

    def cancel(self) -> None:
        for future in self.futures:
            future.cancel()


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """An error of the input, raised in its turn: after the results of all that came before it."""

    error: Exception
    weight: int = 0
    done: bool = True

    def result(self) -> Any:
        raise self.error

    def cancel(self) -> None: ...


def batches(
    items: Iterable[T], count: int, size: int, measure: Callable[[T], int]
) -> Iterator[tuple[list[T], Failure | None]]:
    """Lists of at most ``count`` items, each ended where its measures add up to ``size``.

    What ``items`` raises comes as a :class:`Failure` beside the last list, which has the items before it.
    """
    batch: list[T] = []
    total = 0
    for item in _guarded(items):
        if isinstance(item, Failure):
            yield batch, item
            return
        batch.append(item)
        total += measure(item)
        if len(batch) == count or total >= size:
            yield batch, None
            batch, total = [], 0
    yield batch, None


def _guarded(items: Iterable[T]) -> Iterator[T | Failure]:
    try:
        yield from items
    except Exception as error:  # noqa: BLE001 - raised again by whoever asks for its result
        yield Failure(error)


def in_order(jobs: Iterable[Job[R]], window: int) -> Iterator[R]:
    """The results of the jobs in order; each is asked for, and so started, when there is room for it.

    The window slides: one result out, the next job in, so that no worker waits for the end of a batch. Jobs left
    when the caller stops early are cancelled. Above a sum of weights of ``window`` results are waited for; one job
    is always let in.
    """
    waiting: deque[Job[R]] = deque()
    held = 0
    try:
        for job in jobs:
            waiting.append(job)
            held += job.weight
            while waiting and (held > window or waiting[0].done):
                held -= waiting[0].weight
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for job in waiting:
            job.cancel()
