"""The threads that score: as many at work as there are cores, however many callers there are.

A search that is alone uses all cores; of many at once each uses one, and none waits for another's part.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from late_rag.registry import shared

T = TypeVar("T")
R = TypeVar("R")

CORES = os.cpu_count() or 1
_at_work = threading.local()


class Workers:
    """A pool of threads, and a slot for each core."""

    def __init__(self, cores: int = CORES) -> None:
        self._slots = threading.Semaphore(cores)
        self._pool = ThreadPoolExecutor(cores, thread_name_prefix="late-rag-scoring")

    def map(self, work: Callable[[T], R], parts: Sequence[T]) -> list[R]:
        """``[work(part) for part in parts]``, on this thread and on as many others as have nothing to do."""
        results: list[Any] = [None] * len(parts)
        following = itertools.count()

        def run() -> None:
            _at_work.yes = True
            try:
                while (number := next(following)) < len(parts):
                    results[number] = work(parts[number])
            finally:
                _at_work.yes = False
                self._slots.release()

        self._slots.acquire()
        helpers: list[Future[None]] = []
        while len(helpers) + 1 < len(parts) and self._slots.acquire(blocking=False):
            helpers.append(self._pool.submit(run))
        try:
            run()
        finally:
            for helper in helpers:
                helper.result()
        return results


def parallel(work: Callable[[T], R], parts: Sequence[T]) -> list[R]:
    """``[work(part) for part in parts]``, on all cores that are not scoring already."""
    if len(parts) < 2 or CORES == 1 or getattr(_at_work, "yes", False):
        return [work(part) for part in parts]
    return shared.get(("kernel", "workers"), Workers).map(work, parts)
