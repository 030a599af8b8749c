"""Files inside a file, such as those attached to a mail, by the loader of their extension."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from late_rag.backends import LOADERS, resolve
from late_rag.errors import LoadError
from late_rag.loaders.reading import check_size, is_blank, read
from late_rag.loading import LoadOptions
from late_rag.types import Document, Omission


def attached_documents(
    data: bytes, name: str, key: str, metadata: Mapping[str, Any], options: LoadOptions, *, extension: str = ""
) -> Iterator[tuple[str, Document] | Omission]:
    """The documents of an attachment, whose keys begin with ``key``; what cannot be read of it is an omission.

    Args:
        data: the bytes of the attachment.
        name: what it is called; kept as ``metadata["attachment"]``.
        key: of its document in the file that holds it.
        metadata: more of it, for each document that does not have it itself.
        options: as for the file that holds it.
        extension: the loader's, where the name has none that is known.
    """
    suffix = Path(name).suffix.lower()
    suffix = suffix if suffix in LOADERS else extension or suffix
    if suffix not in LOADERS:
        what = f"attachment {name!r}: there is no loader for {suffix or 'files without an extension'}"
        yield Omission(what, lost=False)
        return
    found = False
    for item in _read(data, suffix, options):
        if isinstance(item, Omission):
            found = True
            yield replace(item, what=f"attachment {name!r}: {item.what}")
        elif not is_blank(item[1]):
            found = True
            inner, document = item
            kept = replace(document, metadata={"attachment": name, **metadata, **document.metadata}, media=())
            yield f"{key}/{inner}" if inner else key, kept
    if not found:
        yield Omission(f"attachment {name!r}: has no text", lost=LOADERS[suffix].name != "ImageLoader")


def _read(data: bytes, suffix: str, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:
    """What the loader gives for the bytes in a file of their own, and what it raises as an omission."""
    if not data:
        yield Omission("is empty")
        return
    with TemporaryDirectory(prefix="late-rag-") as folder:
        path = Path(folder) / f"attachment{suffix}"
        path.write_bytes(data)
        try:
            check_size(LOADERS[suffix], path, len(data))
            loader = resolve(LOADERS, suffix, "loader")()
            yield from read(loader, path, options, isolated=LOADERS[suffix].isolated)
        except LoadError as error:
            yield Omission(str(error).removeprefix(f"{path}: ").replace(str(path), "it"))
