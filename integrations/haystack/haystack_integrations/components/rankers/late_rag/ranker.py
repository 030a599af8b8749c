"""A Haystack ranker that puts documents into the order of their MaxSim with the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from haystack import Document, component, default_from_dict, default_to_dict
from haystack.utils import ComponentDevice, Secret

from haystack_integrations.document_stores.late_rag.document_store import LateInteractionDocumentStore
from haystack_integrations.document_stores.late_rag.documents import to_chunk
from haystack_integrations.document_stores.late_rag.errors import StoreKindError
from haystack_integrations.document_stores.late_rag.inputs import (
    check_documents,
    check_names,
    check_separator,
    document_name,
)
from haystack_integrations.document_stores.late_rag.loading import check_token, loading_options
from late_rag.adapters import (
    as_found,
    check_flag,
    check_model,
    check_query,
    check_text,
    check_threshold,
    check_top_k,
    hinting,
    shared_reranker,
    to_compare,
    to_reader,
)

if TYPE_CHECKING:
    from late_rag import Chunk, Hit, Reranker
    from late_rag.adapters import Ranked


@component
class LateInteractionRanker:
    """Scores documents from anywhere by late interaction and keeps the best, best first; a score is from 0 to 1.

    Embeddings are kept by content, in one cache for all rankers of the process with the same model. With a document
    store, passages that it holds are scored by what it has stored, and are not encoded at all.

    Args:
        model: what encodes; None is the store's model, loaded as the store loads it, or "minilm" without a store.
        top_k: how many documents at most; None keeps all.
        document_store: where embeddings are taken from.
        score_threshold: the least similarity.
        meta_fields_to_embed: fields of the metadata that are encoded in front of the content.
        meta_data_separator: what stands between them, and between them and the content.
        keep_order: whether what one search found by the same model over the same collection keeps its order, such as
            a hybrid's; False orders by MaxSim alone.
        device: the CPU or the first GPU; None takes a GPU where there is one that the model can use.
        token: of the Hugging Face hub, by the name of its environment variable.

    Raises:
        TypeError: ``document_store`` is another kind of store.
        InputError: an option that cannot be.
    """

    @hinting(
        threshold="use score_threshold",
        collection="use document_store, a store over it",
        **dict.fromkeys(("k", "top_n", "similarity_top_k"), "use top_k"),
        **dict.fromkeys(("model_name", "model_name_or_path"), "use model"),
    )
    def __init__(
        self,
        model: str | None = None,
        top_k: int | None = 10,
        *,
        document_store: LateInteractionDocumentStore | None = None,
        score_threshold: float | None = None,
        meta_fields_to_embed: Sequence[str] = (),
        meta_data_separator: str = "\n",
        keep_order: bool = True,
        device: ComponentDevice | None = None,
        token: Secret | None = None,
    ) -> None:
        if document_store is not None and not isinstance(document_store, LateInteractionDocumentStore):
            raise StoreKindError(
                f"document_store must be a LateInteractionDocumentStore, not a {type(document_store).__name__}"
            )
        self.model = check_model(model)
        self.top_k = None if top_k is None else check_top_k(top_k)
        self.document_store = document_store
        self.score_threshold = check_threshold(score_threshold, "score_threshold")
        self.meta_fields_to_embed = check_names(meta_fields_to_embed, "meta_fields_to_embed")
        self.meta_data_separator = check_separator(meta_data_separator, "meta_data_separator")
        self.keep_order = check_flag(keep_order, "keep_order")
        self.device = device
        self.token = token
        self._options = loading_options(device, token)
        self._warm = False

    def warm_up(self) -> None:
        """Loads the model, once; the first ``run`` does so too.

        Raises:
            ModelError: it cannot be found or loaded.
            ModelMismatchError: it is not the one that the store's collection was made by.
        """
        if not self._warm:
            self._reranker().encoder.encode_queries(["warm up"])
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
        self,
        query: str,
        documents: list[Document],
        top_k: int | None = None,
        score_threshold: float | None = None,
    ) -> dict[str, list[Document]]:
        """Puts documents into the order in which they answer a question.

        Args:
            query: The question.
            documents: What to rank. They stay as they are; of several with one id the best is kept, and one without
                text is left out, with a warning where it has a blob, which the model does not read.
            top_k: How many documents at most, in place of the component's.
            score_threshold: The least similarity, in place of the component's.

        Returns:
            ``documents``: copies with their score, best first.

        Raises:
            InputError: an empty query, what is no list of documents, or an impossible ``top_k``.
        """
        limits, documents = self._limits(top_k, score_threshold), check_documents(documents)
        reranker, candidates = self._prepared(query, documents)
        return _best(
            reranker.rerank(query, candidates, keep_order=self.keep_order) if reranker else [], documents, *limits
        )

    @component.output_types(documents=list[Document])
    async def run_async(
        self,
        query: str,
        documents: list[Document],
        top_k: int | None = None,
        score_threshold: float | None = None,
    ) -> dict[str, list[Document]]:
        """Async twin of :meth:`run`, which works in a thread; cancelled, it stops at the next step."""
        limits, documents = self._limits(top_k, score_threshold), check_documents(documents)
        reranker, candidates = await to_reader(self._prepared, query, documents)
        ranked = await reranker.arerank(query, candidates, keep_order=self.keep_order) if reranker else []
        return _best(ranked, documents, *limits)

    def _limits(self, top_k: int | None, score_threshold: float | None) -> tuple[int | None, float | None]:
        """How many documents, and the least similarity, for one call."""
        least = self.score_threshold if score_threshold is None else check_threshold(score_threshold, "score_threshold")
        return (self.top_k if top_k is None else check_top_k(top_k)), least

    def _prepared(self, query: str, documents: list[Document]) -> tuple[Reranker | None, list[Chunk | Hit]]:
        """What ranks, and what is ranked, in the order of the documents; a model is needed only where there are any."""
        check_query(query)
        if not documents:
            return None, []
        reranker = self._reranker()
        return reranker, [self._candidate(document, place, reranker) for place, document in enumerate(documents)]

    def _candidate(self, document: Document, place: int, reranker: Reranker) -> Chunk | Hit:
        passage = to_chunk(document, self.meta_fields_to_embed, self.meta_data_separator)
        check_text(passage.encoded_text, document_name(document, place))
        return as_found(document, to_compare(passage, lambda: reranker.encoder))

    def _reranker(self) -> Reranker:
        check_token(self.token)
        store = self.document_store
        if store is None:
            return shared_reranker(self.model, encoder_options=self._options)
        model, options = store.model_and_options()
        return shared_reranker(
            self.model or model, store.retriever().collection, encoder_options={**options, **self._options}
        )

    def to_dict(self) -> dict[str, Any]:
        """The component as a pipeline's YAML has it.

        Raises:
            CollectionError: the store's collection lives in this process only.
        """
        return default_to_dict(
            self,
            model=self.model,
            top_k=self.top_k,
            document_store=self.document_store,
            score_threshold=self.score_threshold,
            meta_fields_to_embed=list(self.meta_fields_to_embed),
            meta_data_separator=self.meta_data_separator,
            keep_order=self.keep_order,
            device=self.device,
            token=self.token,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """What :meth:`to_dict` gave, as a component."""
        return default_from_dict(cls, data)


def _best(
    ranked: Sequence[Ranked], documents: Sequence[Document], count: int | None, least: float | None
) -> dict[str, list[Document]]:
    """Copies of the documents with their scores, of several with one id the best."""
    best: dict[str, Document] = {}
    for hit in ranked:
        if least is None or hit.similarity >= least:
            document = documents[hit.index]
            best.setdefault(document.id, replace(document, score=hit.similarity))
    return {"documents": list(best.values())[:count]}
