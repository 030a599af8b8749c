"""Which files are meant, and what each is called: the root it belongs to and its path in it.

A file has one name however it is reached. It belongs to the innermost root that the collection knows already, else
to the outermost of the given folders that holds it, else to its own folder. A symbolic link to a file or folder that
is reached by its own name as well is passed over; one that leads elsewhere is followed under the link's name.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from late_rag.errors import InputError, LoadError
from late_rag.types import Source, SourceFile

logger = logging.getLogger(__name__)

_COLLECTION_FILE = "collection.sqlite"
_URL = re.compile(r"[a-z][a-z0-9+.-]+:/")  # of which a path has one slash


@dataclass(frozen=True)
class Scope:
    """A part of a root that is looked through: the whole (``below`` is ""), a folder in it, or one file."""

    root: str
    below: str

    def covers(self, source: Source) -> bool:
        """Whether looking through this scope comes upon the source, if it is still there."""
        if source.root != self.root:
            return False
        if source.path == self.below:
            return True
        below = f"{self.below}/" if self.below else ""
        return source.path.startswith(below) and not _is_hidden(source.path.removeprefix(below))


def gone(stored: Iterable[Source], found: Iterable[SourceFile], scopes: Collection[Scope]) -> list[Source]:
    """Those of the stored sources that the scopes cover and that were not found there: what ``sync`` removes.

    Nothing is gone because it could not be looked at: where a file or folder has an error, all below it stays.
    """
    names: set[tuple[str, str]] = set()
    unknown: set[str] = set()
    for file in found:
        names.add((file.root, file.path))
        if file.error:
            unknown.add(file.location.rstrip("/"))
    return [
        source
        for source in stored
        if (source.root, source.path) not in names
        and any(scope.covers(source) for scope in scopes)
        and unknown.isdisjoint(map(str, PurePosixPath(source.location).parents))
    ]


@dataclass(frozen=True)
class Found:
    """A file or unreadable folder that was found: where it is, what it is called, and what is wrong with it.

    ``path`` is relative to the root; that of a folder ends in ``/`` (the root itself is "").
    """

    file: Path
    root: str
    path: str
    error: LoadError | None = None


@dataclass(frozen=True)
class Places:
    """The folders and files that were asked for, resolved, and the roots they may belong to."""

    folders: tuple[Path, ...]
    files: tuple[Path, ...] = ()
    known: tuple[Path, ...] = ()
    label: str | None = None
    named: Path | None = None

    def name(self, folder: Path) -> tuple[str, str]:
        """Label of the root of the files in a folder, and the folder's path in it, with a ``/`` behind unless ""."""
        root = self._root(folder)
        inside = folder.relative_to(root).as_posix()
        return self.label or root.as_posix(), "" if inside == "." else f"{inside}/"

    def _root(self, folder: Path) -> Path:
        if self.named is not None:
            return self.named
        known = [root for root in self.known if folder.is_relative_to(root)]
        if known:
            return max(known, key=lambda root: len(root.parts))
        return next((given for given in self.folders if folder.is_relative_to(given)), folder)

    def reaches(self, target: Path) -> bool:
        """Whether this file or folder is found by its own name."""
        return target in self.files or any(_shows(folder, target) for folder in self.folders)

    def knows(self, target: Path) -> bool:
        """Whether a known root would come upon this file or folder by its own name."""
        return any(_shows(root, target) for root in self.known)

    def scopes(self) -> list[Scope]:
        """What is looked through, as parts of roots."""
        scopes = []
        for folder in self.folders:
            label, inside = self.name(folder)
            scopes.append(Scope(label, inside.rstrip("/")))
            scopes += [Scope(root.as_posix(), "") for root in self.known if _shows(folder, root)]
        for file in self.files:
            label, inside = self.name(file.parent)
            scopes.append(Scope(label, inside + file.name))
        return list(dict.fromkeys(scopes))


def find_places(
    paths: str | Path | Iterable[str | Path], *, as_: str | None = None, known_roots: Sequence[str] = ()
) -> Places:
    """Sorts out which folders and files are meant; the arguments are those of :func:`late_rag.loaders.load`.

    Raises:
        InputError: paths that are not there, or ``as_`` is empty or would have to name several roots.
    """
    check_label(as_)
    named = check_paths(paths)
    missing = [str(path) for path in named if not os.path.lexists(path)]
    if missing:
        fetched = "; fetch what is at a URL first, and give the file" if any(map(_URL.match, missing)) else ""
        raise InputError(f"there is no file or folder {', '.join(map(repr, missing))}{fetched}")
    given = list(map(Path, named))
    folders = _outermost(path.resolve() for path in given if path.is_dir())
    alone = {path.parent.resolve() / path.name for path in given if not path.is_dir()}
    files = tuple(sorted(file for file in alone if not Places(folders).reaches(file)))
    if as_ is not None:
        return Places(folders, files, (), as_.rstrip("/"), _only_root(as_, folders, files))
    known = tuple(Path(root) for root in dict.fromkeys(known_roots) if Path(root).is_absolute())
    return Places(folders, files, known)


def check_label(as_: object) -> None:
    """Raises InputError for a name of the root that is none."""
    if as_ is not None and (not isinstance(as_, str) or not as_.strip("/ ")):
        raise InputError(f"as_ names the root of what is loaded: a text that is not empty, not {as_!r:.80}")


def check_paths(paths: object) -> list[str | Path]:
    """The paths as a list, as they were given, whether there is anything or not.

    Raises:
        InputError: no path and no list of paths; names the argument, and the place of what is wrong.
    """
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    if not isinstance(paths, Iterable) or isinstance(paths, bytes | Mapping):
        raise InputError(f"paths must be a file or folder, or a list of them, not {paths!r:.80}")
    given = list(paths)
    for place, path in enumerate(given):
        if not isinstance(path, str | os.PathLike) or not isinstance(text := os.fspath(path), str):
            raise InputError(f"paths[{place}] is {path!r:.80}; a path is a text or a Path")
        if not text:
            raise InputError(f"paths[{place}] is ''; name a file or folder, such as '.' for this one")
    return given


def _outermost(folders: Iterable[Path]) -> tuple[Path, ...]:
    """The folders that none of the others shows."""
    kept: list[Path] = []
    for folder in sorted(set(folders), key=lambda folder: folder.parts):
        if not any(_shows(outer, folder) for outer in kept):
            kept.append(folder)
    return tuple(kept)


def _only_root(label: str, folders: Iterable[Path], files: Iterable[Path]) -> Path | None:
    roots = _outermost([*folders, *(file.parent for file in files)])
    if len(roots) > 1:
        names = ", ".join(root.as_posix() for root in roots)
        raise InputError(f"as_={label!r} names one root, but the paths belong to {len(roots)}: {names}")
    return roots[0] if roots else None


def _shows(folder: Path, target: Path) -> bool:
    """Whether the target is below the folder (or the folder itself) with nothing hidden between them."""
    return target.is_relative_to(folder) and not _is_hidden(target.relative_to(folder).as_posix())


def _is_hidden(path: str) -> bool:
    """Whether a part of the path is a dotfile, a dotted folder, or the lock file of an office program."""
    return any(part.startswith((".", "~$")) and part != "." for part in path.split("/"))


def find_files(places: Places) -> Iterator[Found]:
    """Every file that is meant, once, in a fixed order: the folders, each sorted by name, then files given alone."""
    walk = _Walk(places)
    for given in (*places.folders, *places.files):
        yield from walk.below(given)


class _Place(NamedTuple):
    """Where something is, and its name, which a link may have given."""

    real: Path
    shown: Path


class _Walk:
    """One pass through folders. It keeps its own stack: folders may be nested deeper than calls of functions."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._seen: set[str] = set()

    def below(self, start: Path) -> Iterator[Found]:
        """The files of a folder and of all folders in it, or the file itself."""
        waiting = [iter([_Place(start, start)])]
        while waiting:
            place = next(waiting[-1], None)
            if place is None:
                waiting.pop()
                continue
            found = self._entry(place)
            if isinstance(found, Found):
                yield found
            else:
                waiting.append(iter(found))

    def _entry(self, place: _Place) -> Found | Sequence[_Place]:
        """A file, or what is to be looked at in its place."""
        if str(place.real) in self._seen:
            return ()
        self._seen.add(str(place.real))
        if os.path.islink(place.real):  # noqa: PTH114 - False where it may not be looked at; pathlib raises
            return self._link(*place)
        if os.path.isdir(place.real):  # noqa: PTH112 - the same
            return self._folder(*place)
        return self._file(*place)

    def _folder(self, real: Path, shown: Path) -> Found | Sequence[_Place]:
        try:
            names = sorted(entry.name for entry in real.iterdir())
        except OSError as error:
            label, inside = self._places.name(shown)
            reason = f"{_printable(str(shown))}: folder cannot be read: {error.strerror or error}"
            return Found(real, _printable(label), _printable(inside), LoadError(reason))
        if _COLLECTION_FILE in names:
            logger.info("%s: passed over: it is a collection", _printable(str(shown)))
            return ()
        return [_Place(real / name, shown / name) for name in names if not _is_hidden(name)]

    def _link(self, real: Path, shown: Path) -> Found | Sequence[_Place]:
        try:
            target = real.resolve(strict=True)
        except (OSError, RuntimeError):  # Python 3.11 and 3.12 raise RuntimeError for links in a circle
            return self._file(real, shown, "a symbolic link that leads nowhere")
        if self._places.reaches(target) or target in real.parents:
            return ()
        return [_Place(target, target if self._places.knows(target) else shown)]

    def _file(self, real: Path, shown: Path, wrong: str | None = None) -> Found:
        label, inside = self._places.name(shown.parent)
        path = inside + shown.name
        if wrong is None:
            wrong = _what_is_wrong(real, label + path)
        return Found(
            real,
            _printable(label),
            _printable(path),
            LoadError(f"{_printable(str(shown))}: {wrong}") if wrong else None,
        )


def _what_is_wrong(file: Path, name: str) -> str | None:
    if _printable(name) != name:
        return "its name is not valid Unicode; rename it"
    try:
        mode = file.stat().st_mode
    except OSError as error:
        return error.strerror or str(error)
    return None if stat.S_ISREG(mode) else "is not a regular file"


def _printable(name: str) -> str:
    r"""The name with ``\x..`` for bytes that are not valid in the file system's encoding."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
