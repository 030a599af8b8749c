"""Changes of metadata, where some of it is encoded in front of the text (``embed_metadata``, headings, title)."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from late_rag.chunkers.encoded import encoded_keys, heading_in_front, possible_keys, table_in_front
from late_rag.chunkers.prefixes import SEPARATOR
from late_rag.filters.selection import Selection
from late_rag.metadata import same as same_value
from late_rag.retriever.encoding import Batch, encode
from late_rag.retriever.places import Places
from late_rag.retriever.progress import Meter
from late_rag.types import Chunk, Metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from late_rag.chunkers.prefixes import Prefixes
    from late_rag.retriever.stages import Stages

_WRITTEN_TOGETHER = 256


class MetadataUpdate:
    """One change of the metadata of a selection.

    Chunks whose encoded text changes with it are encoded and written first, some hundred in a commit; then the
    collection changes the metadata of the others, and of the documents. Cut off in between, it can be run again.
    """

    def __init__(self, stages: Stages, changes: Metadata, mode: Literal["merge", "replace"]) -> None:
        self._stages = stages
        self._collection = stages.collection
        self._changes = changes
        self._mode = mode
        self._settings = self._collection.settings
        self._places = Places(self._collection)

    def run(self, selection: Selection) -> int:
        """Changes the chunks meant; how many there are."""
        if self._may_touch_encoded():
            # the ids, not the selection: a filter may no longer match what is written on the way
            ids = [chunk.id for batch in self._collection.iterate(selection) for chunk, _ in batch]
            selection = Selection(ids=tuple(ids))
            encode(self._stages, self._wanted(ids), Meter(None))
            self._places.restore()
            self._collection.finish_load()
        return self._collection.update_metadata(selection, self._changes, self._mode)

    def _may_touch_encoded(self) -> bool:
        return any(key in self._changes or self._mode == "replace" for key in possible_keys(self._settings))

    def _wanted(self, ids: Sequence[str]) -> Iterator[tuple[Batch, Chunk]]:
        for start in range(0, len(ids), _WRITTEN_TOGETHER):
            batch = Batch(self._write)
            for before in self._collection.get(ids[start : start + _WRITTEN_TOGETHER]):
                metadata = self._metadata(before)
                if any(
                    not same_value(before.metadata.get(key), metadata.get(key))
                    for key in encoded_keys(before, self._settings)
                ):
                    self._places.note([before])  # the batch is written only after it is closed
                    after = self._changed(before, metadata)
                    same = before.content_hash == after.content_hash
                    batch.put(after, self._collection.embeddings([before.id])[before.id] if same else None)
                    if not same:
                        yield batch, after
            batch.close()

    def _metadata(self, chunk: Chunk) -> Metadata:
        return {**chunk.metadata, **self._changes} if self._mode == "merge" else dict(self._changes)

    def _changed(self, chunk: Chunk, metadata: Metadata) -> Chunk:
        """The chunk with the new metadata, also in front of its text if the old stood there."""
        old, new = self._prefixes(chunk.metadata, ()), self._prefixes(metadata, ())
        text = self._with_heading(chunk, metadata)
        if text.startswith(old):
            text = new + text[len(old) :]
        embed_text = chunk.embed_text if text == chunk.encoded_text else text
        return replace(chunk, metadata=metadata, embed_text=None if embed_text == chunk.text else embed_text)

    def _with_heading(self, chunk: Chunk, metadata: Metadata) -> str:
        """What is encoded of the chunk, with the new heading or title in place of the old."""
        text, found = chunk.encoded_text, heading_in_front(chunk, self._settings)
        if found is None or chunk.metadata[found[0]] == metadata.get(found[0]):
            return text
        key, line = found
        old, new = _headings(key, chunk.metadata), _headings(key, metadata)
        # the first chunk below a heading has that in its text, so only those above it stand in front
        inside = next((count for count in range(len(old)) if self._prefixes({}, old[: len(old) - count]) == line), 0)
        rest = table_in_front(chunk) + chunk.text
        start = len(text) - len(rest) - len(line)
        return text[:start] + self._prefixes({}, new[: max(len(new) - inside, 0)]) + rest

    @cached_property
    def _prefixes(self) -> Prefixes:
        from late_rag.chunkers.options import ChunkingOptions, Limits
        from late_rag.chunkers.prefixes import Prefixes
        from late_rag.chunkers.tokens import TokenCounter

        encoder = self._stages.encoder
        recorded = dict(self._settings.chunking or {}) | {"embed_metadata": self._settings.embed_metadata}
        options = ChunkingOptions.from_json(recorded)
        return Prefixes(options, TokenCounter(encoder.tokenizer), Limits.of(options, encoder.document_capacity))

    def _write(self, batch: Batch) -> None:
        chunks, embeddings = batch.take_ready()
        if chunks:
            self._collection.add(chunks, embeddings)


def _headings(key: str, metadata: Metadata) -> list[str]:
    """The value as the headings that a prefix is written of; none where it is no text."""
    value = metadata.get(key)
    if not isinstance(value, str) or not value.strip():
        return []
    return value.split(SEPARATOR) if key == "heading" else [value]
