"""What a filter let through, held against the filter itself before it is returned.

Rows are selected by the facets, which are derived from the metadata and have no checksum. The metadata have one; so a
passage that a filter forbids is an error where the facets are damaged, and is not shown.
"""

from __future__ import annotations

from late_rag.errors import CollectionDamagedError
from late_rag.filters import matches, parse
from late_rag.filters.selection import Selection
from late_rag.types import Chunk


def check_meant(selection: Selection | None, row: int, chunk: Chunk, source: str | None) -> None:
    """Whether the filter of a selection means a chunk that was found by it; ``source`` is its source's location.

    Raises:
        CollectionDamagedError: it does not; names the row, and nothing of the chunk.
    """
    if selection is None or selection.filter is None:
        return
    if not matches(parse(selection.filter), chunk.metadata, chunk.id, chunk.document_id, chunk.text, source):
        raise CollectionDamagedError(
            f"row {row} was found by a filter that its metadata do not meet: facets are damaged; run late-rag repair"
        )
