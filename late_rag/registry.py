"""One loaded model and one open collection for a whole process.

Framework components hold configuration, not models: they pickle, copy and serialise, and ask here for the thing
itself. Each thing is built once, under a lock of its own; nothing that was built before a fork is used after it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

from late_rag.forking import starts_anew_in_children

T = TypeVar("T")


class Registry:
    """Things by key, each built once for each process."""

    def __init__(self) -> None:
        self._things: dict[Hashable, Any] = {}
        self._inherited: list[dict[Hashable, Any]] = []
        self.start_anew()
        starts_anew_in_children(self)

    def start_anew(self) -> None:
        """Forgets everything; kept all the same, so that nothing of a parent process is torn down in a child."""
        self._inherited.append(self._things)
        self._lock = threading.Lock()
        self._building: dict[Hashable, threading.Lock] = {}
        self._things = {}

    def get(self, key: Hashable, build: Callable[[], T], alive: Callable[[T], bool] | None = None) -> T:
        """The thing under ``key``; built where there is none, or where ``alive`` says the one there is not usable."""
        with self._lock:
            building = self._building.setdefault(key, threading.Lock())
        with building:
            thing = cast("T | None", self._things.get(key))
            if thing is None or (alive is not None and not alive(thing)):
                thing = self._things[key] = build()
            return thing

    def peek(self, key: Hashable) -> Any | None:
        """The thing under ``key``, if this process has built one."""
        return self._things.get(key)


shared = Registry()
