"""A Haystack retriever over the collection of a document store."""

from __future__ import annotations

from typing import Any, Literal, Self

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.document_stores.types import FilterPolicy, apply_filter_policy

from haystack_integrations.document_stores.late_rag.document_store import LateInteractionDocumentStore
from haystack_integrations.document_stores.late_rag.errors import StoreKindError
from haystack_integrations.document_stores.late_rag.filters import to_filter
from late_rag.adapters import (
    Filter,
    InputError,
    SearchConfig,
    check_threshold,
    constant,
    decode_metadata,
    encode_metadata,
    hinting,
    to_reader,
)


@component
class LateInteractionRetriever:
    """Finds the passages that answer a question by late interaction; a document's score is its similarity, 0 to 1.

    It holds configuration only: model and collection are those of the store, and are shared by all components of the
    process that name the same collection.

    Args:
        document_store: where passages are.
        filters: Haystack's filters, for every search; see ``filter_policy``.
        top_k: how many documents at most.
        filter_policy: whether the filters of a call replace those above, or are merged with them by Haystack's rules;
            also as "replace" or "merge".
        required_filters: hold for every search, whatever ``filter_policy`` and a call say: what a tenant or an agent
            may see. Haystack's rules for merging let go of the component's own filters where a call's have another
            operator or name the same field. None requires nothing; filters that restrict nothing are an error.
        score_threshold: the least similarity.
        mode: "hybrid" orders by MaxSim and BM25 together.
        expand: what ``meta["context"]`` has: the whole "document" around a passage, or so many passages before and
            after it.
        group_by: "document" gives the best passage of each document only.
        lambda_mult: diversity by maximal marginal relevance: 1 is relevance alone, 0 difference alone; None is off.
        fetch_k: from how many passages diverse ones are picked.

    Raises:
        TypeError: ``document_store`` is another kind of store.
        InputError: an option that cannot be.
        FilterError: filters that cannot be read.
    """

    @hinting(
        threshold="use score_threshold",
        **dict.fromkeys(("k", "top_n", "similarity_top_k"), "use top_k"),
        **dict.fromkeys(("model", "collection"), "they are those of the store: document_store=…"),
    )
    def __init__(
        self,
        document_store: LateInteractionDocumentStore,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        filter_policy: FilterPolicy | Literal["replace", "merge"] = FilterPolicy.REPLACE,
        *,
        required_filters: dict[str, Any] | None = None,
        score_threshold: float | None = None,
        mode: Literal["maxsim", "hybrid"] = "maxsim",
        expand: int | Literal["document"] | None = None,
        group_by: Literal["document"] | None = None,
        lambda_mult: float | None = None,
        fetch_k: int | None = None,
    ) -> None:
        if not isinstance(document_store, LateInteractionDocumentStore):
            raise StoreKindError(
                f"document_store must be a LateInteractionDocumentStore, not a {type(document_store).__name__}: "
                "only that keeps the embeddings of tokens"
            )
        self.document_store = document_store
        self.filters = filters
        self.top_k = top_k
        self.filter_policy = _policy(filter_policy)
        self.required_filters = _required(required_filters)
        self.score_threshold = check_threshold(score_threshold, "score_threshold")
        self.mode = mode
        self.expand = expand
        self.group_by = group_by
        self.lambda_mult = lambda_mult
        self.fetch_k = fetch_k
        self._warm = False
        to_filter(filters)
        self._config(top_k)

    def warm_up(self) -> None:
        """Opens the collection and loads its model, once; the first ``run`` does so too.

        Raises:
            CollectionNotFoundError: there is no collection, and the store only reads.
            ModelMismatchError: the model is not the one that the collection was made by.
        """
        if not self._warm:
            self.document_store.search("warm up", top_k=1)
            self._warm = True

    async def warm_up_async(self) -> None:
        """Async twin of :meth:`warm_up`."""
        await to_reader(self.warm_up)

    def close(self) -> None:
        """Leaves the store open, which others may have too; only its own ``close`` closes it."""
        self._warm = False

    async def close_async(self) -> None:
        """Async twin of :meth:`close`."""
        self.close()

    @component.output_types(documents=list[Document])
    def run(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Searches for what answers a question.

        Args:
            query: What to look for, as a question or in key words.
            filters: Restricts the search by metadata, such as {"field": "meta.year", "operator": ">=", "value": 2020};
                several are joined by {"operator": "AND", "conditions": [...]}, also "OR" and "NOT".
            top_k: How many documents at most.

        Returns:
            ``documents``, best first.

        Raises:
            InputError: an empty query, or an impossible ``top_k``.
            FilterError: filters that cannot be read.
        """
        restriction = to_filter(filters)
        chosen = _both(self.required_filters, apply_filter_policy(self.filter_policy, self.filters, filters))
        if chosen is not filters:
            restriction = to_filter(chosen)
        return {"documents": self.document_store.find(query, self._config(top_k, restriction))}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query: str, filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        """Async twin of :meth:`run`, which works in a thread.

        Args:
            query: What to look for, as a question or in key words.
            filters: Restricts the search by metadata; see :meth:`run`.
            top_k: How many documents at most.
        """
        return await to_reader(self.run, query, filters, top_k)

    def _config(self, top_k: int | None, restriction: Filter | None = None) -> SearchConfig:
        count = self.top_k if top_k is None else top_k
        return SearchConfig.of(self, top_k=count, filter=restriction, threshold=self.score_threshold)

    def to_dict(self) -> dict[str, Any]:
        """The component as a pipeline's YAML has it; a time in a filter is a dict such as ``{"$date": "2020-01-31"}``.

        Raises:
            CollectionError: the store's collection lives in this process only.
        """
        return default_to_dict(
            self,
            document_store=self.document_store,
            filters=encode_metadata(self.filters),
            top_k=self.top_k,
            filter_policy=self.filter_policy.value,
            required_filters=encode_metadata(self.required_filters),
            score_threshold=self.score_threshold,
            mode=self.mode,
            expand=self.expand,
            group_by=self.group_by,
            lambda_mult=self.lambda_mult,
            fetch_k=self.fetch_k,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """What :meth:`to_dict` gave, as a component.

        Raises:
            InputError: a key that starts with ``$`` where it has no meaning.
        """
        given = data.get("init_parameters", {})
        filters = {name: decode_metadata(given[name]) for name in ("filters", "required_filters") if name in given}
        return default_from_dict(cls, {**data, "init_parameters": {**given, **filters}})


def _policy(given: Any) -> FilterPolicy:
    if isinstance(given, FilterPolicy):
        return given
    try:
        return FilterPolicy.from_str(given)
    except (AttributeError, ValueError):
        known = ", ".join(repr(policy.value) for policy in FilterPolicy)
        raise InputError(f"filter_policy takes a FilterPolicy or one of {known}, not {given!r}") from None


def _required(filters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Filters that restrict something, or None: a mistake here must not show everything to everyone."""
    if filters is None:
        return None
    wanted = to_filter(filters)
    if wanted is None or constant(wanted) is True:
        raise InputError(f"required_filters restrict nothing: {filters!r}; give a filter, or None to require nothing")
    return filters


def _both(required: dict[str, Any] | None, chosen: dict[str, Any] | None) -> dict[str, Any] | None:
    if not required or not chosen:
        return required or chosen
    return {"operator": "AND", "conditions": [required, chosen]}
