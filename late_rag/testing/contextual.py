"""A contextual encoder without a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.testing.doubles import HashEncoder
from late_rag.types import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from late_rag.types import Chunk, Document, TokenEmbeddings


class ContextualEncoder(HashEncoder):
    """:class:`HashEncoder`, which says by the marker row of a chunk of which document it is, and where in it.

    So a chunk that was encoded in another document, or in another state of its own, is told by its first row.
    """

    contextual = True
    variant = "hash-contextual"

    def __init__(
        self, dim: int = 64, query_length: int = 64, document_length: int = 128, model: str = "contextual"
    ) -> None:
        super().__init__(dim, query_length, document_length, model)

    def encode_documents(
        self, chunks: Iterable[Chunk], documents: Mapping[str, Document] | None = None
    ) -> Iterator[TokenEmbeddings]:
        for chunk in chunks:
            (rows,) = super().encode_documents([chunk])
            document = (documents or {}).get(chunk.document_id)
            if document is not None and len(rows):
                rows[0] = self.marker(chunk, document)
            yield rows

    def marker(self, chunk: Chunk, document: Document) -> TokenEmbeddings:
        """The row in front of a chunk of this document, ``(dim,) float32``."""
        return self._vector(digest(document.content_hash, str(chunk.start)))
