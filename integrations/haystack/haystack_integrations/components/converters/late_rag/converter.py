"""Files as Haystack's documents, by the core's loaders."""

from __future__ import annotations

import copy
import logging
import mimetypes
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Literal, Self

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.dataclasses import ByteStream

from haystack_integrations.components.converters.late_rag.sources import check_metas, check_sources
from haystack_integrations.document_stores.late_rag.inputs import made_of
from late_rag import LateRAGError, load
from late_rag.adapters import (
    InputError,
    LoadError,
    LoadOptions,
    RecordFields,
    check_flag,
    hinting,
    times_as_text,
    to_reader,
)

if TYPE_CHECKING:
    from late_rag import Document as CoreDocument
    from late_rag import SourceFile

_SUFFIXES = {
    "application/epub+zip": ".epub",
    "application/jsonl": ".jsonl",
    "application/rtf": ".rtf",
    "application/toml": ".toml",
    "application/vnd.oasis.opendocument.presentation": ".odp",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/x-ipynb+json": ".ipynb",
    "application/x-ndjson": ".jsonl",
    "application/x-subrip": ".srt",
    "application/yaml": ".yaml",
    "text/markdown": ".md",
    "text/vtt": ".vtt",
}
"""Of kinds that not every system's table has."""

logger = logging.getLogger(__name__)


@component
class LateInteractionConverter:
    """Converts files and folders, of every format that late_rag reads (``late-rag formats``).

    A file becomes a document, or one for each of its records. Pages of a PDF are joined by form feeds. A picture has
    no content but a blob, and a date in the metadata is a text, as ISO 8601 writes it. A document's id is that of its
    place in its file, so that a file that changed replaces what was stored of it; from a ``ByteStream``, it is
    Haystack's, which follows from content and metadata.

    Args:
        store_full_path: whether ``meta["file_path"]`` is the path as it was given, and not the file's name alone.
        raise_on_failure: whether what cannot be read raises; else it is logged, and the rest goes on.
        record_fields: which fields of a record are ``text``, ``key`` and ``metadata``, for CSV, JSON and JSONL; see
            :class:`late_rag.loaders.RecordFields`.
        content: of web pages "all" that they show, or the "main" content.
        include: parts that are left out unless they are named; see :class:`late_rag.loading.LoadOptions`.

    Raises:
        InputError: an option that cannot be.
    """

    @hinting(
        **dict.fromkeys(("sources", "file_paths", "paths"), "give run the sources"),
        fields="use record_fields",
        strict="use raise_on_failure",
    )
    def __init__(
        self,
        *,
        store_full_path: bool = False,
        raise_on_failure: bool = False,
        record_fields: dict[str, Any] | None = None,
        content: Literal["all", "main"] = "all",
        include: list[str] | None = None,
    ) -> None:
        self.store_full_path = check_flag(store_full_path, "store_full_path")
        self.raise_on_failure = check_flag(raise_on_failure, "raise_on_failure")
        self.record_fields = record_fields
        self.content: Literal["all", "main"] = content
        self.include = include
        LoadOptions(content, include or (), self._fields())

    @component.output_types(documents=list[Document])
    def run(
        self,
        sources: list[str | Path | ByteStream],
        meta: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> dict[str, list[Document]]:
        """Converts files.

        Args:
            sources: Files, folders, and bytes; the kind of these is told by the name in their ``meta["file_path"]`` or
                ``meta["file_name"]``, else by their ``mime_type``.
            meta: Metadata of all documents, or of those of each source. They come before what is in the file, and a
                ``ByteStream`` has its own besides.

        Returns:
            ``documents``, in the order of the sources.

        Raises:
            InputError: no list of sources, or metadata that are none for each of them.
            LateRAGError: with ``raise_on_failure``, a source that cannot be read.
        """
        sources = check_sources(sources)
        metas = check_metas(meta, len(sources))
        documents: list[Document] = []
        for source, given in zip(sources, metas, strict=True):
            with self._going_on():
                for document in self._converted(source, given):
                    with self._going_on():
                        documents.append(document())
        return {"documents": documents}

    @contextmanager
    def _going_on(self) -> Iterator[None]:
        """Logs what cannot be read, unless it is to raise."""
        try:
            yield
        except (LateRAGError, OSError, ValueError) as error:  # names of uploads may be none for this system
            if self.raise_on_failure:
                raise error if isinstance(error, LateRAGError) else LoadError(str(error)) from error
            logger.warning("not converted: %s", error)

    @component.output_types(documents=list[Document])
    async def run_async(
        self,
        sources: list[str | Path | ByteStream],
        meta: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> dict[str, list[Document]]:
        """Async twin of :meth:`run`, which works in a thread."""
        return await to_reader(self.run, sources, meta)

    def _converted(self, source: str | Path | ByteStream, given: dict[str, Any]) -> Iterator[Callable[[], Document]]:
        """What makes each document of a source: one that cannot be made is no reason to lose the others."""
        if isinstance(source, ByteStream):
            with _as_file(source) as path:
                known = {**self._named(source.meta), **given}
                for file in self._load(path):
                    for each in file.documents:
                        yield partial(_document, each, known)
            return
        folder = Path(source) if Path(source).is_dir() else Path(source).parent
        for file in self._load(source):
            known = self._named({"file_path": str(folder / file.path)}) | given
            for each in file.documents:
                yield partial(_document, each, known, each.id)

    def _load(self, path: str | Path) -> Iterator[SourceFile]:
        return load(
            path,
            strict=self.raise_on_failure,
            fields=self._fields(),
            content=self.content,
            include=self.include or (),
        )

    def _named(self, meta: dict[str, Any]) -> dict[str, Any]:
        """The metadata of a source, with the path of its file as it is wanted."""
        if self.store_full_path or not meta.get("file_path"):
            return dict(meta)
        return meta | {"file_path": PurePath(meta["file_path"]).name}

    def _fields(self) -> RecordFields:
        return made_of(RecordFields, self.record_fields, "record_fields")

    def to_dict(self) -> dict[str, Any]:
        """The component as a pipeline's YAML has it."""
        return default_to_dict(
            self,
            store_full_path=self.store_full_path,
            raise_on_failure=self.raise_on_failure,
            record_fields=copy.deepcopy(self.record_fields),
            content=self.content,
            include=copy.copy(self.include),
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """What :meth:`to_dict` gave, as a component."""
        return default_from_dict(cls, data)


def _document(document: CoreDocument, meta: dict[str, Any], identity: str = "") -> Document:
    """What was loaded, as Haystack's document; a picture is read now, because its file may go."""
    blob = None
    if document.media and not document.text.strip():
        (picture, *_) = document.media
        blob = ByteStream(picture.read(), mime_type=picture.mime_type)
    content = document.text if blob is None else None
    return Document(id=identity, content=content, blob=blob, meta={**times_as_text(document.metadata), **meta})


@contextmanager
def _as_file(stream: ByteStream) -> Iterator[Path]:
    """A file that has the bytes, under a name that says what they are."""
    given = stream.meta.get("file_path") or stream.meta.get("file_name") or ""
    if not isinstance(given, str | PurePath):
        raise InputError(f"the file_path of a ByteStream must be a text or a path, not {given!r:.80}")
    name = PurePath(given)
    kind = stream.mime_type or ""
    suffix = name.suffix or _SUFFIXES.get(kind) or mimetypes.guess_extension(kind)
    if not suffix:
        raise InputError(
            f"a ByteStream with mime_type {stream.mime_type!r} and meta {stream.meta!r} does not say what it is; give "
            'it a mime_type, or meta["file_path"] with an extension'
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"document{suffix}")
        path.write_bytes(stream.data)
        yield path
