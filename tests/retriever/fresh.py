"""What a collection must be after a sync, however it came to it: what a new one would be."""

from __future__ import annotations

from pathlib import Path

from late_rag import Retriever

PARAGRAPHS = ["\n\n".join(f"{name}{part} " * 25 for part in range(4)) for name in ("ant", "bee", "cat", "dog")]


def contents(retriever: Retriever) -> dict[str, tuple[str, str, dict]]:
    """Everything that is stored, with the source that a hit names."""
    return {
        chunk.id: (chunk.document_id, chunk.encoded_text, dict(chunk.metadata), chunk.start)
        for batch in retriever.collection.iterate()
        for chunk, _ in batch
    }


def is_fresh(retriever: Retriever, folder: Path) -> None:
    """The collection is what a new one would be, embeddings included."""
    with Retriever.create(None, retriever.encoder) as fresh:
        fresh.sync(folder)
        expected = contents(fresh)
        assert contents(retriever) == expected
        embeddings = retriever.collection.embeddings(list(expected))
        for identity, rows in fresh.collection.embeddings(list(expected)).items():
            assert (embeddings[identity] == rows).all()
        assert states(retriever) == states(fresh)


def states(retriever: Retriever) -> dict[str, str]:
    return {source.location: source.hash for source in retriever.collection.sources()}
