"""Files as LangChain's documents, by the core's loaders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from langchain_late_rag.blocks import CONTENT_BLOCKS, content_blocks
from late_rag import load
from late_rag.adapters import LoadOptions, RecordFields, beside, check_label, check_paths, times_as_text

if TYPE_CHECKING:
    from late_rag import Document as CoreDocument
    from late_rag.adapters import RecordFields


class LateInteractionLoader(BaseLoader):
    """Loads files and folders, of every format that late_rag reads (``late-rag formats``).

    ``metadata["source"]`` is the file's location. The metadata are JSON, as much of LangChain asks for (``index()``,
    stores of parent documents, ``dumps``): a date is its text in ISO 8601, which filters compare as a time all the
    same. A document of a picture alone has it as a content block under ``metadata["content_blocks"]``. ``load`` and
    ``lazy_load`` have the async twins ``aload`` and ``alazy_load``, which read in a thread.

    Args:
        paths: files and folders.
        as_: the name of their root, in place of its resolved path.
        strict: whether a file that cannot be read raises; else it is logged, and the rest goes on.
        fields: which fields of a record are text, key and metadata, for CSV, JSON and JSONL.
        content: of web pages "all" that they show, or the "main" content.
        include: parts that are left out unless they are named; see :class:`late_rag.loading.LoadOptions`.
        content_blocks: whether documents with text have their pictures and pages as content blocks too; of a page the
            block says which (``extras["page"]``), and the splitter gives it to the passages of that page.

    Raises:
        InputError: an argument that cannot be. Whether there is a file is looked at when it is loaded.
    """

    def __init__(
        self,
        paths: str | Path | Iterable[str | Path],
        *,
        as_: str | None = None,
        strict: bool = False,
        fields: RecordFields | None = None,
        content: Literal["all", "main"] = "all",
        include: Sequence[str] = (),
        content_blocks: bool = False,
    ) -> None:
        LoadOptions(content, include, fields or RecordFields())  # refuses what cannot be
        check_label(as_)
        self._paths = check_paths(paths)
        self._as = as_
        self._strict = strict
        self._fields = fields
        self._content: Literal["all", "main"] = content
        self._include = include
        self._content_blocks = content_blocks

    def __repr__(self) -> str:
        return f"{type(self).__name__}({[str(path) for path in self._paths]!r})"

    def lazy_load(self) -> Iterator[Document]:
        """The documents of one file after another, each parsed when it is its turn.

        Raises:
            InputError: a path that is not there.
            LoadError: with ``strict``, a file that cannot be read.
        """
        files = load(
            self._paths,
            as_=self._as,
            strict=self._strict,
            fields=self._fields,
            content=self._content,
            include=self._include,
        )
        for file in files:
            for document in file.documents:
                yield self._converted(document, file.location)

    def _converted(self, document: CoreDocument, source: str) -> Document:
        known: dict[str | None, object] = {"source": source}
        if document.media and (self._content_blocks or not document.text.strip()):
            known[CONTENT_BLOCKS] = content_blocks(document.media)
        metadata = {**document.metadata, **beside(document.metadata, known)}
        return Document(id=document.id, page_content=document.text, metadata=times_as_text(metadata))
