"""What all engines have in common: arguments are checked here, once, and an engine writes the primitives below.

A primitive has its public method's name with an underscore in front, and is given what can be stored or asked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from late_rag.asynchronous import twin
from late_rag.closing import Closing
from late_rag.collections import shared_collection, shown
from late_rag.collections.kit import checks
from late_rag.collections.kit.checks import Change, Order, Packed
from late_rag.errors import CollectionError, InputError, UnsupportedError
from late_rag.filters.selection import Selection, checked_ids
from late_rag.protocols import Capabilities, Collection, CollectionInfo, CollectionSettings, RepairReport, VerifyReport
from late_rag.types import (
    AddResult,
    Chunk,
    Document,
    FieldValue,
    Hit,
    Metadata,
    Mode,
    OnConflict,
    Report,
    Source,
    TokenEmbeddings,
)


class BaseCollection(Closing, Collection, ABC):
    """A :class:`late_rag.protocols.Collection` whose engine is still to be written.

    An engine defines ``capabilities``, ``closed``, ``close``, ``info``, ``verify``, ``repair`` and the primitives.

    Args:
        location: What it was opened by; it is known by what may be shown of that.
        settings: As recorded.
        mode: "write", or "read".
        temporary: Whether it lives in this process only.
    """

    def __init__(self, location: str, settings: CollectionSettings, mode: Mode, *, temporary: bool = False) -> None:
        self._location = shown(location)
        self._settings = settings
        self._temporary = temporary
        self.mode = mode

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.location!r}, {self.mode!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.temporary:
            raise CollectionError(
                "a temporary collection lives in this process only; copy it to a location to share or pickle it"
            )
        return shared_collection, (self.location, self.mode)

    @property
    def location(self) -> str:
        return self._location

    @property
    def settings(self) -> CollectionSettings:
        return self._settings

    @property
    def temporary(self) -> bool:
        return self._temporary

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities: ...

    @property
    @abstractmethod
    def closed(self) -> bool: ...

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def info(self) -> CollectionInfo: ...

    @abstractmethod
    def verify(self) -> VerifyReport: ...

    @abstractmethod
    def repair(self) -> RepairReport: ...

    def add(
        self,
        chunks: Sequence[Chunk],
        embeddings: Sequence[TokenEmbeddings],
        documents: Sequence[Document] = (),
        on_conflict: OnConflict = "replace",
    ) -> AddResult:
        checks.check_on_conflict(on_conflict)
        return self._add(self._packed(chunks, embeddings), checks.checked_documents(documents), on_conflict)

    def replace(
        self,
        source: Source,
        documents: Iterable[Document],
        chunks: Sequence[Chunk],
        embeddings: Sequence[TokenEmbeddings],
    ) -> AddResult:
        items, checked = self._packed(chunks, embeddings), checks.checked_documents(documents)
        return self._replace(checks.checked_source(source), checked, items)

    def put_records(
        self,
        source: Source,
        documents: Sequence[Document],
        chunks: Sequence[Chunk],
        embeddings: Sequence[TokenEmbeddings],
    ) -> AddResult:
        items, checked = self._packed(chunks, embeddings), checks.checked_documents(documents)
        return self._put_records(checks.checked_source(source), checked, items)

    def finish_records(self, source: Source, document_ids: Iterable[str]) -> int:
        return self._finish_records(checks.checked_source(source), set(document_ids))

    def stage(self, source: Source, chunks: Sequence[Chunk], embeddings: Sequence[TokenEmbeddings]) -> None:
        self._stage(checks.checked_source(source), self._packed(chunks, embeddings))

    def staged(self, source: Source) -> dict[str, str]:
        return self._staged(checks.checked_source(source))

    def sources(self, root: str | None = None, below: str | None = None) -> list[Source]:
        return self._sources(root, below.rstrip("/") if below else None)

    def delete_source(self, source: Source) -> int:
        return self._delete_source(source)

    def delete(self, selection: Selection) -> int:
        if selection.everything:
            raise InputError("delete needs ids, document_ids or a filter; to remove everything call clear()")
        return self._delete(selection)

    def arrange(self, ids: Sequence[str]) -> None:
        self._arrange(list(dict.fromkeys(checked_ids(ids))))

    def clear(self) -> None:
        self._clear()

    def update_metadata(
        self, selection: Selection, changes: Metadata, mode: Literal["merge", "replace"] = "merge"
    ) -> int:
        return self._update_metadata(selection, checks.metadata_change(changes, mode))

    def get(self, ids: Sequence[str]) -> list[Chunk]:
        return self._get(checked_ids(ids))

    def locations(self, ids: Sequence[str]) -> dict[str, str]:
        return self._locations(checked_ids(ids))

    def get_documents(self, ids: Sequence[str]) -> list[Document]:
        return self._get_documents(checked_ids(ids))

    def embeddings(self, ids: Sequence[str]) -> dict[str, TokenEmbeddings]:
        return self._embeddings(checked_ids(ids))

    def document_hashes(self, ids: Sequence[str] | None = None) -> dict[str, str]:
        return self._document_hashes(None if ids is None else checked_ids(ids))

    def iterate(
        self, selection: Selection | None = None, batch_size: int = 1000, with_embeddings: bool = False
    ) -> Iterator[list[tuple[Chunk, TokenEmbeddings | None]]]:
        checks.check_count("batch_size", batch_size)
        return self._iterate(selection, batch_size, with_embeddings=with_embeddings)

    def iterate_documents(self, batch_size: int = 1000) -> Iterator[list[tuple[Document, Source | None]]]:
        checks.check_count("batch_size", batch_size)
        return self._iterate_documents(batch_size)

    def count(self, selection: Selection | None = None) -> int:
        return self._count(selection)

    def fields(self) -> dict[str, frozenset[str]]:
        return self._fields()

    def field_values(
        self,
        name: str,
        selection: Selection | None = None,
        *,
        search: str | None = None,
        order: Order = "value",
        offset: int = 0,
        limit: int | None = None,
    ) -> tuple[list[FieldValue], int]:
        checks.check_names([name])
        checks.check_page(search, order, offset, limit)
        return self._field_values(name, selection, search, order, offset, limit)

    def field_range(self, name: str, selection: Selection | None = None) -> tuple[Any, Any] | None:
        checks.check_names([name])
        return self._field_range(name, selection)

    def count_distinct(self, fields: Sequence[str], selection: Selection | None = None) -> dict[str, int]:
        checks.check_names(fields)
        return self._count_distinct(fields, selection)

    def search(
        self, queries: Sequence[TokenEmbeddings], top_k: int, selection: Selection | None = None
    ) -> list[list[Hit]]:
        checks.check_count("top_k", top_k)
        checks.check_queries(queries, self.settings, self.location)
        return self._search(queries, top_k, selection)

    def text_search(self, queries: Sequence[str], top_k: int, selection: Selection | None = None) -> list[list[Hit]]:
        checks.check_count("top_k", top_k)
        checks.check_questions(queries)
        return self._text_search(queries, top_k, selection)

    def finish_load(self, progress: Report | None = None) -> None:
        """Nothing is left to be done, unless the engine says so."""

    def optimize(self, progress: Report | None = None) -> None:
        """Nothing is left to be done, unless the engine says so."""

    aadd = twin(add, writes=True)
    areplace = twin(replace, writes=True)
    aput_records = twin(put_records, writes=True)
    afinish_records = twin(finish_records, writes=True)
    astage = twin(stage, writes=True)
    astaged = twin(staged)
    asources = twin(sources)
    adelete_source = twin(delete_source, writes=True)
    adelete = twin(delete, writes=True)
    aarrange = twin(arrange, writes=True)
    aclear = twin(clear, writes=True)
    aupdate_metadata = twin(update_metadata, writes=True)
    aget = twin(get)
    alocations = twin(locations)
    aget_documents = twin(get_documents)
    aembeddings = twin(embeddings)
    adocument_hashes = twin(document_hashes)
    acount = twin(count)
    afields = twin(fields)
    afield_values = twin(field_values)
    afield_range = twin(field_range)
    acount_distinct = twin(count_distinct)
    asearch = twin(search)
    atext_search = twin(text_search)
    afinish_load = twin(finish_load, writes=True)
    aoptimize = twin(optimize, writes=True)
    ainfo = twin(info)
    averify = twin(verify)
    arepair = twin(repair, writes=True)

    def _packed(self, chunks: Sequence[Chunk], embeddings: Sequence[TokenEmbeddings]) -> list[Packed]:
        return checks.packed(chunks, embeddings, self.settings)

    def _lacks(self, what: str) -> UnsupportedError:
        return UnsupportedError(f"{self.location}: a {type(self).__name__} has no {what}")

    @abstractmethod
    def _add(self, items: list[Packed], documents: list[Document], on_conflict: OnConflict) -> AddResult: ...

    @abstractmethod
    def _replace(self, source: Source, documents: list[Document], items: list[Packed]) -> AddResult: ...

    @abstractmethod
    def _put_records(self, source: Source, documents: list[Document], items: list[Packed]) -> AddResult: ...

    @abstractmethod
    def _finish_records(self, source: Source, document_ids: set[str]) -> int: ...

    def _stage(self, source: Source, items: list[Packed]) -> None:
        del source, items
        raise self._lacks("staging")

    def _staged(self, source: Source) -> dict[str, str]:
        del source
        raise self._lacks("staging")

    @abstractmethod
    def _sources(self, root: str | None, below: str | None) -> list[Source]:
        """``below`` is a path without a slash at its end."""

    @abstractmethod
    def _delete_source(self, source: Source) -> int: ...

    @abstractmethod
    def _delete(self, selection: Selection) -> int: ...

    @abstractmethod
    def _arrange(self, ids: Sequence[str]) -> None: ...

    @abstractmethod
    def _clear(self) -> None: ...

    @abstractmethod
    def _update_metadata(self, selection: Selection, change: Change) -> int: ...

    @abstractmethod
    def _get(self, ids: Sequence[str]) -> list[Chunk]: ...

    @abstractmethod
    def _locations(self, ids: Sequence[str]) -> dict[str, str]: ...

    @abstractmethod
    def _get_documents(self, ids: Sequence[str]) -> list[Document]: ...

    @abstractmethod
    def _embeddings(self, ids: Sequence[str]) -> dict[str, TokenEmbeddings]: ...

    @abstractmethod
    def _document_hashes(self, ids: Sequence[str] | None) -> dict[str, str]: ...

    @abstractmethod
    def _iterate(
        self, selection: Selection | None, batch_size: int, *, with_embeddings: bool
    ) -> Iterator[list[tuple[Chunk, TokenEmbeddings | None]]]: ...

    @abstractmethod
    def _iterate_documents(self, batch_size: int) -> Iterator[list[tuple[Document, Source | None]]]: ...

    @abstractmethod
    def _count(self, selection: Selection | None) -> int: ...

    @abstractmethod
    def _fields(self) -> dict[str, frozenset[str]]: ...

    @abstractmethod
    def _field_values(
        self, name: str, selection: Selection | None, search: str | None, order: Order, offset: int, limit: int | None
    ) -> tuple[list[FieldValue], int]: ...

    @abstractmethod
    def _field_range(self, name: str, selection: Selection | None) -> tuple[Any, Any] | None: ...

    @abstractmethod
    def _count_distinct(self, fields: Sequence[str], selection: Selection | None) -> dict[str, int]: ...

    @abstractmethod
    def _search(
        self, queries: Sequence[TokenEmbeddings], top_k: int, selection: Selection | None
    ) -> list[list[Hit]]: ...

    def _text_search(self, queries: Sequence[str], top_k: int, selection: Selection | None) -> list[list[Hit]]:
        del queries, top_k, selection
        raise self._lacks("full text")
