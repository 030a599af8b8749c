"""One manifest for all files of a version of the index: their sizes and checksums, whatever kind of index wrote them.

The manifest's own digest stands in the commit that publishes the version, so nothing can be put in the place of what
was written. Files and folder are on the disk before that commit.
"""

from __future__ import annotations

import json
import os
import stat
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from late_rag.errors import CollectionDamagedError
from late_rag.scoring.workers import parallel
from late_rag.types import digest

NAME = "files.json"
_PIECE = 4 * 2**20
"""Bytes that have a checksum of their own, so that all cores share the work."""


def write(folder: Path, about: Mapping[str, object], measured: Mapping[str, object] | None = None) -> str:
    """Writes the manifest of what is in a folder, makes all of it durable, and gives the manifest's digest.

    Args:
        folder: The version's, in the folder of all versions, in the collection's.
        about: What must be true of the version when it is read.
        measured: What was found out when it was built, for whoever reads it.
    """
    paths = {name: folder / name for name in _names(folder) if name != NAME}
    files = {name: {"size": path.stat().st_size, "checks": _checks(path)} for name, path in paths.items()}
    content = json.dumps({"about": dict(about), "files": files, "measured": measured}).encode()
    (folder / NAME).write_bytes(content)
    below = {parent for path in paths.values() for parent in path.parents if folder in parent.parents}
    for path in (*paths.values(), folder / NAME, *below, folder, folder.parent, folder.parent.parent):
        _sync(path)
    return digest(content)


def check(folder: Path, expected: str, about: Mapping[str, object]) -> Any:
    """Whether a folder holds exactly what was written into it; what was measured of it.

    Raises:
        CollectionDamagedError: a link, or a file that is missing, too many, of another size or content.
    """
    try:
        _check_folder(folder)
        content = _plain(folder / NAME).read_bytes()
        manifest = json.loads(content)
        if digest(content) != expected or manifest["about"] != about:
            raise CollectionDamagedError(f"{folder / NAME}: is not the one that was published")
        known: Mapping[str, Any] = manifest["files"]
        there = set(_names(folder)) - {NAME}
        if there != set(known):
            raise CollectionDamagedError(f"{folder}: holds {sorted(there)}, published were {sorted(known)}")
        for name, facts in known.items():
            _check_file(folder / name, facts["size"], facts["checks"])
        return manifest.get("measured")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CollectionDamagedError(f"{folder}: not index files as late_rag writes them: {error!r}") from error


def measured(folder: Path, expected: str) -> Any:
    """What was measured of a version, its files not looked at; None where its manifest is not what was published."""
    try:
        content = _plain(folder / NAME).read_bytes()
        return json.loads(content).get("measured") if digest(content) == expected else None
    except (OSError, ValueError, AttributeError, RecursionError, CollectionDamagedError):
        return None


def _names(folder: Path) -> list[str]:
    """All that is no folder below one, as seen from it; no link is followed."""
    found = [
        Path(place, name) for place, folders, files in os.walk(folder) for name in (*files, *_links(place, folders))
    ]
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _links(place: str, folders: list[str]) -> list[str]:
    return [name for name in folders if Path(place, name).is_symlink()]


def _check_folder(folder: Path) -> None:
    for place in (folder.parent, folder):
        if not stat.S_ISDIR(place.lstat().st_mode):
            raise CollectionDamagedError(f"{place}: is not a folder of the collection's own")


def _plain(path: Path) -> Path:
    if not stat.S_ISREG(path.lstat().st_mode):
        raise CollectionDamagedError(f"{path}: is not a plain file")
    return path


def _check_file(path: Path, size: int, checks: list[int]) -> None:
    found = _plain(path).lstat().st_size
    if found != size:
        raise CollectionDamagedError(f"{path}: has {found} bytes, written were {size}")
    if _checks(path) != checks:
        raise CollectionDamagedError(f"{path}: its content is not what was written")


def _checks(path: Path) -> list[int]:
    """CRC-32 of each piece; read, not mapped, so that a bad disk is an error and does not end the process."""
    with path.open("rb", buffering=0) as file:
        descriptor = file.fileno()
        return parallel(lambda place: _check(descriptor, place), list(_places(os.fstat(descriptor).st_size)))


def _places(size: int) -> Iterator[int]:
    yield from range(0, size, _PIECE)


def _check(descriptor: int, place: int) -> int:
    return zlib.crc32(os.pread(descriptor, _PIECE, place))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
