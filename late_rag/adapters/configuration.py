"""What a component may be given as its collection, and what is written down of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from late_rag.errors import CollectionError, InputError

if TYPE_CHECKING:
    from late_rag.protocols import Collection


def check_collection(value: Any) -> Any:
    """A location, or what can be searched.

    Raises:
        InputError: neither.
    """
    located = isinstance(value, str | Path) and str(value).strip()
    if located or (hasattr(value, "search") and hasattr(value, "settings")):
        return value
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
