"""Micro-batching: requests of many threads are answered together, as a scan for three costs little more than one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from late_rag.forking import starts_anew_in_children

Q = TypeVar("Q")
A = TypeVar("A")


@dataclass(eq=False)
class _Request(Generic[Q, A]):
    queries: Sequence[Q]
    called: threading.Event = field(default_factory=threading.Event)
    answers: Sequence[A] = ()
    answered: bool = False
    leads: bool = False
    left: bool = False


class MicroBatching(Generic[Q, A]):
    """Calls ``compute`` with the queries of all who wait, on the thread of one of them.

    Whoever comes first computes, alone. Those who come meanwhile wait; then the one that has waited longest computes
    for as many as ``fit`` allows. Nobody computes for others after its own answer, and nobody waits when there is
    nothing to wait for.

    Args:
        compute: some queries to one answer each.
        fit: whether so many queries may be computed together; a single request always is.
    """

    def __init__(self, compute: Callable[[Sequence[Q]], Sequence[A]], fit: Callable[[Sequence[Q]], bool]) -> None:
        self._compute = compute
        self._fit = fit
        self.start_anew()
        starts_anew_in_children(self)

    def start_anew(self) -> None:
        """Nobody computes and nobody waits, as in a child whose one thread just forked."""
        self._lock = threading.Lock()
        self._waiting: list[_Request[Q, A]] = []
        self._busy = False

    def __call__(self, queries: Sequence[Q]) -> Sequence[A]:
        """One answer for each query; errors of ``compute`` are raised in the thread that computed."""
        request: _Request[Q, A] = _Request(queries)
        with self._lock:
            self._waiting.append(request)
            request.leads = not self._busy
            self._busy = True
        try:
            if not request.leads:
                request.called.wait()
            if not request.answered:
                self._lead()
            return request.answers
        finally:
            self._leave(request)

    def _lead(self) -> None:
        """Answers the first of those who wait, and as many after it as fit."""
        with self._lock:
            batch = [self._waiting.pop(0)]
            queries = list(batch[0].queries)
            while self._waiting and self._fit([*queries, *self._waiting[0].queries]):
                batch.append(self._waiting.pop(0))
                queries += batch[-1].queries
        try:
            answers = self._compute(queries)
        except BaseException:
            with self._lock:
                self._waiting[:0] = [request for request in batch[1:] if not request.left]
            raise
        for request in batch:
            request.answers, answers = answers[: len(request.queries)], answers[len(request.queries) :]
            request.answered = True
            request.called.set()

    def _leave(self, request: _Request[Q, A]) -> None:
        """Makes the next lead; also where this one was interrupted while it waited."""
        with self._lock:
            request.left = True
            if request in self._waiting:
                self._waiting.remove(request)
            if request.leads:
                self._busy = bool(self._waiting)
            if request.leads and self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].called.set()
