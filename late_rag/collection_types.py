"""Plain data that a collection is made of, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal


@dataclass(frozen=True)
class CollectionSettings:
    """What a collection is, fixed when it is made.

    ``model`` is what ``load_encoder`` was given; a folder also as seen from the collection (``model_relative``).
    ``storage`` is "int8" (uint8 rows and one scale a chunk) or "float16"; ``index`` is a kind or "auto", with all
    its ``index_options``; ``content`` and ``include`` are :class:`late_rag.loading.LoadOptions`; ``probe`` is what a
    changed model is noticed by.
    """

    model: str
    model_id: str
    dim: int
    variant: str = ""
    model_relative: str | None = None
    storage: Literal["int8", "float16"] = "int8"
    pooling: Mapping[str, Any] | None = None
    chunking: Mapping[str, Any] | None = None
    embed_metadata: tuple[str, ...] = ()
    language: str = "english"
    index: str = "auto"
    index_options: Mapping[str, Any] = field(default_factory=dict)
    content: Literal["all", "main"] = "all"
    include: tuple[str, ...] = ()
    probe: Mapping[str, list[list[float]]] | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """JSON types only; :meth:`from_dict` reads it back."""
        listed = {name: list(getattr(self, name)) for name in ("embed_metadata", "include")}
        return {each.name: getattr(self, each.name) for each in fields(self)} | listed

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CollectionSettings:
        return cls(**(dict(data) | {name: tuple(data.get(name, ())) for name in ("embed_metadata", "include")}))


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do beyond the protocol's core, as data."""

    text_search: bool = False
    staging: bool = False
    exact: bool = True
    """Whether ``search`` finds what MaxSim over all stored rows finds, ties by age."""
    recall: float = 1.0
    """The mean share of the exact best hits that ``search`` promises; each hit's score is exact whatever it is."""


@dataclass(frozen=True)
class CollectionInfo:
    """What ``info()`` tells: location, settings, sizes, and which index is used and why."""

    location: str
    settings: CollectionSettings
    documents: int
    chunks: int
    tokens: int
    sources: int
    bytes_on_disk: int
    index: str
    index_reason: str
    indexed: int = 0
    """Chunks that the index covers; the others are scanned one by one."""
    staged: int = 0
    commits: int = 0
    """Grows with every write that changes what is read; 0 where an engine does not count."""


@dataclass(frozen=True)
class VerifyReport:
    """What ``verify()`` looked at, and what is wrong with it; nothing wrong is an empty ``problems``."""

    checked: Mapping[str, int]
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True)
class RepairReport:
    """What ``verify()`` found before ``repair()`` and not after it, and what is still wrong."""

    mended: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems
