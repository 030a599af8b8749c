"""What a component may be given as its collection, and what is written down of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from late_rag.errors import CollectionError, InputError

if TYPE_CHECKING:
    from late_rag.protocols import Collection


class Location(str):
    """A location that opens a collection as any text would, and shows nothing of what opens it in a ``repr``.

    So neither does a component that holds it, nor an error that quotes what it was made with.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        from late_rag.collections import shown

        return repr(shown(str(self)))


def without_secrets(cls: Any, given: Any, check: Any) -> Any:  # noqa: ARG001 - as pydantic calls it
    """A validator of mode "wrap", the last of its class: what all others may quote of the component's arguments."""
    location = given.get("collection") if isinstance(given, Mapping) else None
    return check({**given, "collection": Location(location)} if type(location) is str else given)


def check_collection(value: Any) -> Any:
    """A location, or what can be searched; of a :class:`late_rag.Retriever` its collection.

    Raises:
        InputError: neither.
    """
    located = isinstance(value, str | Path) and str(value).strip()
    if located:
        return Location(value) if isinstance(value, str) else value
    if hasattr(value, "search") and hasattr(value, "settings"):
        return value
    inner = getattr(value, "collection", None)
    if hasattr(inner, "search") and hasattr(inner, "settings"):
        return inner
    raise InputError(f"collection is a location or an open collection, not {value!r}")


def location_of(collection: str | Path | Collection) -> str:
    """The location, as a component that is serialised has it: of a URL without what opens it.

    Raises:
        CollectionError: a temporary collection, which lives in this process only.
    """
    if isinstance(collection, str | Path):
        from late_rag.collections import shown

        return shown(collection)
    if collection.temporary:
        raise CollectionError(
            f"{collection.location} is a temporary collection, which lives in this process only; copy it to a location "
            "and give that"
        )
    return collection.location


def seen_from(collection: Any) -> str | None:
    """The folder that a relative location is seen from when a component is made: the current one; else None."""
    if not isinstance(collection, str | Path) or "://" in str(collection) or Path(collection).is_absolute():
        return None
    try:
        return os.getcwd()  # noqa: PTH109 - as text, because components keep and compare it
    except FileNotFoundError:  # the current folder was removed
        return None


def anchored(collection: Any, folder: str | None) -> Any:
    """The collection; a location as seen from the folder, where there is one."""
    return collection if folder is None else str(Path(folder) / collection)
