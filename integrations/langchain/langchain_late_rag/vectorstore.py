"""A LangChain vector store over a collection: documents in, documents out, by late interaction in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from langchain_core.documents import Document

from langchain_late_rag.blocks import CONTENT_BLOCKS
from langchain_late_rag.documents import HitFields, from_hit, from_stored
from langchain_late_rag.filters import to_filter
from langchain_late_rag.writing import WritableStore
from late_rag.adapters import InputError, SearchConfig, UnsupportedError, check_top_k, listed, to_reader

if TYPE_CHECKING:
    from langchain_late_rag.filters import FilterLike
    from late_rag import Hit
    from late_rag.adapters import Collection, Mode

AS_ADDED = HitFields(score=None, similarity=None, chunk_id=None, document_id=None, source=None, media=CONTENT_BLOCKS)
"""Nothing of the hit in the metadata, so that a document is found as it was added, but the context asked for."""

OF_FILES = HitFields(media=CONTENT_BLOCKS)
"""Of a passage of a file, which no document was added for: where it is from, and its ids."""

_BY_VECTOR = (
    "late interaction has one vector for each token of a query, and searches by none alone; pass the text itself to "
    "similarity_search (or max_marginal_relevance_search)"
)


class LateInteractionVectorStore(WritableStore):
    """Stores each document as one chunk under its id, over-long text in windows, and finds it by MaxSim.

    Searches take, beside LangChain's arguments, ``filter`` (see :mod:`langchain_late_rag.filters`) and what
    :class:`late_rag.retriever.SearchOptions` has: ``mode="hybrid"``, ``threshold``, ``expand``, ``group_by``, …
    Every method has an async twin, which encodes and searches in a thread. The store keeps configuration only: it
    pickles and copies where its collection has a location, and shares its model with all others.

    Args:
        collection: the location of a collection, made by the first write if there is none; one that is open; or
            None for a private temporary one, which is removed when the store is closed or goes away.
        model: in place of the one that the collection names, where that has moved; of a new collection, "minilm".
        mode: "read" refuses every write, makes nothing, and serves from a folder that cannot be written, too.
        fields: which keys of a found document's metadata carry its score and the like. None leaves a document as it was
            added, with its context where that is asked for, and gives a passage of a file ``source``, ``chunk_id`` and
            ``document_id``.
        create: how a new collection is made; see :class:`late_rag.retriever.CollectionOptions`.
        trust_model: whether to load or fetch whatever model the collection names.

    Raises:
        InputError: ``mode="read"`` without a collection, or an argument that cannot be.
    """

    def __init__(
        self,
        collection: str | Path | Collection | None = None,
        *,
        model: str | Path | None = None,
        mode: Mode = "write",
        fields: HitFields | None = None,
        create: Mapping[str, Any] | None = None,
        trust_model: bool = False,
    ) -> None:
        super().__init__(collection, model=model, mode=mode, create=create, trust_model=trust_model)
        if fields is not None and not isinstance(fields, HitFields):
            raise InputError(f"fields takes HitFields(…), not {fields!r:.80}")
        self._fields = fields

    def similarity_search(
        self,
        query: str,
        k: int = 4,
        filter: FilterLike | None = None,  # noqa: A002
        **kwargs: Any,
    ) -> list[Document]:
        """The ``k`` documents that answer the query best, best first."""
        return [self._found(hit) for hit in self._hits(query, k, filter, kwargs)]

    async def asimilarity_search(
        self,
        query: str,
        k: int = 4,
        filter: FilterLike | None = None,  # noqa: A002
        **kwargs: Any,
    ) -> list[Document]:
        """Async twin of :meth:`similarity_search`."""
        return await to_reader(self.similarity_search, query, k, filter, **kwargs)

    def similarity_search_with_score(
        self,
        query: str,
        k: int = 4,
        filter: FilterLike | None = None,  # noqa: A002
        **kwargs: Any,
    ) -> list[tuple[Document, float]]:
        """The same, each with its MaxSim score: the higher the better, and the higher the longer the query."""
        return [(self._found(hit), hit.score) for hit in self._hits(query, k, filter, kwargs)]

    async def asimilarity_search_with_score(
        self,
        query: str,
        k: int = 4,
        filter: FilterLike | None = None,  # noqa: A002
        **kwargs: Any,
    ) -> list[tuple[Document, float]]:
        """Async twin of :meth:`similarity_search_with_score`."""
        return await to_reader(self.similarity_search_with_score, query, k, filter, **kwargs)

    def similarity_search_with_relevance_scores(
        self,
        query: str,
        k: int = 4,
        filter: FilterLike | None = None,  # noqa: A002
        score_threshold: float | None = None,
        **kwargs: Any,
    ) -> list[tuple[Document, float]]:
        """The same, each with its similarity: the mean over the query's tokens, from 0 to 1.

        Raises:
            InputError: a ``score_threshold`` that no similarity can be.
        """
        hits = self._hits(query, k, filter, _with_threshold(kwargs, score_threshold))
        return [(self._found(hit), hit.similarity) for hit in hits]

    async def asimilarity_search_with_relevance_scores(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """Async twin of :meth:`similarity_search_with_relevance_scores`."""
        return await to_reader(self.similarity_search_with_relevance_scores, query, k, **kwargs)

    _similarity_search_with_relevance_scores = similarity_search_with_relevance_scores
    _asimilarity_search_with_relevance_scores = asimilarity_search_with_relevance_scores

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: FilterLike | None = None,  # noqa: A002
        **kwargs: Any,
    ) -> list[Document]:
        """Of the ``fetch_k`` best documents ``k`` that are relevant and differ; the first is the best one.

        ``lambda_mult`` 1 is relevance alone, 0 difference alone.
        """
        hits = self._hits(query, k, filter, {**kwargs, "fetch_k": fetch_k, "lambda_mult": lambda_mult})
        return [self._found(hit) for hit in hits]

    async def amax_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: FilterLike | None = None,  # noqa: A002
        **kwargs: Any,
    ) -> list[Document]:
        """Async twin of :meth:`max_marginal_relevance_search`."""
        return await to_reader(self.max_marginal_relevance_search, query, k, fetch_k, lambda_mult, filter, **kwargs)

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents that exist, in the order of ``ids``, as a search gives them."""
        ids = listed(ids, str, "ids", "texts")
        collection = self._holder.retriever().collection
        chunks, located = collection.get(ids), collection.locations(ids)
        return [from_stored(chunk, located.get(chunk.id), self._as_found(located.get(chunk.id))) for chunk in chunks]

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Async twin of :meth:`get_by_ids`."""
        return await to_reader(self.get_by_ids, ids)

    def similarity_search_by_vector(self, *_: Any, **__: Any) -> NoReturn:
        """Raises UnsupportedError, which names ``similarity_search``, as do the other three."""
        raise UnsupportedError(_BY_VECTOR)

    async def asimilarity_search_by_vector(self, *_: Any, **__: Any) -> NoReturn:
        raise UnsupportedError(_BY_VECTOR)

    def max_marginal_relevance_search_by_vector(self, *_: Any, **__: Any) -> NoReturn:
        raise UnsupportedError(_BY_VECTOR)

    async def amax_marginal_relevance_search_by_vector(self, *_: Any, **__: Any) -> NoReturn:
        raise UnsupportedError(_BY_VECTOR)

    def _hits(self, query: str, k: int, filter: FilterLike | None, options: Mapping[str, Any]) -> list[Hit]:  # noqa: A002
        config = SearchConfig.asked(top_k=check_top_k(k, "k"), filter=to_filter(filter), **options)
        return config.search(self._holder.retriever(), query)

    def _found(self, hit: Hit) -> Document:
        return from_hit(hit, self._as_found(hit.source))

    def _as_found(self, source: str | None) -> HitFields:
        if self._fields is not None:
            return self._fields
        return AS_ADDED if source is None else OF_FILES


def _with_threshold(options: Mapping[str, Any], threshold: float | None) -> Mapping[str, Any]:
    return options if threshold is None else {**options, "threshold": threshold}
