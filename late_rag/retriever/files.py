"""One changed file on its way into the collection: as a whole, or record by record."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from late_rag.errors import InputError, LateRAGError, UnsupportedError
from late_rag.filters.selection import Selection
from late_rag.retriever.encoding import Batch
from late_rag.retriever.inputs import clean_document
from late_rag.retriever.modalities import has_text, unread_media, unsupported
from late_rag.retriever.reuse import StoredEmbeddings, paired_chunks, unchanged
from late_rag.types import Chunk, Document, Media, Omission, Source, SourceFile

if TYPE_CHECKING:
    from late_rag.retriever.reuse import Paired
    from late_rag.retriever.stages import Stages
    from late_rag.road import Passage
    from late_rag.types import TokenEmbeddings

logger = logging.getLogger(__name__)

STAGE_SECONDS = 30.0
STAGE_BYTES = 128 * 2**20
"""Embeddings of one file that are held in memory before they are staged."""

MOST_NOTES = 20
"""Different things that chunks of one file lack, in its report."""

GROUP_RECORDS = 64
GROUP_CHARACTERS = 128_000

Wanted: TypeAlias = Iterator[tuple[Batch, Chunk]]


class FileWork:
    """What is done with one changed file. It ends once: written, or failed with what was there before kept.

    Args:
        before: whose embeddings may be used again: the file as it was, or a file of the same content.
        resume: whether earlier runs may have staged anything.
        advance: is told how much of the file is read, from 0 to 1.
        ended: is told the end, with the error of a file that failed.
    """

    def __init__(
        self,
        stages: Stages,
        file: SourceFile,
        before: Source | None,
        resume: bool,
        advance: Callable[[float], None],
        ended: Callable[[FileWork, LateRAGError | None], None],
    ) -> None:
        self.file = file
        self.written = 0
        self.reused = 0
        self.over = False
        self.unread = False
        """Whether it ended because there is nothing in it that the model reads."""
        self._unread_media = ""
        self._kept = self._blank = 0
        self._noted: dict[Omission, None] = {}
        self._stages = stages
        self._collection = stages.collection
        self._before = before
        self._resume = resume
        self._advance = advance
        self._ended = ended

    def wanted(self) -> Wanted:
        """Reads the file, and yields the chunks that must be encoded, each with its batch."""
        try:
            yield from self._chunks()
        except (InputError, UnsupportedError) as error:
            self._end(error)
        except MemoryError:
            self._end(self._too_large())

    def _too_large(self) -> InputError:
        return InputError(f"{self.file.path} takes more memory than there is; split it")

    def _note(self, omission: Omission) -> None:
        """What chunks do not have of their document, once for the file."""
        if omission not in self._noted and len(self._noted) < MOST_NOTES:
            self._noted[omission] = None
            self.file.omissions.append(omission)

    def rescue(self) -> None:
        """Keeps what is encoded of a file that this run does not finish."""

    def _chunks(self) -> Wanted:
        raise NotImplementedError

    def _put(self, batch: Batch, pairs: Paired) -> Wanted:
        for chunk, embeddings in pairs:
            if embeddings is not None:
                self.reused += 1
                batch.put(chunk, embeddings)
            elif self._is_read(chunk):
                self._kept += 1
                batch.put(chunk, None)
                yield batch, chunk

    def _is_read(self, chunk: Chunk) -> bool:
        """Whether the model reads anything of it, or there is nothing to be read; what it does not read is noted."""
        if has_text(chunk):
            return True
        encoder = self._stages.encoder
        if what := unread_media(chunk, encoder):
            self._unread_media = what
            self._note(Omission(f"a {what}, which the model {encoder.model!r} does not read", lost=False))
            return False
        self._blank += not chunk.media
        return True

    def _documents(self) -> Iterator[Document]:
        return (clean_document(self._with_hash(document)) for document in self.file.documents)

    def _with_hash(self, document: Document) -> Document:
        """The document with its media known by the file's hash, which was read already: they are of this file."""
        if not document.media or self.file.records:
            return document
        media = (replace(item, hash=self.file.hash) if _is_path(item) else item for item in document.media)
        return replace(document, media=tuple(media))

    def _stored_before(self) -> StoredEmbeddings:
        if self._before is None:
            return StoredEmbeddings(self._stages, None)
        from late_rag.filters import F

        return StoredEmbeddings(self._stages, Selection(filter=F("$source") == self._before.location))

    def _end(self, error: LateRAGError | None = None) -> None:
        if not self.over:
            self.over = True
            if self._blank and error is None:
                what = f"{self._blank:,} of its passages have no text, so that no search will find them"
                logger.warning("%s: %s", self.file.location, what)
            self._ended(self, error)


class WholeFile(FileWork):
    """A file that is replaced in one commit; if it takes long, what is encoded is staged on the way."""

    _batch: _StagedBatch | None = None

    def _chunks(self) -> Wanted:
        staging = self._collection.capabilities.staging
        stage = partial(self._collection.stage, self.file.source) if staging else None
        staged = self._collection.staged(self.file.source) if staging and self._resume else {}
        self._batch = batch = _StagedBatch(partial(self._write, staged), self.file.path, stage)
        missing = (passage for passage in self._read(batch) if not self._is_staged(passage[0], staged))
        yield from self._put(batch, self._stored_before().pair(missing))
        if self.file.error is not None:
            self._end(self.file.error)
        elif self._unread_media and not self._kept + self.reused:
            self.unread = True
            raise unsupported(self.file.location, self._unread_media, self._stages.encoder)
        else:
            batch.close()

    def rescue(self) -> None:
        if self._batch is not None and not self.over:
            self._batch.stage()

    def _read(self, batch: Batch) -> Iterator[Passage]:
        for document in self._documents():
            batch.take(document)
            for chunk, _ in self._stages.split([document], self._note):
                self._advance((chunk.end or 0) / max(1, len(document.text)))
                yield chunk, document

    def _is_staged(self, chunk: Chunk, staged: dict[str, str]) -> bool:
        """Whether an earlier run encoded it, of this state of the file and so this document; takes it off the list."""
        same = staged.pop(chunk.id, None) == chunk.content_hash
        self.reused += same
        return same

    def _write(self, surplus: dict[str, str], batch: Batch) -> None:
        """Writes the file, with what was staged; without what was staged and is no longer of it."""
        if self.over:
            return
        try:
            result = self._collection.replace(self.file.source, batch.documents, *batch.take_ready())
        except InputError as error:
            self._end(error)
            return
        except MemoryError:
            self._end(self._too_large())
            return
        if surplus:
            self._collection.delete(Selection(ids=tuple(surplus)))  # after which the file counts as changed
            self._collection.finish_records(self.file.source, [document.id for document in batch.documents])
        self.written += result.added + result.replaced
        self._end()


class _StagedBatch(Batch):
    """A batch that hands over what it holds when that becomes much, or takes long."""

    def __init__(
        self,
        write: Callable[[Batch], None],
        name: str,
        stage: Callable[[list[Chunk], list[TokenEmbeddings]], None] | None,
    ) -> None:
        super().__init__(write, name)
        self._stage = stage
        self._held = 0
        self._since = time.monotonic()

    def put(self, chunk: Chunk, embeddings: TokenEmbeddings | None) -> None:
        super().put(chunk, embeddings)
        if embeddings is not None:
            self._hold(embeddings.nbytes)

    def fill(self, embeddings: TokenEmbeddings) -> None:
        super().fill(embeddings)
        self._hold(embeddings.nbytes)

    def _hold(self, size: int) -> None:
        self._held += size
        if self._held > STAGE_BYTES or time.monotonic() - self._since > STAGE_SECONDS:
            self.stage()

    def stage(self) -> None:
        """Stages what is encoded, in order."""
        if self._stage is None:
            return
        chunks, embeddings = self.take_ready()
        self._held, self._since = 0, time.monotonic()
        if chunks:
            self._stage(chunks, embeddings)


class RecordsFile(FileWork):
    """A file whose records are replaced one by one, a group in a commit; its state is written last.

    A file with records that cannot be read stays as changed, and keeps what is no longer found in it: that may be in
    one of those. So the next run names them again.
    """

    _under_way = 0
    _all_read = False

    def _chunks(self) -> Wanted:
        self._ids: list[str] = []
        moved = self._before is not None and self._before.location != self.file.location
        stored = self._stored_before() if moved else None
        for group in _groups(self._counted()):
            if self.over:
                return
            yield from self._group(group, stored)
        if self.file.error is not None:
            self._end(self.file.error)
            return
        self._all_read = True
        self._finish()

    def _counted(self) -> Iterator[Document]:
        characters = 0
        for document in self._documents():
            characters += len(document.text)
            self._advance(min(1.0, characters / max(1, self.file.size)))
            self._ids.append(document.id)
            yield document

    def _group(self, documents: list[Document], stored: StoredEmbeddings | None) -> Wanted:
        """Yields what must be encoded of the records that are new or changed."""
        hashes = self._collection.document_hashes([document.id for document in documents])
        left = unchanged(self._collection, documents, hashes)
        changed = [document for document in documents if document.id not in left]
        if not changed:
            return
        batch = Batch(self._write, self.file.path)
        for document in changed:
            batch.take(document)
        self._under_way += 1
        if stored is None:
            pairs = paired_chunks(self._stages, changed, hashes, self._note)
        else:
            pairs = stored.pair(self._stages.split(changed, self._note))
        yield from self._put(batch, pairs)
        batch.close()

    def _write(self, batch: Batch) -> None:
        if self.over:
            return
        try:
            result = self._collection.put_records(self.file.source, batch.documents, *batch.take_ready())
        except InputError as error:
            self._end(error)
            return
        except MemoryError:
            self._end(self._too_large())
            return
        self.written += result.added + result.replaced
        self._under_way -= 1
        self._finish()

    def _finish(self) -> None:
        if self._all_read and not self._under_way:
            if not any(omission.lost for omission in self.file.omissions):
                self._collection.finish_records(self.file.source, self._ids)
            self._end()


def _is_path(media: Media) -> bool:
    return isinstance(media.content, str) and media.hash is None


def _groups(documents: Iterable[Document]) -> Iterator[list[Document]]:
    group, characters = list[Document](), 0
    for document in documents:
        group.append(document)
        characters += len(document.text)
        if len(group) == GROUP_RECORDS or characters > GROUP_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group
