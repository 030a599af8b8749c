"""What threads share, where a process is forked.

A child has one thread, and copies of all locks and queues as they were: one that another thread held is never released
there, and an answer that another thread was to give never comes. So they start anew in a child. What a child cannot
make anew is the state inside of a library, such as the locks on files that SQLite believes its process to have: a fork
waits until no thread is at work in there, and what is open is closed before it.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401  # see the end
import os
import threading
import weakref
from typing import Protocol

_PATIENCE = 5.0
"""Seconds that a fork waits for work under way; then it takes place all the same."""


class StartsAnew(Protocol):
    """A thing with locks, queues or threads of its own."""

    def start_anew(self) -> None:
        """Makes them as in a thing that was just made; what others might still use is kept and not torn down."""


class Rests(StartsAnew, Protocol):
    """A thing that holds what must not be open while the process forks."""

    def rest(self) -> None:
        """Closes what is open and idle; it is opened again when it is needed."""


class Working:
    """A block that no fork cuts in two, such as a call of SQLite: ``with working: …``. Blocks may be nested."""

    def __init__(self) -> None:
        self._own = threading.local()
        self.start_anew()

    def start_anew(self) -> None:
        """Nobody is at work but the thread that forked."""
        self._changed = threading.Condition(threading.Lock())
        self._at_work = 1 if self._depth else 0
        self._forking = False

    @property
    def _depth(self) -> int:
        depth: int = getattr(self._own, "depth", 0)
        return depth

    def __enter__(self) -> None:
        depth = self._depth
        if not depth:
            with self._changed:
                while self._forking:
                    self._changed.wait()
                self._at_work += 1
        self._own.depth = depth + 1

    def __exit__(self, *_: object) -> None:
        self._own.depth = depth = self._depth - 1
        if not depth:
            with self._changed:
                self._at_work -= 1
                if self._forking:
                    self._changed.notify_all()

    def stop(self) -> bool:
        """Lets nobody begin, and waits for those at work; whether all others have ended."""
        own = 1 if self._depth else 0
        with self._changed:
            while self._forking:
                self._changed.wait()
            self._forking = True
            return self._changed.wait_for(lambda: self._at_work == own, _PATIENCE) and not own

    def go_on(self) -> None:
        """Lets those begin who wait."""
        with self._changed:
            self._forking = False
            self._changed.notify_all()


working = Working()
_anew: weakref.WeakSet[StartsAnew] = weakref.WeakSet()
_resting: weakref.WeakSet[Rests] = weakref.WeakSet()


def starts_anew_in_children(thing: StartsAnew) -> None:
    """Has ``thing.start_anew()`` called in every child, before anything else runs there."""
    _anew.add(thing)


def rests_before_forks(thing: Rests) -> None:
    """Has ``thing.rest()`` called before a fork, while nobody is at work, and ``start_anew`` in the child."""
    _resting.add(thing)
    _anew.add(thing)


def _before_fork() -> None:
    if working.stop():
        for thing in list(_resting):
            thing.rest()


def _after_fork() -> None:
    working.start_anew()
    for thing in list(_anew):
        thing.start_anew()


if hasattr(os, "register_at_fork"):
    # What is registered last comes first before a fork. The modules of pools and logging take locks then, for which
    # the work that is waited for may wait: they have to be registered already.
    os.register_at_fork(before=_before_fork, after_in_parent=working.go_on, after_in_child=_after_fork)
