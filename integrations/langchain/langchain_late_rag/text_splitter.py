"""Splits LangChain's documents into passages that an encoder takes whole."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.documents import BaseDocumentTransformer, Document

from langchain_late_rag.blocks import CONTENT_BLOCKS, blocks_of, has_data, page_of, without_data
from langchain_late_rag.documents import DOCUMENT_ID, END_INDEX, START_INDEX, to_document
from langchain_late_rag.inputs import check_documents, check_page, text_documents
from late_rag import Document as CoreDocument
from late_rag import Media, load_encoder
from late_rag.adapters import (
    SPACE_BEFORE,
    ChunkingOptions,
    InputError,
    check_model,
    check_text,
    chunker_class,
    digest,
    load_chunker,
)

if TYPE_CHECKING:
    from langchain_late_rag.blocks import Block
    from late_rag import Chunk

_LONGEST_SPACE = 200
"""Characters of white space that a passage keeps."""


class LateInteractionTextSplitter(BaseDocumentTransformer):
    """A ``TextSplitter`` that counts with the encoder's own tokenizer.

    It goes wherever LangChain asks for a ``TextSplitter``, as ``ParentDocumentRetriever`` does: where
    langchain-text-splitters is installed, it is one by ``isinstance``.

    Each passage is a part of the text as it stands: ``text[start_index:][: len(passage)] == passage``.

    Args:
        model: whose tokenizer counts, and whose capacity is the most that a passage has.
        kind: "auto" (by the sections of Markdown, else "recursive"), "recursive", "markdown" or "whole".
        max_tokens: of a passage; None is all that the encoder takes in one pass.
        max_characters: of a passage; None is eight times its tokens.
        overlap: tokens that the next passage of the same section repeats.
        headings: whether the headings above a passage are in its metadata, and room is left for them in front of it.
        add_start_index: whether the metadata say where the passage stands: ``start_index``, ``end_index``, and of which
            document, ``document_id``, and behind which white space, ``space_before``. By these the store keeps passages
            of one document together.

    Raises:
        InputError: an option that cannot be.
    """

    def __init__(
        self,
        model: str = "minilm",
        *,
        kind: str = "auto",
        max_tokens: int | None = None,
        max_characters: int | None = None,
        overlap: int = 0,
        headings: bool = True,
        add_start_index: bool = True,
    ) -> None:
        chunker_class(kind)  # refuses one that there is not
        self._model = check_model(model)
        self._options = ChunkingOptions(
            kind=kind, max_tokens=max_tokens, max_characters=max_characters, overlap=overlap, headings=headings
        )
        self._add_start_index = add_start_index

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self._options.to_json().items())
        return f"{type(self).__name__}({self._model!r}, {said})"

    def split_text(self, text: str) -> list[str]:
        """The passages of a text.

        Raises:
            InputError: no text, or one that cannot be encoded.
        """
        check_text(text, "text")
        return [chunk.text for chunk in self._chunks(Document(page_content=text)) if chunk.text]

    def create_documents(
        self, texts: Iterable[str], metadatas: Iterable[dict[str, Any] | None] | None = None
    ) -> list[Document]:
        """The passages of texts, each with the metadata of its text."""
        return self.split_documents(text_documents(texts, metadatas))

    def split_documents(self, documents: Iterable[Document]) -> list[Document]:
        """The passages of documents, each with a copy of its document's metadata (values of many KB are not copied on).

        Passages of a document with an id have that id, ``#`` and their number; others have none. A picture of a page
        goes with each passage of the page, any other with the first.

        Raises:
            InputError: a text that cannot be encoded; names the document by its place and id.
        """
        given = check_documents(documents)
        for place, document in enumerate(given):
            check_page(place, document)
        return [passage for document in given for passage in self._passages(document)]

    def transform_documents(self, documents: Sequence[Document], **_options: Any) -> list[Document]:
        """The same as :meth:`split_documents`."""
        return self.split_documents(documents)

    def _chunks(self, document: Document, blocks: Sequence[Block] = ()) -> list[Chunk]:
        """The chunks; of media only, they have the places of the blocks that show something of them."""
        chunker = load_chunker(self._options.to_json(), load_encoder(self._model))
        places = tuple(Media(str(place).encode(), "", page_of(block)) for place, block in enumerate(blocks))
        metadata = without_data(document.metadata)
        return list(chunker(CoreDocument(text=document.page_content, metadata=metadata, media=places)))

    def _passages(self, document: Document) -> Iterator[Document]:
        parent = document.id or _identity(document)
        blocks = [block for block in blocks_of(document.metadata) if has_data(block)]
        last, chunks = 0, self._chunks(document, blocks)
        shown = [[int(item.read()) for item in chunk.media] for chunk in chunks]
        shown[0] += sorted(set(range(len(blocks))) - {place for places in shown for place in places})
        for number, (chunk, places) in enumerate(zip(chunks, shown, strict=True)):
            metadata = copy.deepcopy(dict(chunk.metadata))
            if places:
                said = metadata.get(CONTENT_BLOCKS, [])
                metadata[CONTENT_BLOCKS] = [*said, *(copy.deepcopy(dict(blocks[place])) for place in places)]
            if self._add_start_index:
                metadata |= {DOCUMENT_ID: parent, START_INDEX: chunk.start, END_INDEX: chunk.end}
                metadata.pop(SPACE_BEFORE, None)  # of a passage that is split again
                metadata |= _space(document.page_content[last : chunk.start])
                last = max(last, chunk.end or 0)
            identity = f"{document.id}#{number}" if document.id else None
            yield Document(id=identity, page_content=chunk.text, metadata=metadata)


def _identity(document: Document) -> str:
    """The id that the store gives to a document without one; of metadata that it does not take, of the text alone."""
    try:
        return to_document(document).id
    except InputError:
        return digest(document.page_content)


def _space(between: str) -> dict[str, str]:
    """What stands between two passages as metadata, if it is white space."""
    return {} if not between or between.strip() or len(between) > _LONGEST_SPACE else {SPACE_BEFORE: between}


try:
    from langchain_text_splitters import TextSplitter
except ModuleNotFoundError:
    pass
else:
    TextSplitter.register(LateInteractionTextSplitter)
