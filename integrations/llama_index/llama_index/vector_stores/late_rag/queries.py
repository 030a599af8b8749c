"""LlamaIndex's store queries as searches of a collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryMode

from late_rag import Selection
from late_rag.adapters import SHAPE, InputError, SearchConfig, UnsupportedError, check_arguments, check_top_k, listed
from llama_index.retrievers.late_rag.filters import to_filter

if TYPE_CHECKING:
    from late_rag import Hit, Retriever

_DENSE = (VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.MMR, VectorStoreQueryMode.HYBRID)
_TEXT = (VectorStoreQueryMode.SPARSE, VectorStoreQueryMode.TEXT_SEARCH)
_HINTS = {
    "filter": "give the query its filters",
    "selection": "give the query node_ids or doc_ids",
    "score_threshold": "use threshold",
    "similarity_cutoff": "use threshold",
    "similarity_top_k": "give the query itself that",
    "top_k": "give the query similarity_top_k",
}
_MMR_THRESHOLD = 0.5  # LlamaIndex's own


def scored_hits(retriever: Retriever, query: VectorStoreQuery, options: Mapping[str, Any]) -> list[tuple[Hit, float]]:
    """What a query finds, best first, each with its similarity; in full-text modes with its BM25 score.

    Raises:
        InputError: a query without text, or an option that does not go with the mode.
        UnsupportedError: a mode that there is not, or a weight of the two halves of a hybrid search.
    """
    if not isinstance(query, VectorStoreQuery):
        raise InputError(f"query takes a VectorStoreQuery, not {query!r}; a retriever takes a text")
    if query.query_str is None or not query.query_str.strip():
        raise InputError(
            "the query has no text: late interaction searches by the query's text, not by its embedding; give query_str"
        )
    mode = VectorStoreQueryMode(query.mode)
    if mode in _TEXT:
        return _full_text(retriever, query, options)
    if mode not in _DENSE:
        names = ", ".join(known.value for known in (*_DENSE, *_TEXT))
        raise UnsupportedError(f"there is no mode {mode.value!r} of late interaction; there are {names}")
    check_arguments("LateInteractionVectorStore.query", options, (*SHAPE, "mmr_threshold"), _HINTS)
    top_k, more = _shaped(query, mode, options)
    check_top_k(top_k, "similarity_top_k")
    hits = SearchConfig.asked(top_k=top_k, selection=_selection(query), **more).search(retriever, query.query_str)
    return [(hit, hit.similarity) for hit in hits]


def _shaped(
    query: VectorStoreQuery, mode: VectorStoreQueryMode, options: Mapping[str, Any]
) -> tuple[int, dict[str, Any]]:
    """How many hits are asked for, and the options that the mode stands for."""
    more, threshold = dict(options), query.mmr_threshold
    threshold = more.pop("mmr_threshold", threshold) if threshold is None else threshold
    if mode is VectorStoreQueryMode.MMR:
        more.setdefault("lambda_mult", _MMR_THRESHOLD if threshold is None else threshold)
    elif threshold is not None:
        raise InputError(f"mmr_threshold goes with the mode 'mmr', not with {mode.value!r}")
    if mode is not VectorStoreQueryMode.HYBRID:
        return query.similarity_top_k, more
    if query.alpha is not None:
        raise UnsupportedError(
            f"alpha is {query.alpha}, but hybrid search adds up ranks, which have no weights: leave alpha out, or "
            "choose the mode 'default' or 'text_search'"
        )
    return query.hybrid_top_k or query.similarity_top_k, {**more, "mode": "hybrid"}


def _full_text(retriever: Retriever, query: VectorStoreQuery, options: Mapping[str, Any]) -> list[tuple[Hit, float]]:
    if options:
        raise InputError(f"full-text search takes no {', '.join(sorted(options))}; choose the mode 'default'")
    texts, top_k = [query.query_str or ""], query.sparse_top_k or query.similarity_top_k
    (hits,) = retriever.collection.text_search(texts, top_k, _selection(query))
    return [(hit, hit.score) for hit in hits]


def _selection(query: VectorStoreQuery) -> Selection:
    """What the query restricts to.

    No ``node_ids`` at all is what a VectorStoreIndex gives whose store has the nodes themselves, and means any node.
    """
    ids = tuple(listed(query.node_ids, str, "node_ids", "ids")) if query.node_ids else None
    documents = None if query.doc_ids is None else tuple(listed(query.doc_ids, str, "doc_ids", "ids"))
    return Selection(ids=ids, document_ids=documents, filter=to_filter(query.filters))
