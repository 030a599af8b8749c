"""Collections as files and from one engine to another: ``export``, ``import`` and ``copy`` for programs.

All three are one stream of records (:mod:`late_rag.transfer.records`): read from a collection or from lines of JSON,
written to a collection or as lines of JSON, a batch at a time.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

from late_rag.collections.kit.room import has_no_room
from late_rag.errors import CancelledError, CollectionError, CollectionFullError, CollectionNotFoundError, InputError
from late_rag.transfer.lines import read_lines, to_line
from late_rag.transfer.records import ChunkRecord, DocumentRecord, Header, Record, read_records
from late_rag.transfer.writing import RecordWriter, check_same_embeddings, encode_missing
from late_rag.types import Progress, Report, Source

if TYPE_CHECKING:
    from pathlib import Path

    from late_rag.protocols import Collection, CollectionSettings
    from late_rag.road import Passage
    from late_rag.types import TokenEmbeddings

__all__ = ["TransferResult", "copy_collection", "export_jsonl", "import_jsonl"]


@dataclass
class TransferResult:
    """How much was carried over, and how many chunks were encoded for it."""

    sources: int = 0
    documents: int = 0
    chunks: int = 0
    encoded: int = 0

    def count(self, record: Record) -> None:
        """Takes note of a record that went by."""
        self.sources += isinstance(record, Source)
        self.documents += isinstance(record, DocumentRecord)
        self.chunks += isinstance(record, ChunkRecord)


def export_jsonl(
    collection: Collection,
    write: Callable[[str], object],
    *,
    embeddings: bool = False,
    progress: Report | None = None,
) -> TransferResult:
    """Writes a collection as lines of JSON: settings, sources, then documents, each with its chunks behind it.

    Args:
        collection: an open one.
        write: takes a line with its end.
        embeddings: whether to write the stored rows, which a chunk needs to be imported without encoding it.
        progress: called with the number of chunks written; what it raises stops the work.

    Raises:
        CollectionError: the collection was written to meanwhile; what was exported may not fit together.
    """
    result = TransferResult()
    records = read_records(collection, with_embeddings=embeddings)
    for record in _watched(records, result, "export", progress):
        write(to_line(record) + "\n")
    return result


def import_jsonl(
    stream: BinaryIO,
    location: str | Path,
    *,
    name: str = "the export",
    model: str | Path | None = None,
    trust_model: bool = False,
    merge: bool = False,
    progress: Report | None = None,
) -> TransferResult:
    """Restores what :func:`export_jsonl` wrote: ids, texts, metadata, sources, and stored rows to the bit.

    The whole stream is read and checked before anything is written; one that cannot be read twice is kept in a
    temporary file meanwhile. Chunks without embeddings are encoded by the model that the settings name.

    Args:
        stream: the lines.
        location: of a collection that does not exist yet.
        name: of the stream, for errors.
        model: in place of the model that the settings name; the model_id must be the same.
        trust_model: whether to load or fetch whatever model the settings name; see docs/security.md.
        merge: write into a collection that may exist; what has the same id is replaced.
        progress: called with the number of chunks that are checked, then written; what it raises stops the work.

    Raises:
        InputError: a line is broken, or the file is cut off; names the line. Nothing was written.
        CollectionFullError: no room for what is written, or to keep a stream while it is checked.
        CollectionExistsError: there is a collection, and ``merge`` is not set.
        ModelMismatchError: the collection or the model is of another model than the settings.
        ModelError: chunks are to be encoded, and there is no such model here; nothing was written.
    """
    with _seekable(stream, name) as lines:
        header, complete = _check_lines(lines, name, progress)
        check = None if complete else partial(_check_encoder, model=model, trust_model=trust_model)
        collection = _destination(header, location, merge=merge, check=check)
        try:
            lines.seek(0)
            encoder = _Encoding(collection, model, trust_model)
            result = _write(encode_missing(read_lines(lines, name), encoder), collection, "import", progress)
            result.encoded = encoder.encoded
            return result
        finally:
            collection.close()


def copy_collection(
    source: Collection, location: str | Path, *, merge: bool = False, progress: Report | None = None
) -> TransferResult:
    """Copies everything, stored rows included, into a collection of this or another engine. Encodes nothing.

    Args:
        source: an open one.
        location: of a collection that does not exist yet.
        merge: write into a collection that may exist; what has the same id is replaced.
        progress: called with the number of chunks copied; what it raises stops the work.

    Raises:
        CollectionExistsError: there is a collection at ``location``, and ``merge`` is not set.
        ModelMismatchError: it is there, and of another model.
        CollectionError: the source was written to meanwhile.
    """
    info = source.info()
    header = Header(source.settings, info.sources, info.documents, info.chunks)
    collection = _destination(header, location, merge=merge, origin=source.location)
    try:
        return _write(read_records(source, with_embeddings=True), collection, "copy", progress)
    finally:
        collection.close()


def _check_lines(lines: BinaryIO, name: str, progress: Report | None) -> tuple[Header, bool]:
    """Reads everything once; the settings, and whether every chunk has its embeddings."""
    records = _watched(read_lines(lines, name), TransferResult(), "check", progress)
    header = next(records)
    lacking = sum(isinstance(record, ChunkRecord) and record.embeddings is None for record in records)
    if not isinstance(header, Header):
        raise InputError(f"{name}: the first line must hold the settings")
    return header, not lacking


def _check_encoder(settings: CollectionSettings, location: str, *, model: str | Path | None, trust_model: bool) -> None:
    """Whether the model is there, of which an import needs embeddings: before a collection is made for them."""
    from late_rag.encoders import load_encoder, load_recorded
    from late_rag.retriever.settings import recorded_model

    if model is None:
        load_recorded(recorded_model(settings, location), location, trust_model=trust_model)
    else:
        load_encoder(model)


def _destination(
    header: Header,
    location: str | Path,
    *,
    merge: bool,
    origin: str | None = None,
    check: Callable[[CollectionSettings, str], None] | None = None,
) -> Collection:
    from late_rag.collections import create_collection, open_collection
    from late_rag.retriever.settings import placed

    if merge:
        try:
            collection = open_collection(location)
        except CollectionNotFoundError:
            pass
        else:
            check_same_embeddings(header.settings, collection)
            return collection
    settings = placed(header.settings, location, origin)
    if check is not None:
        check(settings, str(location))
    return create_collection(location, settings)


def _write(records: Iterable[Record], collection: Collection, stage: str, progress: Report | None) -> TransferResult:
    result = TransferResult()
    try:
        RecordWriter(collection).write(_watched(records, result, stage, progress))
    except (CancelledError, CollectionError) as error:
        raise type(error)(
            f"{error}; {collection.location} holds a part, the first {collection.count():,} chunks: "
            "run this again with merge to complete it"
        ) from error
    return result


def _watched(
    records: Iterable[Record], result: TransferResult, stage: str, progress: Report | None
) -> Iterator[Record]:
    """The records as they go by, counted and reported."""
    total = None
    for record in records:
        if isinstance(record, Header):
            total = record.chunks
        result.count(record)
        yield record
        if progress is not None and isinstance(record, ChunkRecord):
            progress(Progress(stage, result.chunks, total, "chunks"))


class _Encoding:
    """Encodes chunks as the collection's own are encoded; the model is loaded for the first."""

    def __init__(self, collection: Collection, model: str | Path | None, trust_model: bool) -> None:
        from late_rag.encoders import consenting
        from late_rag.retriever.stages import Stages

        self._stages = Stages(collection, model, encoder_options=consenting(None, trust_model))
        self.encoded = 0

    def __call__(self, passages: Iterable[Passage]) -> Iterator[TokenEmbeddings]:
        for _, rows in self._stages.encode(passages):
            self.encoded += 1
            yield rows


@contextmanager
def _seekable(stream: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """The stream, or a temporary file with its content."""
    if stream.seekable():
        yield stream
        return
    with _kept(stream, name) as kept:
        yield kept


def _kept(stream: BinaryIO, name: str) -> BinaryIO:
    try:
        with ExitStack() as stack:
            kept = stack.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(stream, kept)
            kept.seek(0)
            stack.pop_all()
            return cast("BinaryIO", kept)
    except OSError as error:
        if not has_no_room(error):
            raise
        raise CollectionFullError(
            f"{name}: no room left to keep it in {tempfile.gettempdir()} while it is checked ({error}); nothing was "
            "written: give it as a file, or name another folder by TMPDIR"
        ) from error
