"""What a loader is asked for, and what it promises.

Options say which fields of a record are read, which content of a page, and which parts that are usually left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from late_rag.errors import InputError
from late_rag.types import Document, Omission

TEXT_FIELDS = ("text", "content", "body")
KEY_FIELDS = ("id", "_id", "key")

PARTS = ("comments", "headers", "hidden", "outputs")
"""What loaders leave out and say so, unless it is asked for."""

_MEMORY = (64 << 20, 1 << 50)
_SECONDS = (0.1, 1e6)


def unless_included(what: str, part: str) -> str:
    """What an omission says of something that ``include`` would have read: how to ask for ``part``."""
    return f'{what} (read with include=["{part}"] or --include {part})'


@dataclass(frozen=True)
class RecordFields:
    """Which fields of a record are what, for CSV, JSON and JSONL; a name stands for itself, else in any case."""

    text: str | tuple[str, ...] | None = None
    """The field that is searched, or several that are joined by line breaks; None is the first of text, content, body
    that the record has."""

    key: str | None = None
    """The field that identifies a record in its file; None is the first of id, _id, key that the record has. A record
    without one is identified by its content."""

    metadata: tuple[str, ...] | None = None
    """The fields that become metadata; None is all but text and key."""

    def __post_init__(self) -> None:
        for name in ("text", "metadata"):
            value = getattr(self, name)
            if value is None or (isinstance(value, str) and name == "text"):
                continue
            several = isinstance(value, Iterable) and not isinstance(value, str)
            names = tuple(value) if several else ()
            if not several or not all(isinstance(item, str) for item in names):
                raise InputError(f"RecordFields.{name} takes names of fields, not {value!r}")
            object.__setattr__(self, name, names)

    def text_fields(self, record: Mapping[str, Any]) -> tuple[str, ...]:
        """The fields of this record that are its text, as they are called in it; none where it has none of them."""
        if self.text is None:
            first = next(_found(TEXT_FIELDS, record), None)
            return () if first is None else (first,)
        return tuple(dict.fromkeys(_found((self.text,) if isinstance(self.text, str) else self.text, record)))

    def key_field(self, record: Mapping[str, Any]) -> str | None:
        """The field of this record that is its key."""
        return next(_found(KEY_FIELDS if self.key is None else (self.key,), record), None)

    def metadata_fields(self, record: Mapping[str, Any]) -> tuple[str, ...]:
        """The fields of this record that become metadata, unless they are its text or key."""
        return tuple(record) if self.metadata is None else tuple(dict.fromkeys(_found(self.metadata, record)))


def _found(wanted: Iterable[str], record: Mapping[str, Any]) -> Iterator[str]:
    """The names of this record that are meant: the very name, or else the first of the same letters."""
    same: dict[str, str] | None = None
    for name in wanted:
        if name in record:
            yield name
            continue
        if same is None:
            same = {other.casefold(): other for other in reversed(list(record))}
        if name.casefold() in same:
            yield same[name.casefold()]


@dataclass(frozen=True)
class Isolation:
    """A process of its own for files that may break their parser, and what reading one of them may take there."""

    memory: int = 2 << 30
    """Bytes. Windows does not limit them."""

    seconds: float = 60.0
    """For a file of any size. What the caller does between two documents does not count."""

    seconds_per_megabyte: float = 10.0
    """For what is in it, besides."""

    def __post_init__(self) -> None:
        bounds = {"memory": _MEMORY, "seconds": _SECONDS, "seconds_per_megabyte": (0.0, _SECONDS[1])}
        for name, (least, most) in bounds.items():
            value = getattr(self, name)
            kind = int if name == "memory" else int | float
            if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= most:
                raise InputError(f"Isolation.{name} takes a number from {least:,} to {most:,}, not {value!r}")

    @classmethod
    def wanted(cls, isolated: bool | Isolation) -> Isolation | None:
        """What ``isolated=`` stands for: True for the usual limits, False for none.

        Raises:
            InputError: it is something else.
        """
        if isinstance(isolated, Isolation):
            return isolated
        if not isinstance(isolated, bool):
            raise InputError(f"isolated takes True, False or an Isolation, not {isolated!r}")
        return cls() if isolated else None

    def seconds_for(self, size: int) -> float:
        """How long a file of so many bytes may take."""
        return min(self.seconds + size / 1e6 * self.seconds_per_megabyte, _SECONDS[1])


@dataclass(frozen=True)
class LoadOptions:
    """What is read of a file."""

    content: Literal["all", "main"] = "all"
    """Of a web page: all that it shows, or the main content, without navigation, banners and footers."""

    include: Sequence[str] = ()
    """Parts that are left out, and told, unless they stand here: "comments" and "headers" (and footers) of office
    files, "hidden" sheets, slides and sections, "outputs" of notebooks."""

    fields: RecordFields = field(default_factory=RecordFields)
    """Which fields of a record are what."""

    isolation: Isolation | None = None
    """The limits for formats that are read in another process; None reads them in this one."""

    def __post_init__(self) -> None:
        if self.content not in ("all", "main"):
            raise InputError(f'content must be "all" or "main", not {self.content!r}')
        if not isinstance(self.fields, RecordFields):
            raise InputError(f"fields takes RecordFields(…), not {self.fields!r:.80}")
        include: object = self.include
        parts = [None] if isinstance(include, str) or not isinstance(include, Iterable) else list(include)
        if any(part not in PARTS for part in parts):
            raise InputError(f"include takes a list of {', '.join(map(repr, PARTS))}, not {self.include!r}")
        object.__setattr__(self, "include", tuple(sorted(set(parts))))


class Loader(Protocol):
    """Reads one file format."""

    records: ClassVar[bool]
    """Whether each document is one record of the file."""

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
        """Key within the file ("" where the document is the whole file) and document, lazily; ids are set later.

        What cannot be read of a file that can be, such as a page or a record, is an omission in its place; so is what
        the options leave out. Whatever else is raised becomes the file's error.

        Raises:
            LoadError: the file cannot be read as this format.
        """
