"""What a document's chunks do not have of it: long headings in whole, metadata that are too long to be copied."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

from late_rag.chunkers.prefixes import SEPARATOR
from late_rag.chunkers.sections import LONGEST_TITLE
from late_rag.types import Chunk, Document, Omission

logger = logging.getLogger(__name__)

_SHOWN = 60  # characters of a key


def told(document: Document, chunks: Iterable[Chunk], note: Callable[[Omission], object]) -> Iterator[Chunk]:
    """The chunks as they come; ``note`` is called once for each thing that they lack."""
    first, whole = True, True
    for chunk in chunks:
        if first and document.metadata is not chunk.metadata:
            for key in [key for key in document.metadata if key not in chunk.metadata]:
                note(Omission(f"metadata {key[:_SHOWN]!r}, too long for each passage: only the document has it", False))
        first = False
        if whole and _is_cut(chunk.metadata.get("heading")):
            whole = False
            note(Omission(f"headings after their first {LONGEST_TITLE:,} characters, in front of passages", False))
        yield chunk


def log(omission: Omission) -> None:
    """Says it where no result has room for it."""
    logger.warning("left out: %s", omission.what)


def _is_cut(heading: object) -> bool:
    if not isinstance(heading, str) or len(heading) < LONGEST_TITLE:
        return False
    return any(len(title) >= LONGEST_TITLE for title in heading.split(SEPARATOR))
