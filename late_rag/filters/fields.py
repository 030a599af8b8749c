"""Names of metadata fields: a key, or keys joined by dots that descend into dicts.

A key that has dots itself comes first: ``a.b`` is the key ``a.b`` where there is one, else ``b`` in ``a``. A name that
starts with ``$$`` means a key that starts with ``$``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from late_rag.filters.values import MISSING


def metadata_key(field: str) -> str:
    """The key, or keys joined by dots, that a field's name stands for."""
    return field[1:] if field.startswith("$$") else field


def lookup(metadata: Mapping[str, Any], name: str) -> Any:
    """The value under a name, or MISSING; of several readings the one whose keys are longest from the left."""
    if name in metadata:
        return metadata[name]
    place = name.rfind(".")
    while place >= 0:
        inner = metadata.get(name[:place], MISSING)
        if isinstance(inner, dict):
            found = lookup(inner, name[place + 1 :])
            if found is not MISSING:
                return found
        place = name.rfind(".", 0, place)
    return MISSING


def named_values(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Every name under which ``lookup`` finds a value, with that value: dicts, and what is in them."""
    best: dict[str, tuple[tuple[int, ...], Any]] = {}
    for keys, value in _walk(metadata, ()):
        lengths = tuple(map(len, keys))
        name = ".".join(keys)
        if name not in best or lengths > best[name][0]:
            best[name] = lengths, value
    return {name: value for name, (_, value) in best.items()}


def _walk(metadata: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in metadata.items():
        keys = (*above, key)
        yield keys, value
        if isinstance(value, dict):
            yield from _walk(value, keys)
