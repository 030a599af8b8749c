"""A Haystack document store over a collection: documents in, documents out, by late interaction in between."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from haystack import default_from_dict, default_to_dict
from haystack.dataclasses import Document
from haystack.utils import ComponentDevice, Secret

from haystack_integrations.document_stores.late_rag.documents import SEPARATOR, from_chunk, from_hit
from haystack_integrations.document_stores.late_rag.filters import to_filter
from haystack_integrations.document_stores.late_rag.inputs import check_names, check_separator, made_of
from haystack_integrations.document_stores.late_rag.loading import loading_options
from haystack_integrations.document_stores.late_rag.metadata import Filters
from haystack_integrations.document_stores.late_rag.writing import WritableStore
from late_rag import Selection
from late_rag.adapters import (
    SHAPE,
    CollectionError,
    HitFields,
    InputError,
    SearchConfig,
    check_arguments,
    check_collection,
    check_flag,
    hinting,
    location_of,
    to_reader,
    to_writer,
)

if TYPE_CHECKING:
    from late_rag.adapters import Collection, Mode


_HINTS = {
    "filter": "use filters",
    "selection": "use filters",
    "score_threshold": "use threshold",
    **dict.fromkeys(("k", "top_n", "similarity_top_k"), "use top_k"),
}


class LateInteractionDocumentStore(WritableStore):
    """Stores each document as one chunk under its id, over-long content in windows, and finds it by MaxSim.

    Documents are encoded as they are written; no embedder is needed. Passages that something else put into the
    collection, such as the command line, are documents too. Every method has an async twin, its name with ``_async``
    behind, which encodes and searches in a thread. The store keeps configuration only, and shares its model and open
    collection with all others; a deep copy has the same documents.

    Args:
        collection: the location of a collection, made by the first write if there is none; one that is open; or
            None for a private temporary one, which is removed when the store is closed or goes away.
        model: in place of the one that the collection names, where that has moved; of a new collection, "minilm".
        mode: "read" refuses every write, makes nothing, and serves from a folder that cannot be written, too.
        meta_fields_to_embed: metadata that are encoded in front of the content of what is written.
        embedding_separator: between these and the content.
        create: how a new collection is made; see :class:`late_rag.retriever.CollectionOptions`.
        device: the CPU or the first GPU; None takes a GPU where there is one that the model can use.
        token: of the Hugging Face hub, by the name of its environment variable.
        encoder_options: with what else the model is loaded, as JSON; see :func:`late_rag.load_encoder`.
        trust_model: whether to load or fetch whatever model the collection names; so do rankers over this store.
        fields: which keys of a found document's metadata carry what is known of the hit, as
            :class:`late_rag.adapters.HitFields` or its fields as a dict.
        progress_bar: whether a bar is drawn while documents are encoded.

    Raises:
        InputError: ``mode="read"`` without a collection, or what is none.
    """

    @hinting(
        **dict.fromkeys(("path", "persist_path", "uri", "index", "collection_name"), "use collection, the location"),
        **dict.fromkeys(
            ("embedding_dim", "embedding_similarity_function", "similarity"),
            "the collection's own model embeds; model= chooses one",
        ),
        recreate_index="use delete_all_documents",
    )
    def __init__(
        self,
        collection: str | Path | Collection | None = None,
        *,
        model: str | Path | None = None,
        mode: Mode = "write",
        meta_fields_to_embed: Sequence[str] | None = None,
        embedding_separator: str = SEPARATOR,
        create: Mapping[str, Any] | None = None,
        device: ComponentDevice | None = None,
        token: Secret | None = None,
        encoder_options: Mapping[str, Any] | None = None,
        trust_model: bool = False,
        fields: HitFields | Mapping[str, str | None] | None = None,
        progress_bar: bool = False,
    ) -> None:
        for name, options in {"create": create, "encoder_options": encoder_options}.items():
            if not isinstance(options, Mapping | None):
                raise InputError(f"{name} takes a dict of options, not {options!r:.80}")
        collection = None if collection is None else check_collection(collection)
        loading = loading_options(device, token, encoder_options)
        super().__init__(collection, model, mode, create, loading, token, trust_model)
        self._loading = device, token, dict(encoder_options or {}), trust_model
        embedded = check_names(meta_fields_to_embed, "meta_fields_to_embed")
        self._embedded = embedded, check_separator(embedding_separator, "embedding_separator")
        self._fields = made_of(HitFields, fields, "fields")
        self._progress_bar = check_flag(progress_bar, "progress_bar")

    def to_dict(self) -> dict[str, Any]:
        """The configuration; the documents stay where they are.

        Raises:
            CollectionError: a temporary collection with documents in it, which would be lost.
        """
        collection, model, mode, create, _ = self._given
        device, token, encoder_options, trust_model = self._loading
        if collection is None and self._holds_documents():
            raise CollectionError(
                "this store is temporary, and what is in it would be lost with its configuration alone; give "
                "collection= a location"
            )
        fields, separator = self._embedded
        return default_to_dict(
            self,
            collection=None if collection is None else location_of(collection),
            model=None if model is None else str(model),
            mode=mode,
            meta_fields_to_embed=list(fields),
            embedding_separator=separator,
            create=copy.deepcopy(create),
            device=device,
            token=token,
            encoder_options=copy.deepcopy(encoder_options),
            trust_model=trust_model,
            fields=asdict(self._fields),
            progress_bar=self._progress_bar,
        )

    def _holds_documents(self) -> bool:
        """Whether a temporary store was used and has documents; makes nothing and loads no model."""
        made = self._holder.temporary
        return made is not None and not made.closed and made.count() > 0

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """The store of this configuration."""
        return default_from_dict(cls, data)

    def __repr__(self) -> str:
        _, model, mode, *_ = self._given
        return self._holder.described(self, model=model, mode=None if mode == "write" else mode)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Pipelines are copied to be run; the copy has the same documents, also those of a temporary collection."""
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)  # configuration, which nothing changes
        return made

    def count_documents(self) -> int:
        """How many documents there are."""
        return self.retriever().collection.count()

    def filter_documents(self, filters: Filters = None) -> list[Document]:
        """The documents that match the filters, in the order they were written; all where there are none.

        Raises:
            FilterError: see :mod:`haystack_integrations.document_stores.late_rag.filters`.
        """
        found = self.retriever().collection.iterate(Selection(filter=to_filter(filters)))
        return [from_chunk(chunk) for batch in found for chunk, _ in batch]

    def search(self, query: str, top_k: int = 10, filters: Filters = None, **options: Any) -> list[Document]:
        """The documents that answer the query best, best first, each with its similarity as score.

        Args:
            query: a text.
            top_k: how many at most.
            filters: only of documents that match.
            options: ``threshold``, ``mode``, ``expand``, ``group_by``, …; see
                :class:`late_rag.retriever.SearchOptions`.

        Raises:
            InputError: an empty query, or an argument that cannot be.
            FilterError: a filter that cannot be read.
        """
        check_arguments(f"{type(self).__name__}.search", options, SHAPE, _HINTS)
        return self.find(query, SearchConfig.asked(top_k=top_k, filter=to_filter(filters), **options))

    def find(self, query: str, config: SearchConfig) -> list[Document]:
        """What :meth:`search` finds with options that are checked already."""
        return [from_hit(hit, self._fields) for hit in config.search(self.retriever(), query)]

    def close(self) -> None:
        """Removes a temporary collection; any other stays open for those who share it."""
        self._holder.close()

    async def count_documents_async(self) -> int:
        """Async twin, in a thread, as are all others."""
        return await to_reader(self.count_documents)

    async def filter_documents_async(self, filters: Filters = None) -> list[Document]:
        return await to_reader(self.filter_documents, filters)

    async def search_async(
        self, query: str, top_k: int = 10, filters: Filters = None, **options: Any
    ) -> list[Document]:
        return await to_reader(self.search, query, top_k, filters, **options)

    async def close_async(self) -> None:
        await to_writer(self.close)
