"""Which kind of index a collection has: what its settings ask for, or what "auto" comes to at its present size."""

from __future__ import annotations

import sqlite3
from typing import Any

from late_rag import auto_index
from late_rag.auto_index import Choice
from late_rag.backends import INDEXES, resolve
from late_rag.errors import MissingExtraError
from late_rag.protocols import CollectionSettings
from late_rag.specs import IndexSpec

SCAN = "exact"
"""The kind that serves where no number of candidates of another is enough."""


class IndexChoice:
    """What the settings of one collection say about its index, on this machine's device."""

    def __init__(self, settings: CollectionSettings) -> None:
        self._auto = settings.index == "auto"
        self._asked = None if self._auto else IndexSpec(settings.index, **settings.index_options)
        self.device = auto_index.device()

    def now(self, connection: sqlite3.Connection) -> Choice:
        """The index that should be built for what the connection's snapshot holds, and why."""
        if self._asked is not None:
            return Choice(self._asked, "asked for in the settings")
        (tokens,) = connection.execute("SELECT tokens FROM state").fetchone()
        known = type(tokens) is int and tokens > 0  # a forged one must not keep repair from counting anew
        return auto_index.choose(tokens if known else 0, self.device)

    def kinds(self) -> list[str]:
        """All that may be published: what was chosen while the collection was smaller or larger serves on."""
        return list(dict.fromkeys([SCAN, *(spec.name for spec in self._specs())]))

    def made(self, kind: str) -> Any:
        """The options of this kind here, as its class takes them."""
        return self._spec(kind).made()

    def checked(self, kind: str) -> dict[str, Any]:
        """The options of this kind here, as they are recorded."""
        return self._spec(kind).checked()

    def _spec(self, kind: str) -> IndexSpec:
        return next((spec for spec in self._specs() if spec.name == kind), IndexSpec(kind))

    def _specs(self) -> list[IndexSpec]:
        if self._asked is not None:
            return [self._asked]
        return [rule.spec for rule in auto_index.RULES if _is_installed(rule.spec)]


def index_class(kind: str) -> Any:
    """The class of this kind."""
    return resolve(INDEXES, kind, "index")


def _is_installed(spec: IndexSpec) -> bool:
    try:
        spec.backend()
    except MissingExtraError:
        return False
    return True
