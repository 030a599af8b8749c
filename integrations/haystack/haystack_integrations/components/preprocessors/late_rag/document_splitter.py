"""Splits Haystack's documents into passages that an encoder takes whole."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.utils import Secret

from haystack_integrations.document_stores.late_rag.inputs import check_documents, copied_meta, document_name
from haystack_integrations.document_stores.late_rag.loading import check_token, loading_options
from late_rag import Document as CoreDocument
from late_rag import load_encoder
from late_rag.adapters import (
    ChunkingOptions,
    InputError,
    check_model,
    chunker_class,
    hinting,
    load_chunker,
    naming,
    to_reader,
)

if TYPE_CHECKING:
    from late_rag import Chunk
    from late_rag.adapters import Chunker

logger = logging.getLogger(__name__)


@component
class LateInteractionDocumentSplitter:
    """Splits at headings, paragraphs and sentences, and counts with the encoder's own tokenizer.

    Each passage is a part of the text as it stands, with the white space that follows it, so that the passages of a
    text are together that text. Its metadata say which part, as those of Haystack's ``DocumentSplitter`` do:
    ``source_id``, ``split_id``, ``split_idx_start``, ``page_number``, and with ``overlap``
    ``_split_overlap``; ``heading`` besides, where there are headings. Its id is that of the document, ``#`` and its
    number. What else the document's metadata has, each passage has too.

    Args:
        model: whose tokenizer counts, and whose capacity is the most that a passage has.
        kind: "auto" (by the sections of Markdown, HTML and DOCX, as ``meta["mime_type"]`` says, else "recursive"),
            "recursive", "markdown" or "whole".
        max_tokens: of a passage; None is all that the encoder takes in one pass.
        max_characters: of a passage; None is eight times its tokens.
        overlap: tokens that the next passage of the same section repeats.
        headings: whether room is left for the headings above a passage in front of it: give the store
            ``meta_fields_to_embed=["heading"]``.
        token: of the Hugging Face hub, by the name of its environment variable.

    Raises:
        InputError: an option that cannot be.
    """

    @hinting(
        split_by="use kind",
        **dict.fromkeys(("split_length", "chunk_size"), "use max_tokens"),
        **dict.fromkeys(("split_overlap", "chunk_overlap"), "use overlap"),
    )
    def __init__(
        self,
        model: str = "minilm",
        *,
        kind: str = "auto",
        max_tokens: int | None = None,
        max_characters: int | None = None,
        overlap: int = 0,
        headings: bool = True,
        token: Secret | None = None,
    ) -> None:
        self.model = check_model(model)
        chunker_class(kind)  # refuses one that there is not
        self.token = token
        self._loading = loading_options(None, token)
        self.options = ChunkingOptions(
            kind=kind, max_tokens=max_tokens, max_characters=max_characters, overlap=overlap, headings=headings
        )

    def warm_up(self) -> None:
        """Loads the tokenizer; the first ``run`` does so too."""
        self._chunker()

    async def warm_up_async(self) -> None:
        """Async twin of :meth:`warm_up`."""
        await to_reader(self.warm_up)

    @component.output_types(documents=list[Document])
    def run(self, documents: list[Document]) -> dict[str, list[Document]]:
        """Splits documents.

        Args:
            documents: They stay as they are. One with a blob and no text, such as a picture, is passed on whole; one
                with neither has no passages, and is logged. Haystack's splitters raise there, but a folder may have
                pictures beside its texts.

        Returns:
            ``documents``: the passages, in the order of their documents.

        Raises:
            InputError: no list of documents, or different ones with one id, whose passages would overwrite each other;
                one that comes twice alike is split once.
        """
        given = _distinct(check_documents(documents))
        chunker = self._chunker()
        passages: list[Document] = []
        for place, document in given.items():
            with naming(document_name(document, place)):
                passages += self._passages(document, chunker)
        return {"documents": passages}

    @component.output_types(documents=list[Document])
    async def run_async(self, documents: list[Document]) -> dict[str, list[Document]]:
        """Async twin of :meth:`run`, which works in a thread."""
        return await to_reader(self.run, documents)

    def _chunker(self) -> Chunker:
        check_token(self.token)
        return load_chunker(self.options.to_json(), load_encoder(self.model, **self._loading))

    def _passages(self, document: Document, chunker: Chunker) -> Iterator[Document]:
        if not (document.content or "").strip():
            yield from _without_text(document)
            return
        chunks = list(chunker(CoreDocument(document.id, document.content or "", document.meta)))
        overlaps = _overlaps(document.id, chunks) if self.options.overlap else None
        for number, (chunk, content) in enumerate(zip(chunks, _contents(document, chunks), strict=True)):
            known = copied_meta({**_heading(chunk), **document.meta}, "meta")
            meta = known | _place(document, number, chunk)
            if overlaps is not None:
                meta["_split_overlap"] = overlaps[number]
            yield Document(id=_identity(document.id, number), content=content, meta=meta)

    def to_dict(self) -> dict[str, Any]:
        """The component as a pipeline's YAML has it."""
        options = self.options
        return default_to_dict(
            self,
            model=self.model,
            kind=options.kind,
            max_tokens=options.max_tokens,
            max_characters=options.max_characters,
            overlap=options.overlap,
            headings=options.headings,
            token=self.token,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """What :meth:`to_dict` gave, as a component."""
        return default_from_dict(cls, data)


def _distinct(documents: Sequence[Document]) -> dict[int, Document]:
    """Each document once, by its place."""
    places: dict[str, int] = {}
    for place, document in enumerate(documents):
        first = places.setdefault(document.id, place)
        if documents[first] is not document and documents[first] != document:
            raise InputError(
                f"{document_name(documents[first], first)} and {document_name(document, place)} are different and have "
                "one id, and their passages would have the same ids; give each an id of its own"
            )
    return {place: documents[place] for place in places.values()}


def _without_text(document: Document) -> Iterator[Document]:
    """A document that there is nothing to split of."""
    if document.blob is not None:
        yield replace(document, meta=copied_meta(document.meta, "meta"))
    else:
        logger.warning("document %r has an empty text, and so no passages", document.id)


def _contents(document: Document, chunks: Sequence[Chunk]) -> Iterator[str]:
    """The text of each passage, and what stands between it and the next: white space, which chunks leave out."""
    text = document.content or ""
    starts = [chunk.start or 0 for chunk in chunks] + [len(text)]
    for chunk, start, following in zip(chunks, starts, starts[1:], strict=False):
        yield text[start : max(chunk.end or 0, following)]


def _heading(chunk: Chunk) -> dict[str, Any]:
    """The headings above a passage; the core's ``page`` is Haystack's ``page_number``."""
    return {"heading": chunk.metadata["heading"]} if "heading" in chunk.metadata else {}


def _identity(document: str, number: int) -> str:
    return f"{document}#{number}"


def _place(document: Document, number: int, chunk: Chunk) -> dict[str, Any]:
    """Which part of its document a passage is, under Haystack's keys."""
    text, start = document.content or "", chunk.start or 0
    begins = start + len(chunk.text) - len(chunk.text.lstrip("\f"))
    page = 1 + text.count("\f", 0, begins)
    return {"source_id": document.id, "split_id": number, "split_idx_start": start, "page_number": page}


def _overlaps(document: str, chunks: Sequence[Chunk]) -> list[list[dict[str, Any]]]:
    """For each passage, which characters of it its neighbours have too, as Haystack's splitter says it."""
    shared: list[list[dict[str, Any]]] = [[] for _ in chunks]
    for number, (one, following) in enumerate(pairwise(chunks)):
        length = (one.end or 0) - (following.start or 0)
        if length > 0:
            place = [len(one.text) - length, len(one.text)]
            shared[number + 1].append({"doc_id": _identity(document, number), "range": place})
            shared[number].append({"doc_id": _identity(document, number + 1), "range": [0, length]})
    return shared
