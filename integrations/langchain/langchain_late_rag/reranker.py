"""A LangChain document compressor that puts documents into the order of their MaxSim with the question."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, Field, PrivateAttr, field_serializer, field_validator, model_validator

from langchain_late_rag.configuration import dumped_collection, no_truth_value
from langchain_late_rag.inputs import candidates, check_documents
from late_rag.adapters import (
    anchored,
    as_found,
    check_collection,
    check_threshold,
    in_thread,
    seen_from,
    shared_reranker,
    without_secrets,
)

if TYPE_CHECKING:
    from late_rag.adapters import Report


class LateInteractionReranker(BaseDocumentCompressor):
    """Scores documents from anywhere by late interaction and keeps the best, best first.

    Embeddings are kept by content, in one cache for all rerankers of the process with the same model and collection.
    With a collection, passages that it holds are scored by what it has stored, and are not encoded at all.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    model: str | None = None
    """What encodes; None is the collection's model, or "minilm" without one."""

    trust_model: bool = False
    """Whether to load or fetch whatever model the collection names."""

    collection: Any = None
    """The location of a collection, or one that is open; a relative one is seen from where the reranker is made."""

    top_n: int | None = Field(default=3, ge=1)
    """How many documents at most; None keeps all."""

    threshold: float | None = None
    """The least similarity, from 0 to 1."""

    score_key: str = Field(default="relevance_score", min_length=1)
    """The key of the metadata that gets the similarity: the mean of MaxSim over the question's tokens."""

    keep_order: bool = True
    """Whether what one search found by the same model over the same collection keeps its order, such as a hybrid's."""

    _folder: str | None = PrivateAttr(default=None)

    _numbers = field_validator("top_n", "threshold", mode="before")(no_truth_value)
    _check_threshold = field_validator("threshold")(check_threshold)

    _dumped = field_serializer("collection")(dumped_collection)

    @field_validator("collection")
    @classmethod
    def _check_collection(cls, value: Any) -> Any:
        return None if value is None else check_collection(value)

    _without_secrets = model_validator(mode="wrap")(without_secrets)

    def model_post_init(self, context: Any, /) -> None:
        """Keeps from where a relative location is seen."""
        super().model_post_init(context)
        self._folder = seen_from(self.collection)

    def compress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Callbacks | None = None,  # noqa: ARG002 - of the interface
    ) -> list[Document]:
        """Copies of the documents that answer the query best, with their score; one without text is left out.

        So is one of a picture alone that the model does not read, with a warning that names it.

        Args:
            documents: they stay as they are.
            query: the question.
            callbacks: not used: nothing is called that would tell them anything.

        Raises:
            InputError: an empty query, or a document without text whose content block cannot be read.
        """
        documents = check_documents(documents)
        if not documents:
            return []
        return self._ranked(documents, query)

    async def acompress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Callbacks | None = None,  # noqa: ARG002 - of the interface
    ) -> list[Document]:
        """Async twin of :meth:`compress_documents`; cancelled, it stops at the next step."""
        documents = check_documents(documents)
        if not documents:
            return []
        return await in_thread(partial(self._ranked, documents, query))

    def _ranked(self, documents: Sequence[Document], query: str, progress: Report | None = None) -> list[Document]:
        collection = anchored(self.collection, self._folder)
        reranker = shared_reranker(self.model, collection, trust_model=self.trust_model)
        found = map(as_found, documents, candidates(documents, lambda: reranker.encoder))
        ranked = reranker.rerank(query, found, keep_order=self.keep_order, progress=progress)
        kept = [hit for hit in ranked if self.threshold is None or hit.similarity >= self.threshold]
        return [_scored(documents[hit.index], self.score_key, hit.similarity) for hit in kept[: self.top_n]]


def _scored(document: Document, key: str, similarity: float) -> Document:
    return document.model_copy(update={"metadata": {**document.metadata, key: similarity}})
