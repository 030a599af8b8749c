"""A LlamaIndex retriever over a collection of late_rag."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.constants import DEFAULT_SIMILARITY_TOP_K
from llama_index.core.schema import IndexNode

from late_rag import Selection
from late_rag.adapters import (
    SHAPE,
    HitFields,
    InputError,
    SearchConfig,
    StoreHolder,
    UnsupportedError,
    anchored,
    check_collection,
    check_model,
    check_owners,
    check_top_k,
    consenting,
    described,
    hinting,
    listed,
    seen_from,
    shared_retriever,
    to_reader,
    to_writer,
)
from llama_index.retrievers.late_rag.checks import check_nodes
from llama_index.retrievers.late_rag.filters import to_filter
from llama_index.retrievers.late_rag.loose import to_chunks
from llama_index.retrievers.late_rag.nodes import from_hit

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.schema import BaseNode, NodeWithScore, QueryBundle

    from late_rag import Hit, Retriever
    from late_rag.adapters import Collection
    from llama_index.retrievers.late_rag.filters import FilterLike


class LateInteractionRetriever(BaseRetriever):
    """Finds the passages of a collection that answer a question, each as a node with its similarity, from 0 to 1.

    It holds configuration only, pickles and copies, and all that name the same collection share it and its model.
    Nodes that LlamaIndex stored come back as they were; passages that came from elsewhere are text nodes, whose
    ``ref_doc_id`` is their document's id.

    Args:
        collection: the location of one, or one that is open.
        model: in place of the model that the collection names, where that has moved.
        trust_model: whether to load or fetch whatever model the collection names.
        similarity_top_k: how many nodes at most; LlamaIndex's own default, which is 2.
        filters: LlamaIndex's ``MetadataFilters``, or a filter as the core reads it: ``'year >= 2020'``.
        node_ids: only these nodes; an empty list finds none.
        doc_ids: only nodes of these documents; an empty list finds none.
        threshold: the least similarity.
        mode: "maxsim", or "hybrid" to order by MaxSim and BM25 together.
        group_by: "document" gives the best node of each document only.
        expand: what ``metadata["context"]`` has: the whole document, or so many passages before and after the node.
        lambda_mult: diversity by maximal marginal relevance: 1 is relevance alone, 0 difference alone; None is off.
        fetch_k: from how many diverse ones are picked.
        fields: which keys of a node's metadata carry what else is known of a hit; no model sees them.
        callback_manager: as every retriever has it; so are the next three.
        object_map: what an index node stands for, by its ``index_id``.
        objects: index nodes whose objects are that.
        verbose: whether recursive retrieval prints where it goes.

    Raises:
        InputError: a value that cannot be.
        FilterError: a filter that cannot be read.
    """

    @hinting(
        filter="use filters",
        k="use similarity_top_k",
        top_k="use similarity_top_k",
        top_n="use similarity_top_k",
        score_threshold="use threshold",
        similarity_cutoff="use threshold",
        vector_store_query_mode="use mode, or lambda_mult for diversity",
        embed_model="the collection names the model; model= where that has moved",
    )
    def __init__(
        self,
        collection: str | Path | Collection,
        *,
        model: str | None = None,
        trust_model: bool = False,
        similarity_top_k: int = DEFAULT_SIMILARITY_TOP_K,
        filters: FilterLike | None = None,
        node_ids: Sequence[str] | None = None,
        doc_ids: Sequence[str] | None = None,
        threshold: float | None = None,
        mode: Literal["maxsim", "hybrid"] = "maxsim",
        group_by: Literal["document"] | None = None,
        expand: int | Literal["document"] | None = None,
        lambda_mult: float | None = None,
        fetch_k: int | None = None,
        fields: HitFields | None = None,
        callback_manager: CallbackManager | None = None,
        object_map: dict[str, Any] | None = None,
        objects: list[IndexNode] | None = None,
        verbose: bool = False,
    ) -> None:
        if not isinstance(object_map, dict | None):
            raise InputError(f"object_map takes a dict of objects by index_id, not {object_map!r:.80}")
        objects = None if objects is None else listed(objects, IndexNode, "objects", "index nodes")
        super().__init__(callback_manager, object_map, objects, verbose)
        self.collection = check_collection(collection)
        self._place = anchored(self.collection, seen_from(self.collection))
        self.model = check_model(model)
        consenting(None, trust_model)
        self.trust_model = trust_model
        self.similarity_top_k = check_top_k(similarity_top_k, "similarity_top_k")
        self.filters = filters
        self.node_ids = node_ids
        self.doc_ids = doc_ids
        self.threshold = threshold
        self.mode = mode
        self.group_by = group_by
        self.expand = expand
        self.lambda_mult = lambda_mult
        self.fetch_k = fetch_k
        self.fields = HitFields() if fields is None else fields
        if not isinstance(self.fields, HitFields):
            raise InputError(f"fields takes HitFields(…), not {fields!r:.80}")
        self._config()

    @classmethod
    def from_nodes(
        cls,
        nodes: Iterable[BaseNode],
        collection: str | Path | Collection | None = None,
        *,
        model: str | None = None,
        **options: Any,
    ) -> Self:
        """Stores nodes, and makes a retriever over them.

        Args:
            nodes: they stay as they are; one whose id is there already replaces that.
            collection: the location of one, which is made where there is none; one that is open for writing; None is a
                private temporary one, which goes with the retriever.
            model: of a new collection; "minilm" where it is not said.
            options: of the retriever.

        Raises:
            InputError: a node that cannot be stored; none is then.
            ConflictError: a node's id is that of a passage of another document.
        """
        holder = StoreHolder(collection, model, "write", {}, trust_model=options.get("trust_model", False))
        chunks = to_chunks(check_nodes(nodes), lambda: holder.writable().encoder)
        retriever = cls(holder.writable().collection if collection is None else collection, model=model, **options)
        check_owners(holder.writable(), chunks)
        holder.writable().add(chunks)
        return retriever

    @classmethod
    async def afrom_nodes(cls, nodes: Iterable[BaseNode], *arguments: Any, **options: Any) -> Self:
        """Async twin of :meth:`from_nodes`."""
        return await to_writer(cls.from_nodes, nodes, *arguments, **options)

    def core(self) -> Retriever:
        """The process's shared retriever of the core over the same collection."""
        return shared_retriever(self._place, model=self.model, trust_model=self.trust_model)

    def __repr__(self) -> str:
        shape = {name: getattr(self, name) for name in SHAPE}
        shape["mode"] = None if self.mode == "maxsim" else self.mode
        return described(
            self,
            self.collection,
            model=self.model,
            similarity_top_k=self.similarity_top_k,
            filters=self.filters,
            **shape,
        )

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        queries, config = _queries(query_bundle), self._config()
        if len(queries) == 1:  # of which an error tells no number
            lists = [config.search(self.core(), queries[0])]
        else:
            lists = config.search_batch(self.core(), queries)
        return [from_hit(hit, self.fields) for hit in self._together(lists)]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await to_reader(self._retrieve, query_bundle)

    def _config(self) -> SearchConfig:
        return SearchConfig.of(
            self,
            top_k=self.similarity_top_k,
            filter=to_filter(self.filters),
            selection=Selection(_listed(self.node_ids, "node_ids"), _listed(self.doc_ids, "doc_ids")),
        )

    def _together(self, lists: Sequence[list[Hit]]) -> list[Hit]:
        """What several texts of one query found, each passage once: at its best place, the more similar first."""
        if len(lists) == 1:
            return lists[0]
        by_similarity = self.mode == "maxsim" and self.lambda_mult is None
        found = [
            (0 if by_similarity else place, -hit.similarity, hit) for hits in lists for place, hit in enumerate(hits)
        ]
        best: dict[str, Hit] = {}
        for _, _, hit in sorted(found, key=lambda item: item[:2]):
            best.setdefault(hit.chunk.document_id if self.group_by else hit.chunk.id, hit)
        return list(best.values())[: self.similarity_top_k]


def _queries(bundle: QueryBundle) -> list[str]:
    """The texts that stand for the query: its own, or those that a query transformation put in its place.

    Raises:
        UnsupportedError: a picture.
    """
    if bundle.image_path is not None:
        raise UnsupportedError(f"the query has a picture, {bundle.image_path!r}; the model reads text: ask in words")
    return bundle.custom_embedding_strs or [bundle.query_str]


def _listed(values: Sequence[str] | None, name: str) -> tuple[str, ...] | None:
    return None if values is None else tuple(listed(values, str, name, "ids"))
