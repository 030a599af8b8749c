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
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from late_rag.backends import LOADERS, resolve
from late_rag.errors import LoadError, NoTextError
from late_rag.loaders.discovery import Found, Places, Scope, find_files, find_places, gone
from late_rag.loaders.image import render
from late_rag.loaders.reading import check_size, is_blank, read
from late_rag.loading import Isolation, LoadOptions, RecordFields
from late_rag.types import Document, Omission, SourceFile, digest

if TYPE_CHECKING:
    from typing import Literal

    from late_rag.backends import Format
    from late_rag.loading import Loader

__all__ = ["Isolation", "LoadOptions", "RecordFields", "Scope", "gone", "load", "render", "scopes"]

logger = logging.getLogger(__name__)

MOST_OMISSIONS = 1000
"""Of one file, that are named; the others are counted."""


def load(
    paths: str | Path | Iterable[str | Path],
    *,
    as_: str | None = None,
    strict: bool = False,
    known_roots: Sequence[str] = (),
    fields: RecordFields | None = None,
    content: Literal["all", "main"] = "all",
    include: Sequence[str] = (),
    isolated: bool | Isolation = True,
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
        content: of web pages "all" that they show, or the "main" content, without navigation, banners and footers.
        include: parts that are left out unless they are named: "comments" and "headers" (and footers) of office
            files, "hidden" sheets, slides and sections, "outputs" of notebooks.
        isolated: whether PDFs, office files and e-books are read in another process, with limits on memory and time, so
            that one that is made to break its parser costs itself alone. It is started for the first of them, in about
            .1 s, and serves for all that follow. An :class:`Isolation` has other limits; False is for files that you
            trust.

    Raises:
        InputError: a path that is not there, before anything is loaded; ``as_`` for several roots; an option that
            cannot be.
        LoadError: with ``strict``, while iterating: a file that cannot be read.
    """
    options = LoadOptions(content, include, fields or RecordFields(), Isolation.wanted(isolated))
    return _load(find_places(paths, as_=as_, known_roots=known_roots), options, strict=strict)


def scopes(
    paths: str | Path | Iterable[str | Path], *, as_: str | None = None, known_roots: Sequence[str] = ()
) -> list[Scope]:
    """Which parts of which roots :func:`load` looks through for the same arguments; with :func:`gone`, what is gone.

    Raises:
        InputError: as :func:`load`.
    """
    return find_places(paths, as_=as_, known_roots=known_roots).scopes()


def _load(places: Places, options: LoadOptions, *, strict: bool) -> Iterator[SourceFile]:
    for found in find_files(places):
        file = _source_file(found, options, strict=strict)
        if file.error and strict:
            raise file.error
        yield file


def _source_file(found: Found, options: LoadOptions, *, strict: bool) -> SourceFile:
    problem: list[LoadError] = []
    omissions: list[Omission] = []
    try:
        if found.error:
            raise found.error
        loader, row = _loader(found.file)
        content_hash, state = _fingerprint(found.file, row)
        if loader.records and options.fields != RecordFields():
            content_hash = digest(content_hash, repr(options.fields))
    except LoadError as error:
        _report(problem, error)
        return SourceFile(found.root, found.path, "", *_size_and_time(found.file), problem=problem)
    return SourceFile(
        found.root,
        found.path,
        content_hash,
        state.st_size,
        state.st_mtime,
        documents=_Documents(found, loader, row.isolated, options, problem, omissions, strict, empty=not state.st_size),
        records=loader.records,
        problem=problem,
        omissions=omissions,
    )


def _loader(file: Path) -> tuple[Loader, Format]:
    """The loader of a file, and its row in the table."""
    suffix = file.suffix.lower()
    if suffix not in LOADERS:
        raise LoadError(f"{file}: there is no loader for {suffix or 'files without an extension'}")
    return cast("Loader", resolve(LOADERS, suffix, "loader")()), LOADERS[suffix]


def _fingerprint(path: Path, row: Format) -> tuple[str, os.stat_result]:
    """Hash of a file's bytes and its state, in bounded memory; of one that is too large to be read not a byte is."""
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            check_size(row, path, state.st_size)
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
    isolated: bool
    options: LoadOptions
    problem: list[LoadError]
    omissions: list[Omission]
    strict: bool
    empty: bool

    def __iter__(self) -> Iterator[Document]:
        self.problem.clear()
        self.omissions.clear()
        try:
            yield from self._parse()
        except LoadError as error:
            _report(self.problem, error)
            if self.strict:
                raise

    def _parse(self) -> Iterator[Document]:
        if self.empty:
            raise NoTextError(f"{self.found.file}: is empty")
        count, unnamed = 0, Counter[bool]()
        for item in read(self.loader, self.found.file, self.options, isolated=self.isolated):
            if isinstance(item, Omission):
                if len(self.omissions) < MOST_OMISSIONS or (item.lost and self.strict):
                    self._leave_out(item)
                else:
                    unnamed[item.lost] += 1
            elif self.loader.records or item[1].media or not is_blank(item[1]):
                count += 1
                key, document = item
                yield replace(document, id=digest(self.found.root, self.found.path, key))
        for lost, number in unnamed.items():
            what = "cannot be read" if lost else "are left out"
            self._leave_out(Omission(f"{number:,} more things that {what}", lost))
        if not count:
            self._nothing_found()

    def _leave_out(self, omission: Omission) -> None:
        if omission.lost and self.strict:
            raise LoadError(f"{self.found.file}: {omission.what}")
        self.omissions.append(omission)
        if omission.lost:
            logger.warning("left out: %s: %s", self.found.file, omission.what)
        else:
            logger.info("left out: %s: %s", self.found.file, omission.what)

    def _nothing_found(self) -> None:
        """Says why a file has no documents, unless it is a file of no records."""
        file, left_out = self.found.file, list(self.omissions)
        lost = [omission for omission in left_out if omission.lost]
        if self.loader.records and not lost:
            return
        self.omissions.clear()
        if len(lost) == 1:
            raise LoadError(f"{file}: {lost[0].what}")
        if lost:
            raise LoadError(f"{file}: nothing of it can be read; the first of {len(lost):,} reasons: {lost[0].what}")
        raise NoTextError(f"{file}: has no text" + (f" ({left_out[0].what})" if left_out else ""))
