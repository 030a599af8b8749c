"""Files to documents.

::

    from late_rag import load

    for file in load("handbook/"):
        for document in file.documents:
            print(file.path, document.metadata.get("title"), len(document.text))
        if file.error:
            print("skipped:", file.error)
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from late_rag.backends import LOADERS, resolve
from late_rag.errors import LoadError, MissingExtraError
from late_rag.loaders.discovery import Found, Places, Scope, find_files, find_places, gone
from late_rag.loaders.image import render
from late_rag.loaders.records import RecordFields
from late_rag.types import Document, SourceFile, digest

if TYPE_CHECKING:
    from late_rag.protocols import Loader

__all__ = ["RecordFields", "Scope", "gone", "load", "render", "scopes"]

logger = logging.getLogger(__name__)


def load(
    paths: str | Path | Iterable[str | Path],
    *,
    as_: str | None = None,
    strict: bool = False,
    known_roots: Sequence[str] = (),
    fields: RecordFields | None = None,
) -> Iterator[SourceFile]:
    """Finds files and parses each of them when its documents are iterated; an unchanged file need not be.

    Each file comes once, however it is reached, in a fixed order. Hidden files and folders are left out, and so are
    folders that are collections. A file that cannot be read comes with an ``error``, and the rest goes on; a folder
    that cannot be read comes as a file whose path ends in ``/``. Everything that was not loaded is logged as well.

    Args:
        paths: files and folders.
        as_: the label of their root, in place of its resolved path: the same files have the same name on another
            machine.
        strict: whether the first problem raises.
        known_roots: the roots that the collection has already; files inside one of them belong to it.
        fields: which fields of a record are text, key and metadata, for CSV, JSON and JSONL. Other fields give such
            a file another ``hash``, because they give it other documents.

    Raises:
        InputError: a path that is not there, before anything is loaded; ``as_`` for several roots.
        LoadError: with ``strict``, while iterating: a file that cannot be read.
    """
    return _load(find_places(paths, as_=as_, known_roots=known_roots), fields, strict=strict)


def scopes(
    paths: str | Path | Iterable[str | Path], *, as_: str | None = None, known_roots: Sequence[str] = ()
) -> list[Scope]:
    """Which parts of which roots :func:`load` looks through for the same arguments; with :func:`gone`, what is gone.

    Raises:
        InputError: as :func:`load`.
    """
    return find_places(paths, as_=as_, known_roots=known_roots).scopes()


def _load(places: Places, fields: RecordFields | None, *, strict: bool) -> Iterator[SourceFile]:
    for found in find_files(places):
        file = _source_file(found, fields, strict=strict)
        if file.error and strict:
            raise file.error
        yield file


def _source_file(found: Found, fields: RecordFields | None, *, strict: bool) -> SourceFile:
    problem: list[LoadError] = []
    try:
        if found.error:
            raise found.error
        loader = _loader(found.file, fields)
        content_hash, state = _fingerprint(found.file)
        if loader.records and fields not in (None, RecordFields()):
            content_hash = digest(content_hash, repr(fields))
    except LoadError as error:
        _report(problem, error)
        return SourceFile(found.root, found.path, "", *_size_and_time(found.file), problem=problem)
    parsed = _Documents(found, loader, problem, strict) if state.st_size else ()
    return SourceFile(
        found.root,
        found.path,
        content_hash,
        state.st_size,
        state.st_mtime,
        documents=parsed,
        records=loader.records,
        problem=problem,
    )


def _loader(file: Path, fields: RecordFields | None) -> Loader:
    suffix = file.suffix.lower()
    if suffix not in LOADERS:
        raise LoadError(f"{file}: there is no loader for {suffix or 'files without an extension'}")
    kind: Any = resolve(LOADERS, suffix, "loader")
    return cast("Loader", kind(fields or RecordFields()) if kind.records else kind())


def _fingerprint(path: Path) -> tuple[str, os.stat_result]:
    """Hash of a file's bytes and its state, in bounded memory."""
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest(), state
    except OSError as error:
        raise LoadError(f"{path}: {error.strerror or error}") from error


def _size_and_time(path: Path) -> tuple[int, float]:
    try:
        state = path.stat()
    except OSError:
        return 0, 0.0
    return state.st_size, state.st_mtime


def _report(problem: list[LoadError], error: LoadError) -> None:
    problem[:] = [error]
    logger.warning("not loaded: %s", error)


@dataclass(frozen=True)
class _Documents:
    """The documents of one file, parsed each time they are iterated."""

    found: Found
    loader: Loader
    problem: list[LoadError]
    strict: bool

    def __iter__(self) -> Iterator[Document]:
        self.problem.clear()
        try:
            yield from self._parse()
        except LoadError as error:
            _report(self.problem, error)
            if self.strict:
                raise

    def _parse(self) -> Iterator[Document]:
        try:
            for key, document in self.loader(self.found.file):
                yield replace(document, id=digest(self.found.root, self.found.path, key))
        except OSError as error:
            raise LoadError(f"{self.found.file}: {error.strerror or error}") from error
        except MissingExtraError as error:
            raise LoadError(f"{self.found.file}: {error}") from error
