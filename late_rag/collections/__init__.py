"""Where chunks and their embeddings are kept: one protocol for a folder on a laptop and for a cluster.

A location is a folder, or a URL whose scheme picks the engine (:data:`late_rag.backends.COLLECTIONS`). What a URL holds
to open it is nowhere shown, logged or recorded (:func:`shown`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from late_rag.backends import COLLECTIONS, resolve
from late_rag.errors import InputError
from late_rag.registry import shared
from late_rag.types import Mode

if TYPE_CHECKING:
    from late_rag.protocols import Collection, CollectionSettings

_CREDENTIALS = re.compile(r"\A(?:[^/?#]*@|[^/?#@:]*:(?!\d*(?:/[^?#@]*)?\?[^=@#]*=).*@)", re.DOTALL)
"""What stands before the host, also where a password has characters that should have been escaped, and may look like a
port and a path. Only where values of a query follow these is an @ taken for one in a value."""

_COLLAPSED = re.compile(r"\A([a-z][a-z0-9+.-]+):/(?=[^/]*@)", re.IGNORECASE)
"""The beginning of a URL with a name or password that was made a path."""

__all__ = ["create_collection", "location_key", "open_collection", "shared_collection", "shown"]


def create_collection(location: str | Path | None, settings: CollectionSettings) -> Collection:
    """Makes a collection; without a location a private temporary one, which is removed when it is closed.

    Raises:
        CollectionExistsError: there is one already; open it.
    """
    engine = _engine(location)
    return cast("Collection", engine.create(_inner(location) if location is not None else None, settings))


def open_collection(location: str | Path, mode: Mode = "write") -> Collection:
    """Opens a collection that exists.

    Raises:
        CollectionNotFoundError: there is none.
        CollectionReadOnlyError: ``mode="write"`` where nothing can be written.
        CollectionDamagedError: it is of another format, or damaged.
    """
    if mode not in ("write", "read"):
        raise InputError(f"mode must be 'write' or 'read', not {mode!r}")
    return cast("Collection", _engine(location).open(_inner(location), mode))


def shared_collection(location: str | Path, mode: Mode = "write") -> Collection:
    """The process's one open collection at this location; one that was closed is opened again.

    Who reads gets the one that is open for writing, where there is one, so that nothing is in memory twice.

    Raises:
        CollectionError: as for :func:`open_collection`.
    """
    key = ("collection", location_key(location), mode)
    writable = shared.peek((*key[:2], "write"))
    if mode == "read" and writable is not None and not writable.closed:
        return cast("Collection", writable)
    return shared.get(key, lambda: open_collection(location, mode), lambda collection: not collection.closed)


def location_key(location: str | Path) -> str:
    """The same for all spellings of a location."""
    scheme, _ = _split(location)
    return str(location) if scheme != "file" else str(Path(_inner(location)).resolve())


def shown(location: object) -> str:
    """A location as it may be printed, logged, recorded and put into errors: of a URL without what opens it.

    Name and password before the host go, and the values of the query, whose names stay.
    """
    text = str(location)
    if isinstance(location, Path):  # which writes one slash for two
        text = _COLLAPSED.sub(r"\1://", text)
    scheme, mark, rest = text.partition("://")
    if not mark:
        return text
    place, question, query = _CREDENTIALS.sub("", rest, count=1).partition("#")[0].partition("?")
    named = "&".join(f"{part.partition('=')[0]}=…" for part in query.split("&")) if question else ""
    return f"{scheme}://{place}{question}{named}"


def _engine(location: str | Path | None) -> Any:
    scheme = "file" if location is None else _split(location)[0]
    return resolve(COLLECTIONS, scheme, "collection scheme")


def _inner(location: str | Path) -> str | Path:
    scheme, rest = _split(location)
    return rest if scheme == "file" else location


def _split(location: object) -> tuple[str, str]:
    if not isinstance(location, str | Path) or not str(location).strip():
        raise InputError(f"a collection's location is a folder or a URL, not {shown(location)!r}")
    if "\0" in str(location):
        raise InputError(f"a collection's location has no NUL character: {shown(location)!r}")
    scheme, mark, rest = str(location).partition("://")
    return (scheme, rest) if mark and isinstance(location, str) else ("file", str(location))
