"""A collection with its model around it: put documents in, ask questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from late_rag.asynchronous import twin
from late_rag.errors import InputError
from late_rag.filters.selection import Selection
from late_rag.retriever import inputs
from late_rag.retriever.adding import Adding
from late_rag.retriever.holder import CollectionHolder
from late_rag.retriever.metadata import MetadataUpdate
from late_rag.retriever.options import SearchConfig
from late_rag.retriever.progress import Meter
from late_rag.retriever.results import find, placed
from late_rag.retriever.syncing import Syncing
from late_rag.types import Chunk, Hit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Unpack

    from late_rag.loaders import Isolation, RecordFields
    from late_rag.retriever.inputs import Addable
    from late_rag.retriever.options import FilterLike, SearchOptions
    from late_rag.retriever.syncing import Paths, SyncResult
    from late_rag.types import AddResult, Metadata, OnConflict, Report, TokenMatch


class Retriever(CollectionHolder):
    """Finds passages by late interaction. Safe for many threads.

    The model is loaded when the first text is encoded: opening, ``info``, ``delete`` and unchanged files need none.
    Every method has an async twin, its name with an ``a`` in front (``async_`` for ``sync``), which never blocks the
    event loop.

    Args:
        collection: one that is open, which ``close`` leaves open; or the location of one that exists.
        encoder: in place of the model that the collection names; its model_id must be the same.
        chunker: in place of the one that the collection records: one that is made, or its kind, such as "whole".
        mode: "read" refuses every write.
        encoder_options: with which a model is loaded; see :func:`late_rag.encoders.load_encoder`.
    """

    def add(
        self, documents: Iterable[Addable], *, on_conflict: OnConflict = "replace", progress: Report | None = None
    ) -> AddResult:
        """Adds documents and texts, which are chunked, and chunks, which are taken as they are.

        What is stored with equal text and metadata is left as it is, and counts as skipped. Where metadata changed
        nothing is encoded again, unless it is part of what is encoded; where text changed, only the chunks with new
        content are. Anything iterable is read as a stream and committed every few seconds; a document is written
        whole, so its embeddings are in memory at once. A text's id is the hash of its content.

        Args:
            documents: what is added, in any mixture.
            on_conflict: what happens to ids that are there: "replace", "skip", or "fail": then all is written in one
                commit, or nothing, and held in memory until then. The same id twice with equal content counts once;
                else it is as if one came after the other.
            progress: called with the chunks that are encoded; what it raises stops the work, and what was committed
                stays.

        Raises:
            InputError: an item that cannot be added; a list is checked in whole before anything else happens.
            ConflictError: ``on_conflict="fail"`` and an id is there, or comes twice with different content.
            ModelMismatchError: the model is not the one that the collection was made by.
            CancelledError: raised by ``progress``.
        """
        inputs.check_on_conflict(on_conflict)
        items = inputs.check_addables(documents)
        self._check_writable()
        adding = Adding(self._stages, on_conflict, Meter(progress, len(items) if isinstance(items, Sequence) else None))
        if on_conflict == "fail":
            adding.all_or_nothing(items)
        else:
            adding.stream(items)
        return adding.result

    def sync(
        self,
        paths: Paths,
        *,
        prune: bool = True,
        as_: str | None = None,
        strict: bool = False,
        fields: RecordFields | None = None,
        isolated: bool | Isolation = True,
        progress: Report | None = None,
    ) -> SyncResult:
        """Makes the collection hold what is in these files and folders now.

        An unchanged file costs a hash of its bytes. A changed one replaces all it had, in one commit; in files of
        records (CSV, JSON, JSONL) each record on its own. Only chunks whose content is new are encoded, also in a
        file that was moved or copied. A file that takes long is staged on the way: stopped at any moment, the next
        run goes on from there.

        Args:
            paths: files and folders.
            prune: whether files that are gone below ``paths`` are removed. What could not be read is never removed.
            as_: the name of the paths' root, in place of its resolved path.
            strict: whether the first file that cannot be read raises; else it keeps what it had, and is reported.
            fields: which fields of a record are text, key and metadata.
            isolated: whether PDFs, office files and e-books are read in another process, within limits of memory and
                time; see :func:`late_rag.load`. False is for files that you trust.
            progress: called with the stages "scan" (files) and "encode" (chunks; their total is an estimate until
                every file is read); what it raises stops the work, and what was committed stays.

        Raises:
            InputError: a path that is not there.
            LoadError: a file that cannot be read, with ``strict``.
            ModelMismatchError: the model is not the one that the collection was made by.
            CancelledError: raised by ``progress``.
        """
        self._check_writable()
        return Syncing(self._stages, progress, strict=strict).run(paths, as_, fields, prune=prune, isolated=isolated)

    def search(self, query: str, top_k: int = 10, **options: Unpack[SearchOptions]) -> list[Hit]:
        """The chunks that answer the query best, best first.

        Args:
            query: a text; one longer than the model reads is cut, with a warning.
            top_k: how many at most; more than there are gives all.
            options: ``filter``, ``selection``, ``threshold``, ``group_by``, ``mode``, ``expand``, ``lambda_mult`` and
                ``fetch_k``; see :class:`late_rag.retriever.SearchOptions`.

        Raises:
            InputError: an empty query, or an argument that cannot be.
            FilterError: a filter that cannot be read.
            ModelMismatchError: the model is not the one that the collection was made by.
            UnsupportedError: ``mode="hybrid"`` where the collection has no full text.
        """
        return SearchConfig.asked(top_k=top_k, **options).search(self, query)

    def search_batch(
        self, queries: Iterable[str], top_k: int = 10, **options: Unpack[SearchOptions]
    ) -> list[list[Hit]]:
        """For each query what :meth:`search` returns, encoded and searched together."""
        return SearchConfig.asked(top_k=top_k, **options).search_batch(self, queries)

    def _search(self, queries: list[str], config: SearchConfig) -> list[list[Hit]]:
        if not queries:
            return []
        lists = find(self.collection, queries, self._stages.checked_encoder().encode_queries(queries), config)
        return [placed(hits, self.collection, query) for query, hits in zip(queries, lists, strict=True)]

    def explain(self, query: str, hit: Hit | Chunk) -> list[TokenMatch]:
        """For each token of the query the token of the hit that it matched: what the score is made of.

        The hit's chunk is encoded again, without pooling, so the sum of the similarities is its MaxSim before
        anything was lost in storage.

        Raises:
            InputError: an empty query, or a ``hit`` that is none.
        """
        from late_rag.explain import match_tokens

        query, chunk = inputs.check_query(query), inputs.check_hit(hit)
        encoder = self._stages.checked_encoder()
        document = self._stages.document(chunk.document_id) if encoder.contextual else None
        return match_tokens(encoder, query, chunk, document)

    def delete(
        self,
        selection: Selection | Sequence[str] | None = None,
        *,
        filter: FilterLike = None,  # noqa: A002
    ) -> int:
        """Removes chunks, and documents that have none left; needs no model.

        Args:
            selection: which chunks, or their ids; ids that do not exist are no error.
            filter: restricts to chunks whose metadata match.

        Returns:
            How many chunks went.

        Raises:
            InputError: nothing was given (``collection.clear()`` removes everything).
        """
        self._check_writable()
        return self.collection.delete(_selection(selection, filter))

    def update_metadata(
        self,
        selection: Selection | Sequence[str] | None,
        changes: Metadata,
        mode: Literal["merge", "replace"] = "merge",
    ) -> int:
        """Changes the metadata of chunks, and of documents all of whose chunks are meant.

        Chunks in front of whose text a changed key is encoded (``embed_metadata``, or the ``heading`` or ``title`` that
        chunking put there) are encoded again; else nothing is.

        Args:
            selection: which chunks, or their ids; None means all.
            changes: keys and their new values.
            mode: "merge" keeps the other keys, "replace" does not.

        Returns:
            How many chunks were meant.

        Raises:
            InputError: a value that cannot be stored, or an unknown mode.
        """
        from late_rag.metadata import check as check_metadata

        if mode not in ("merge", "replace"):
            raise InputError(f'mode must be "merge" or "replace", not {mode!r}')
        check_metadata(changes)
        self._check_writable()
        return MetadataUpdate(self._stages, changes, mode).run(_selection(selection, None))

    aadd = twin(add, writes=True)
    async_ = twin(sync, writes=True)
    asearch = twin(search)
    asearch_batch = twin(search_batch)
    aexplain = twin(explain)
    adelete = twin(delete, writes=True)
    aupdate_metadata = twin(update_metadata, writes=True)


def _selection(selection: Selection | Sequence[str] | None, filter: FilterLike) -> Selection:  # noqa: A002
    """What is meant, whichever way it was said."""
    if not isinstance(selection, Selection | None):
        selection = Selection(ids=selection)  # type: ignore[arg-type]  # it takes any sequence, and refuses a text
    return inputs.combined(selection, filter) or Selection()
