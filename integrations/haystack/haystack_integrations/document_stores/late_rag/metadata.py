"""The half of the document store that asks for documents by their metadata, and changes these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from haystack_integrations.document_stores.late_rag.documents import OneChunk, embedded_fields, with_meta
from haystack_integrations.document_stores.late_rag.filters import field_name, to_filter
from haystack_integrations.document_stores.late_rag.inputs import check_names, stored_meta
from haystack_integrations.document_stores.late_rag.loading import check_token
from late_rag import Retriever, Selection
from late_rag.adapters import InputError, StoreHolder, batched, consenting, to_reader, to_writer

if TYPE_CHECKING:
    from haystack.utils import Secret

    from late_rag.adapters import Collection, Mode

Filters = Mapping[str, Any] | None

_TYPES = {"bool": "boolean", "text": "keyword", "time": "keyword", "list": "keyword"}
_WRITTEN_TOGETHER = 256


class MetadataQueries:
    """A store without documents going in and out; see :class:`LateInteractionDocumentStore`.

    A field is named with or without ``meta.`` in front, and dots descend into dicts; ``$source`` is the file that a
    passage came from.
    """

    def __init__(
        self,
        collection: str | Path | Collection | None,
        model: str | Path | None,
        mode: Mode,
        create: Mapping[str, Any] | None,
        encoder_options: Mapping[str, Any] | None,
        token: Secret | None,
        trust_model: bool,
    ) -> None:
        self._token = token
        options = consenting(encoder_options, trust_model)
        self._given = collection, model, mode, dict(create or {}), options
        self._holder = StoreHolder(collection, model, mode, create or {}, options)

    def retriever(self) -> Retriever:
        """The core's retriever over the collection, which is opened at the first call.

        Raises:
            CollectionNotFoundError: there is no collection at the location: the first write makes it.
            CollectionError: it was temporary, and is closed.
            ValueError: the token is required, and its variable is not set.
        """
        check_token(self._token)
        return self._holder.retriever()

    def _writable(self) -> Retriever:
        """The same, for a write."""
        check_token(self._token)
        return self._holder.writable()

    def model_and_options(self) -> tuple[str | Path | None, Mapping[str, Any]]:
        """Which model the store was given, and with what options it is loaded."""
        _, model, _, _, options = self._given
        return model, options

    def _embedding(self) -> Retriever:
        """The same, for a write of documents whose metadata are encoded in front of their content."""
        found = self._writable()
        return Retriever(found.collection, found.encoder, OneChunk())

    def count_documents_by_filter(self, filters: Filters) -> int:
        """How many documents match the filters; all where there are none."""
        return self.retriever().collection.count(_selection(filters))

    def delete_by_filter(self, filters: Filters) -> int:
        """Removes the documents that match the filters; how many went.

        Raises:
            InputError: no filters; ``delete_all_documents`` removes everything.
        """
        wanted = to_filter(filters)
        if wanted is None:
            raise InputError("delete_by_filter takes filters; delete_all_documents removes everything")
        return self._writable().delete(Selection(filter=wanted))

    def update_by_filter(self, filters: Filters, meta: Mapping[str, Any]) -> int:
        """Puts these metadata into the documents that match the filters, beside what they have.

        Documents in front of whose content one of them is encoded are encoded again; else nothing is.

        Args:
            filters: which documents.
            meta: keys and their new values.

        Returns:
            How many documents there were.

        Raises:
            InputError: no filters, which would be everything, or a value that cannot be stored; nothing was changed.
        """
        wanted = to_filter(filters)
        if wanted is None:
            raise InputError("update_by_filter takes filters; without, it would change all, which id != '' says")
        if not isinstance(meta, Mapping):
            raise InputError(f"meta takes a dict of keys and their new values, not {meta!r}")
        meta = stored_meta(meta, "meta")
        retriever, ids, encoded = self._writable(), list[str](), list[str]()
        for batch in retriever.collection.iterate(Selection(filter=wanted)):
            for chunk, _ in batch:
                (encoded if embedded_fields(chunk) & meta.keys() else ids).append(chunk.id)
        for group in batched(encoded, _WRITTEN_TOGETHER):
            self._embedding().add([with_meta(chunk, meta) for chunk in retriever.collection.get(group)])
        if ids:
            retriever.update_metadata(ids, meta)
        return len(ids) + len(encoded)

    def count_unique_metadata_by_filter(self, filters: Filters, metadata_fields: Sequence[str]) -> dict[str, int]:
        """For each field how many distinct values the documents that match the filters have.

        A list counts for each of its elements; 1, 1.0, True and "1" are four values.
        """
        fields = check_names(metadata_fields, "metadata_fields")
        names = {field_name(field): field.removeprefix("meta.") for field in fields}
        counts = self.retriever().collection.count_distinct(list(names), _selection(filters))
        return {names[name]: count for name, count in counts.items()}

    def get_metadata_fields_info(self) -> dict[str, dict[str, str]]:
        """For each field of the metadata its ``type``: boolean, int, float, or keyword for all else and for mixtures.

        What is in a dict has a name of its own, joined by dots.
        """
        found = ((name, kinds - {"null"}) for name, kinds in self.retriever().collection.fields().items())
        return {name: {"type": self._type(name, kinds)} for name, kinds in found if kinds - {"dict"}}

    def _type(self, name: str, kinds: frozenset[str]) -> str:
        if kinds != {"number"}:
            return _TYPES.get(next(iter(kinds)), "keyword") if len(kinds) == 1 else "keyword"
        values, _ = self.retriever().collection.field_values(field_name(f"meta.{name}"))
        return "float" if any(isinstance(item.value, float) for item in values) else "int"

    def get_metadata_field_min_max(self, metadata_field: str) -> dict[str, Any]:
        """The least and greatest value of a field as ``min`` and ``max``, both None where nothing is in an order.

        That is the range of its numbers where it has any, else of its texts or times.
        """
        ends = self.retriever().collection.field_range(field_name(metadata_field))
        return dict(zip(("min", "max"), ends or (None, None), strict=True))

    def get_metadata_field_unique_values(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: Filters = None,
    ) -> tuple[list[Any], int]:
        """A page of a field's distinct values, and how many there are on all pages.

        Args:
            metadata_field: a list counts for each of its elements.
            search_term: only values that contain this, case ignored.
            from_: how many values come before the page.
            size: how many values it has at most.
            filters: only of documents that match.

        Returns:
            Values as they were written: bools, numbers, texts, times, each in their order; and their total.
        """
        values, total = self.retriever().collection.field_values(
            field_name(metadata_field), _selection(filters), search=search_term, offset=from_, limit=size
        )
        return [item.value for item in values], total

    async def count_documents_by_filter_async(self, filters: Filters) -> int:
        """Async twin, in a thread, as are all others."""
        return await to_reader(self.count_documents_by_filter, filters)

    async def delete_by_filter_async(self, filters: Filters) -> int:
        return await to_writer(self.delete_by_filter, filters)

    async def update_by_filter_async(self, filters: Filters, meta: Mapping[str, Any]) -> int:
        return await to_writer(self.update_by_filter, filters, meta)

    async def count_unique_metadata_by_filter_async(
        self, filters: Filters, metadata_fields: Sequence[str]
    ) -> dict[str, int]:
        return await to_reader(self.count_unique_metadata_by_filter, filters, metadata_fields)

    async def get_metadata_fields_info_async(self) -> dict[str, dict[str, str]]:
        return await to_reader(self.get_metadata_fields_info)

    async def get_metadata_field_min_max_async(self, metadata_field: str) -> dict[str, Any]:
        return await to_reader(self.get_metadata_field_min_max, metadata_field)

    async def get_metadata_field_unique_values_async(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: Filters = None,
    ) -> tuple[list[Any], int]:
        return await to_reader(self.get_metadata_field_unique_values, metadata_field, search_term, from_, size, filters)


def _selection(filters: Filters) -> Selection:
    return Selection(filter=to_filter(filters))
