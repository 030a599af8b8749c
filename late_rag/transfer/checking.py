"""What the lines of an import may hold: whatever a collection would refuse later is told before anything is written."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from late_rag.errors import InputError
from late_rag.protocols import CollectionSettings
from late_rag.specs import IndexSpec
from late_rag.types import Media, Source

LARGEST = 2**63 - 1
MOST_DIMENSIONS = 2**16

_TEXT = (str,)
_MAPPING = (Mapping, type(None))
_LIST = (list,)
_KINDS: Mapping[str, tuple[type, ...]] = {
    "model": _TEXT,
    "model_id": _TEXT,
    "dim": (int,),
    "variant": _TEXT,
    "model_relative": (str, type(None)),
    "storage": _TEXT,
    "pooling": _MAPPING,
    "chunking": _MAPPING,
    "embed_metadata": _LIST,
    "language": _TEXT,
    "index": _TEXT,
    "index_options": (Mapping,),
    "content": _TEXT,
    "include": _LIST,
    "probe": _MAPPING,
}
"""The settings and their types, as JSON has them."""


def read_settings(data: Mapping[str, Any]) -> CollectionSettings:
    """The settings of the first line.

    Raises:
        InputError: one is missing, unknown, of another type, or cannot be.
    """
    known = {item.name for item in fields(CollectionSettings)}
    if unknown := sorted(set(data) - known):
        raise InputError(f"unknown setting {unknown[0]!r}; there are {', '.join(sorted(known))}")
    if missing := [name for name in ("model", "model_id", "dim") if name not in data]:
        raise InputError(f"the settings lack {missing[0]!r}")
    for name, value in data.items():
        if not isinstance(value, _KINDS[name]) or isinstance(value, bool):
            raise InputError(f"the setting {name!r} is {_shown(value)}, a {type(value).__name__}")
        if isinstance(value, list) and not all(isinstance(item, str) for item in value):
            raise InputError(f"the setting {name!r} holds something that is no text: {_shown(value)}")
    for name in ("model", "model_id"):
        check_text(data[name], f"the setting {name!r}", empty=False)
    if not 1 <= data["dim"] <= MOST_DIMENSIONS:
        raise InputError(f"the setting 'dim' is {_shown(data['dim'])}; it is from 1 to {MOST_DIMENSIONS:,}")
    return _usable(CollectionSettings.from_dict(data))


def _usable(settings: CollectionSettings) -> CollectionSettings:
    """The settings, if the stages that they describe can be made."""
    from late_rag.backends import CHUNKERS, resolve
    from late_rag.chunkers import ChunkingOptions
    from late_rag.loading import LoadOptions
    from late_rag.pooling import load_pooling

    try:
        load_pooling(settings.pooling)
        if settings.chunking is not None:
            resolve(CHUNKERS, ChunkingOptions.from_json(settings.chunking).kind, "chunker")
        LoadOptions(settings.content, settings.include)
        IndexSpec(settings.index, **settings.index_options).checked()
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f"settings that cannot be: {error}") from error
    for name, rows in (settings.probe or {}).items():
        _check_probe(name, rows, settings.dim)
    return settings


def _check_probe(name: str, rows: object, dim: int) -> None:
    known = name in ("query", "document") and isinstance(rows, list)
    if not known or not all(isinstance(row, list) and len(row) == dim and all(map(_is_finite, row)) for row in rows):  # type: ignore[attr-defined]
        raise InputError(f"the probe's {name!r} are no embeddings of dim {dim}")


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e6 < value < 1e6


def read_source(data: Mapping[str, Any]) -> Source:
    """A source whose numbers a collection can hold.

    Raises:
        InputError: a text with NUL, an empty path, or a number that cannot be.
    """
    for name in ("root", "path", "hash"):
        check_text(data[name], f"the source's {name}", empty=name != "path")
    check_whole(data["size"], "the source's size")
    if not _is_moment(data["mtime"]):
        raise InputError(f"the source's mtime is {_shown(data['mtime'])}, no number of seconds")
    return Source(**dict(data))


def _is_moment(value: float) -> bool:
    return -(2**53) < value < 2**53 and math.isfinite(value)


def read_source_key(data: Mapping[str, Any]) -> tuple[str, str]:
    """Root and path of a document's source.

    Raises:
        InputError: they are no texts.
    """
    root, path = data.get("root"), data.get("path")
    if not isinstance(root, str) or not isinstance(path, str):
        raise InputError(f"the document's source has a root and a path, both texts, not {_shown(data)}")
    return root, path


def read_media(data: object) -> Media:
    """A picture or the like.

    Raises:
        InputError: it has no path and no bytes, or something of another type.
    """
    if not isinstance(data, Mapping) or ("path" in data) == ("base64" in data):
        raise InputError(f"media have a path or base64, not {_shown(data)}")
    kinds = {"path": str, "base64": str, "mime_type": str, "hash": str}
    for name, value in data.items():
        if name != "page" and not isinstance(value, kinds.get(name, ())):
            raise InputError(f"the media's {name[:40]} is {_shown(value)}, a {type(value).__name__}")
        if name != "page":
            check_text(value, f"the media's {name}", empty=True)
    if "mime_type" not in data:
        raise InputError("the media have no mime_type")
    if data.get("page") is not None:
        check_whole(data["page"], "the media's page")
    try:
        base64.b64decode(data.get("base64", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"the media's base64 cannot be read: {error}") from error
    return Media.from_json({"page": None, **data})


def check_id(value: str, name: str) -> None:
    """Raises InputError for what is no id."""
    check_text(value, name, empty=False)


def check_text(value: str, name: str, *, empty: bool) -> None:
    """Raises InputError for a text that holds NUL, or is empty where it must not be."""
    if "\0" in value or not (value or empty):
        raise InputError(f"{name} is {_shown(value)}; it {'' if empty else 'is not empty and '}holds no NUL")


def check_span(start: int | None, end: int | None) -> None:
    """Raises InputError for places that are none in a text."""
    for name, value in (("start", start), ("end", end)):
        if value is not None:
            check_whole(value, f"the chunk's {name}")
    if start is not None and end is not None and start > end:
        raise InputError(f"the chunk starts at {start} and ends at {end}")


def check_whole(value: object, name: str) -> None:
    """Raises InputError for what is no whole number from 0 that fits into 64 bits."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST:
        raise InputError(f"{name} is {_shown(value)}, no whole number from 0 to 2^63 - 1")


def _shown(value: object) -> str:
    from late_rag.filters.operators import shown

    return shown(value)
