"""A LlamaIndex node postprocessor that puts nodes into the order of their MaxSim with the question."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import llama_index.core.instrumentation as instrument
from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, QueryBundle
from pydantic import ConfigDict, Field, PrivateAttr, field_serializer, field_validator, model_validator

from late_rag.adapters import (
    InputError,
    Report,
    anchored,
    as_found,
    beside,
    check_collection,
    check_text,
    check_threshold,
    described,
    in_thread,
    listed,
    location_of,
    seen_from,
    shared_reranker,
    to_compare,
    without_secrets,
)
from llama_index.retrievers.late_rag.checks import node_name, refusing
from llama_index.retrievers.late_rag.nodes import candidate

if TYPE_CHECKING:
    from llama_index.core.schema import BaseNode

    from late_rag import Chunk, Hit, Reranker

_dispatcher = instrument.get_dispatcher(__name__)  # type: ignore[attr-defined]  # imported there, and public

_progress: ContextVar[Report | None] = ContextVar("late_rag_rerank_progress", default=None)
"""What stops the work of one async call: LlamaIndex's interface has no argument for it."""

RETRIEVAL_SCORE = "retrieval_score"
"""The key of the metadata that gets the score a node had before, as LlamaIndex's own rerankers name it."""


_HINTS = {
    "k": "use top_n",
    "top_k": "use top_n",
    "similarity_top_k": "use top_n",
    "score_threshold": "use threshold",
    "similarity_cutoff": "use threshold",
}


class LateInteractionRerank(BaseNodePostprocessor):
    """Scores nodes from anywhere by late interaction and keeps the best, best first.

    What is compared is a node's content for embedding. Embeddings are kept by content, in one cache for all rerankers
    of the process with the same model and collection. With a collection, nodes that it holds are scored by what it has
    stored, and are not encoded at all.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    model: str | None = None
    """What encodes; None is the collection's model, or "minilm" without one."""

    trust_model: bool = False
    """Whether to load or fetch whatever model the collection names."""

    collection: Any = None
    """The location of a collection, or one that is open."""

    top_n: int | None = Field(default=3, ge=1)
    """How many nodes at most; None keeps all."""

    threshold: float | None = None
    """The least similarity, from 0 to 1."""

    keep_order: bool = True
    """Whether what one search found by the same model over the same collection keeps its order, such as a hybrid's."""

    keep_retrieval_score: bool = False
    """Whether ``metadata["retrieval_score"]`` has the score that the node had before; no model sees it."""

    _folder: str | None = PrivateAttr(default=None)

    _check_threshold = field_validator("threshold")(check_threshold)

    _check_arguments = refusing(_HINTS)

    @field_validator("collection")
    @classmethod
    def _check_collection(cls, value: Any) -> Any:
        return None if value is None else check_collection(value)

    _without_secrets = model_validator(mode="wrap")(without_secrets)

    def model_post_init(self, context: Any, /) -> None:
        """Keeps from where a relative location is seen."""
        super().model_post_init(context)
        self._folder = seen_from(self.collection)

    @field_serializer("collection")
    def _location(self, value: Any) -> str | None:
        """The location; CollectionError for a temporary collection."""
        return None if value is None else location_of(value)

    @classmethod
    def class_name(cls) -> str:
        """The name that a serialised one has."""
        return "LateInteractionRerank"

    def __getstate__(self) -> dict[str, Any]:
        """Raises CollectionError for a temporary collection, which LlamaIndex would leave out without a word."""
        if self.collection is not None:
            location_of(self.collection)
        return super().__getstate__()

    def __repr__(self) -> str:
        return described(self, self.collection, model=self.model, top_n=self.top_n, threshold=self.threshold)

    __str__ = __repr__  # pydantic's own would show what is in the URL of a collection

    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        """Async twin, in a thread; cancelled, it stops at the next step."""

        def work(progress: Report) -> list[NodeWithScore]:
            _progress.set(progress)  # in the thread's own copy of the context
            return self._postprocess_nodes(nodes, query_bundle)

        return await in_thread(work)

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        """The nodes that answer the query best, with its similarity as their score; one without text is left out,
        with a warning where it has a picture that the model does not read.

        The nodes given stay as they are.

        Raises:
            InputError: no query, or an empty one; or a node with a text that is none, named by its place.
        """
        if query_bundle is None:
            raise InputError("reranking needs a query: give postprocess_nodes query_str= or query_bundle=")
        nodes = listed(nodes, NodeWithScore, "nodes", "nodes with scores")
        if not nodes:
            return []
        reranker = shared_reranker(self.model, anchored(self.collection, self._folder), trust_model=self.trust_model)
        model, top_n = reranker.encoder.model, self.top_n or len(nodes)
        _dispatcher.event(ReRankStartEvent(query=query_bundle, nodes=nodes, top_n=top_n, model_name=model))
        payload: dict[str, Any] = {
            EventPayload.NODES: nodes,
            EventPayload.MODEL_NAME: model,
            EventPayload.QUERY_STR: query_bundle.query_str,
            EventPayload.TOP_K: top_n,
        }
        with self.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
            ranked = self._ranked(reranker, query_bundle.query_str, nodes)[:top_n]
            event.on_end(payload={EventPayload.NODES: ranked})
        _dispatcher.event(ReRankEndEvent(nodes=ranked))
        return ranked

    def _ranked(self, reranker: Reranker, query: str, nodes: list[NodeWithScore]) -> list[NodeWithScore]:
        candidates = [self._candidate(item.node, place, reranker) for place, item in enumerate(nodes)]
        ranked = reranker.rerank(query, candidates, keep_order=self.keep_order, progress=_progress.get())
        return [
            self._scored(nodes[hit.index], hit.similarity)
            for hit in ranked
            if self.threshold is None or hit.similarity >= self.threshold
        ]

    def _candidate(self, node: BaseNode, place: int, reranker: Reranker) -> Chunk | Hit:
        passage = candidate(node)
        check_text(passage.encoded_text, node_name(node, place))
        return as_found(node, to_compare(passage, lambda: reranker.encoder))

    def _scored(self, item: NodeWithScore, similarity: float) -> NodeWithScore:
        node = item.node
        if self.keep_retrieval_score:
            more = beside(node.metadata, {RETRIEVAL_SCORE: item.score})
            update: dict[str, Any] = {"metadata": {**node.metadata, **more}}
            for name in ("excluded_embed_metadata_keys", "excluded_llm_metadata_keys"):
                update[name] = [*getattr(node, name), *more]
            node = node.model_copy(update=update)
        return NodeWithScore(node=node, score=similarity)
