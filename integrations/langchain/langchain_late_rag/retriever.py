"""A LangChain retriever over a collection of late_rag."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables.config import RunnableConfig, get_config_list
from pydantic import ConfigDict, Field, PrivateAttr, field_validator, model_validator

from langchain_late_rag.batching import atraced, check_inputs, outcomes, results, traced
from langchain_late_rag.configuration import ARGUMENTS, AsConfiguration, SearchArguments, filter_text, no_truth_value
from langchain_late_rag.documents import HitFields, from_hit
from langchain_late_rag.filters import to_filter
from langchain_late_rag.inputs import prepared, text_documents, to_documents
from late_rag import Retriever
from late_rag.adapters import (
    Filter,
    SearchConfig,
    anchored,
    check_collection,
    check_top_k,
    seen_from,
    shared_retriever,
    to_reader,
    to_writer,
    without_secrets,
)

if TYPE_CHECKING:
    from typing import Unpack

    from langchain_core.retrievers import LangSmithRetrieverParams

    from late_rag import Hit
    from late_rag.adapters import Collection, Report


class LateInteractionRetriever(AsConfiguration, BaseRetriever):
    """Finds the passages of a collection that answer a question, each as a document with its score.

    Whatever shapes the result can be said in the constructor and, for one call, as a named argument of ``invoke`` and
    its kin: ``retriever.invoke("who approves travel?", k=10, filter="year >= 2020")``. A batch of questions is encoded
    and searched at once; the async methods work in a thread. The retriever holds configuration only: it pickles,
    copies and serialises, and all that name the same collection share it and its model.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    collection: Any
    """The location of a collection, or one that is open; a relative one is seen from where the retriever is made."""

    model: str | None = None
    """In place of the model that the collection names, where that has moved."""

    trust_model: bool = False
    """Whether to load or fetch whatever model the collection names."""

    k: int = Field(default=4, ge=1)
    """How many documents at most."""

    filter: Filter | dict[str, Any] | str | None = None
    """Restricts to documents whose metadata match; kept as text, such as ``year >= 2020 and topic == "x"``."""

    threshold: float | None = None
    """The least similarity, from 0 to 1."""

    mode: Literal["maxsim", "hybrid"] = "maxsim"
    """"hybrid" orders by MaxSim and BM25 together."""

    expand: int | Literal["document"] | None = None
    """What ``metadata["context"]`` has: the whole document, or so many chunks before and after the one found."""

    group_by: Literal["document"] | None = None
    """"document" gives the best chunk of each document only."""

    lambda_mult: float | None = None
    """Diversity by maximal marginal relevance: 1 is relevance alone, 0 difference alone; None is off."""

    fetch_k: int | None = None
    """From how many diverse ones are picked."""

    fields: HitFields = Field(default_factory=HitFields)
    """Which keys of the metadata carry what is known of a hit."""

    token_matches: bool = False
    """Whether ``metadata["token_matches"]`` says what each token of the question matched; encodes each hit again."""

    _folder: str | None = PrivateAttr(default=None)

    _check_collection = field_validator("collection")(check_collection)
    _filter_text = field_validator("filter", mode="before")(filter_text)
    _numbers = field_validator("k", "threshold", "expand", "lambda_mult", "fetch_k", mode="before")(no_truth_value)

    @model_validator(mode="after")
    def _check_shape(self) -> Self:
        SearchConfig.of(self, top_k=self.k)
        return self

    _without_secrets = model_validator(mode="wrap")(without_secrets)

    def model_post_init(self, context: Any, /) -> None:
        """Keeps from where a relative location is seen; the field, which is serialised, stays as it was given."""
        super().model_post_init(context)
        self._folder = seen_from(self.collection)

    @classmethod
    def from_documents(
        cls,
        documents: Iterable[Document],
        collection: str | Path | Collection | None = None,
        *,
        model: str | None = None,
        progress: Report | None = None,
        **options: Any,
    ) -> Self:
        """Stores documents, each as one passage, and makes a retriever over them.

        Args:
            documents: they stay as they are. One without an id gets a hash of its content; an id that is there already
                is replaced.
            collection: the location of one, which is made where there is none; one that is open for writing; None is a
                private temporary one, which goes with the retriever.
            model: of a new collection; "minilm" where it is not said.
            progress: called with the passages that are encoded; what it raises stops the work.
            options: of the retriever.

        Raises:
            ConflictError: an id is that of a passage of a larger document or file.
        """
        items = to_documents(documents)
        if collection is None:
            collection = Retriever.create(None, "minilm" if model is None else model).collection
        retriever = cls(collection=collection, model=model, **options)
        made = shared_retriever(
            retriever.collection, "write", model=model, chunker="whole", create={}, trust_model=retriever.trust_model
        )
        made.add(prepared(made, items), progress=progress)
        return retriever

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        metadatas: Iterable[dict[str, Any] | None] | None = None,
        collection: str | Path | Collection | None = None,
        *,
        ids: Iterable[str | None] | None = None,
        model: str | None = None,
        **options: Any,
    ) -> Self:
        """The same for texts, with their metadata and ids where they have any."""
        documents = text_documents(texts, metadatas, ids)
        return cls.from_documents(documents, collection, model=model, **options)

    @classmethod
    async def afrom_documents(cls, documents: Iterable[Document], *arguments: Any, **options: Any) -> Self:
        """Async twin of :meth:`from_documents`."""
        return await to_writer(cls.from_documents, documents, *arguments, **options)

    @classmethod
    async def afrom_texts(cls, texts: Iterable[str], *arguments: Any, **options: Any) -> Self:
        """Async twin of :meth:`from_texts`."""
        return await to_writer(cls.from_texts, texts, *arguments, **options)

    def batch(
        self,
        inputs: list[str],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[list[Document]]:
        """For each question what ``invoke`` gives, encoded and searched at once; each is a run of its own."""
        check_inputs(inputs)
        configs = get_config_list(config, len(inputs))
        found = traced(self, inputs, configs, kwargs, lambda: outcomes(inputs, partial(self._search, **kwargs)))
        return results(found, return_exceptions=return_exceptions)

    async def abatch(
        self,
        inputs: list[str],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[list[Document]]:
        """Async twin of :meth:`batch`."""
        check_inputs(inputs)
        configs = get_config_list(config, len(inputs))
        search = partial(self._search, **kwargs)
        found = await atraced(self, inputs, configs, kwargs, lambda: to_reader(outcomes, inputs, search))
        return results(found, return_exceptions=return_exceptions)

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,  # noqa: ARG002 - of the interface
        **asked: Unpack[SearchArguments],
    ) -> list[Document]:
        return self._search([query], **asked)[0]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,  # noqa: ARG002 - of the interface
        **asked: Unpack[SearchArguments],
    ) -> list[Document]:
        return (await to_reader(self._search, [query], **asked))[0]

    def core(self) -> Retriever:
        """The core's retriever over the collection, which all of the process share.

        Raises:
            CollectionNotFoundError: there is no collection at the location.
        """
        place = anchored(self.collection, self._folder)
        return shared_retriever(place, model=self.model, trust_model=self.trust_model)

    def _search(self, queries: Sequence[str], **asked: Unpack[SearchArguments]) -> list[list[Document]]:
        if unknown := sorted(asked.keys() - ARGUMENTS):
            raise TypeError(f"unknown argument {', '.join(unknown)}; a call may have: {', '.join(ARGUMENTS)}")
        top_k, restriction = asked.pop("k", self.k), asked.pop("filter", self.filter)
        config = SearchConfig.of(self, top_k=check_top_k(top_k, "k"), filter=to_filter(restriction), **asked)
        retriever = self.core()
        one = len(queries) == 1  # an error names a single query without a number
        lists = [config.search(retriever, queries[0])] if one else config.search_batch(retriever, queries)
        return [
            [self._document(retriever, query, hit) for hit in hits] for query, hits in zip(queries, lists, strict=True)
        ]

    def _document(self, retriever: Retriever, query: str, hit: Hit) -> Document:
        return from_hit(hit, self.fields, retriever.explain(query, hit) if self.token_matches else None)

    def _get_ls_params(self, **kwargs: Any) -> LangSmithRetrieverParams:
        """What a trace says of the retriever: also that the store and the embeddings are late_rag's."""
        params = super()._get_ls_params(**kwargs)
        params.update({"ls_vector_store_provider": "late_rag", "ls_embedding_provider": "late_rag"})
        if self.model is not None:
            params["ls_embedding_model"] = self.model
        return params
