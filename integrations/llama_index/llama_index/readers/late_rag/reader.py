"""Files as LlamaIndex's documents, by the core's loaders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from llama_index.core.readers.base import BasePydanticReader
from llama_index.core.schema import Document, ImageDocument, MediaResource
from pydantic import ConfigDict

from late_rag import load
from late_rag.adapters import LoadOptions, RecordFields, beside, times_as_text, to_reader
from llama_index.retrievers.late_rag.checks import refusing

if TYPE_CHECKING:
    from late_rag import Document as CoreDocument
    from late_rag import Media

_FOR_PROGRAMS = ("source", "mime_type")
"""Keys of the metadata that neither a language model nor an embedding sees."""


_HINTS = dict.fromkeys(("input_dir", "input_files", "file", "path", "paths"), "give load_data the paths")


class LateInteractionReader(BasePydanticReader):
    """Loads files and folders, of every format that late_rag reads (``late-rag formats``).

    A document's id follows from its file, and stays the same whenever that is read. ``metadata["source"]`` is the
    file's location; a date in the metadata is a text, as ISO 8601 writes it, because LlamaIndex's own stores keep JSON.
    A picture becomes an image document. It serves in the ``file_extractor`` of a ``SimpleDirectoryReader`` too.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    as_: str | None = None
    """The name of the files' root, in place of its resolved path."""

    strict: bool = False
    """Whether a file that cannot be read raises; else it is logged, and the rest goes on."""

    fields: RecordFields | None = None
    """Which fields of a record are text, key and metadata, for CSV, JSON and JSONL."""

    content: Literal["all", "main"] = "all"
    """Of web pages all that they show, or the main content."""

    include: tuple[str, ...] = ()
    """Parts that are left out unless they are named; see :class:`late_rag.loading.LoadOptions`."""

    _check_arguments = refusing(_HINTS)

    def model_post_init(self, context: Any, /) -> None:
        """Raises InputError for parts that there are not, which pydantic hands on as its own ValidationError."""
        super().model_post_init(context)
        LoadOptions(self.content, self.include, self.fields or RecordFields())

    @classmethod
    def class_name(cls) -> str:
        """The name that a serialised one has."""
        return "LateInteractionReader"

    def lazy_load_data(
        self, paths: str | Path | Iterable[str | Path], extra_info: Mapping[str, Any] | None = None
    ) -> Iterator[Document]:
        """The documents of one file after another, each parsed when it is its turn.

        Args:
            paths: files and folders.
            extra_info: more metadata of every document.

        Raises:
            InputError: a path that is not there.
            LoadError: with ``strict``, a file that cannot be read.
        """
        files = load(
            paths,
            as_=self.as_,
            strict=self.strict,
            fields=self.fields,
            content=self.content,
            include=self.include,
        )
        for file in files:
            for document in file.documents:
                yield _converted(document, extra_info or {}, file.location)

    def load_data(
        self, paths: str | Path | Iterable[str | Path], extra_info: Mapping[str, Any] | None = None
    ) -> list[Document]:
        """The same as a list."""
        return list(self.lazy_load_data(paths, extra_info))

    async def alazy_load_data(
        self, paths: str | Path | Iterable[str | Path], extra_info: Mapping[str, Any] | None = None
    ) -> list[Document]:
        """The documents as a list: they are read in a thread, where one by one they would be read on the loop's."""
        return await to_reader(self.load_data, paths, extra_info)


def _converted(document: CoreDocument, more: Mapping[str, Any], source: str) -> Document:
    metadata = {**more, **times_as_text(document.metadata)}
    metadata |= beside(metadata, {"source": source})
    hidden = [key for key in _FOR_PROGRAMS if key in metadata]
    fields: dict[str, Any] = {
        "id_": document.id,
        "text_resource": MediaResource(text=document.text, mimetype=document.metadata.get("mime_type")),
        "metadata": metadata,
        "excluded_embed_metadata_keys": hidden,
        "excluded_llm_metadata_keys": hidden,
    }
    if document.text.strip() or not document.media:
        return Document(**fields)
    return ImageDocument(**fields, image_resource=_picture(document.media[0]))


def _picture(media: Media) -> MediaResource:
    """A picture where it is."""
    if isinstance(media.content, bytes):
        return MediaResource(data=media.content, mimetype=media.mime_type)
    return MediaResource(path=Path(media.content), mimetype=media.mime_type)
