"""What a converter is given: sources, and the metadata of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

from haystack.dataclasses import ByteStream

from haystack_integrations.document_stores.late_rag.inputs import copied_meta
from late_rag.adapters import InputError


def check_sources(sources: Any) -> list[str | Path | ByteStream]:
    """A list of sources. A text alone would be taken for its letters, of which "/" is the whole disk, and an empty one
    for the folder that one is in.
    """
    if isinstance(sources, str | Path | ByteStream):
        raise InputError(f"sources takes a list; put it into one: [{_shown(sources)}]")
    if isinstance(sources, bytes | Mapping | Set) or not isinstance(sources, Iterable):
        raise InputError(f"sources takes a list of paths and ByteStreams, not {_shown(sources)}")
    found = list(sources)
    for number, source in enumerate(found):
        if not isinstance(source, str | Path | ByteStream) or (isinstance(source, str) and not source.strip()):
            raise InputError(f"sources[{number}] must be a path or a ByteStream, not {_shown(source)}")
    return found


def _shown(value: object) -> str:
    return "a ByteStream" if isinstance(value, ByteStream) else f"{value!r:.80}"


def check_metas(meta: Any, count: int) -> list[dict[str, Any]]:
    """A dict of its own for each source."""
    given = [{}] * count if meta is None else [meta] * count if isinstance(meta, dict | str) else _each(meta)
    if len(given) != count:
        raise InputError(f"meta has the length {len(given)}, and there are {count} sources; give a dict for each")
    for each in given:
        if not isinstance(each, dict):
            raise InputError(f"meta takes a dict, or a list of one for each source, not {each!r:.80}")
    return [copied_meta(each, "meta") for each in given]  # type: ignore[arg-type]  # they are dicts


def _each(metas: Any) -> list[Any]:
    """None is a source without metadata of its own."""
    if not isinstance(metas, Iterable):
        raise InputError(f"meta takes a dict, or a list of one for each source, not {metas!r:.80}")
    return [{} if meta is None else meta for meta in metas]
