"""Reranking: candidates from anywhere, in the order of their MaxSim with the query."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from late_rag.asynchronous import twin
from late_rag.closing import Closing
from late_rag.collections import shared_collection
from late_rag.embedding_cache import EmbeddingCache
from late_rag.encoders import consenting, load_encoder
from late_rag.errors import InputError
from late_rag.registry import shared
from late_rag.retriever.inputs import check_queries, check_query, check_text, check_top_k, clean_chunk
from late_rag.retriever.progress import Meter
from late_rag.retriever.reuse import encoded_content, encoded_contents
from late_rag.retriever.stages import Stages
from late_rag.types import Chunk, Hit, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from late_rag.protocols import Collection, Encoder
    from late_rag.types import Report, Search, TokenEmbeddings

Candidate: TypeAlias = str | Chunk | Hit

_Passage: TypeAlias = tuple[str, str]
"""A candidate's id and content hash."""

CACHE_BYTES = 256 * 2**20
"""Of embeddings: about 2,500 chunks of 200 tokens at 128 dims."""

logger = logging.getLogger(__name__)

_told = OrderedDict[str, None]()
"""The collections of which the log said last that reranking changes nothing."""

_REMEMBERED = 1024

_SCORED_TOGETHER = 1024
"""Candidates whose embeddings are in memory at once, beside the cache; more if one query alone has more."""


@dataclass(frozen=True)
class Ranked(Hit):
    """A candidate with its score; ``index`` is its place among the candidates that were given."""

    index: int = field(kw_only=True)


class Reranker(Closing):
    """Scores candidates against a query by late interaction. Safe for many threads.

    The embeddings of candidates are kept, by content, so that the same passage is encoded once however often it comes.
    With a collection, chunks that it holds under the same id with the same text or content are scored by what it has
    stored, and never encoded.
    Candidates that one search found for the same query, by the same model over the same rows, keep the order of that
    search: there is nothing to say of them that it did not know, and a hybrid or diverse order would be undone.
    ``arerank`` and ``arerank_batch`` are the async twins.

    Args:
        model: what :func:`late_rag.load_encoder` takes; None is the collection's model, or "minilm" without one.
        cache_bytes: how many bytes of embeddings are kept.
        collection: one that is open, or its location, which is opened for reading.
        encoder: one that is loaded, in place of ``model``.
        encoder_options: with which a model is loaded; see :func:`late_rag.encoders.load_encoder`.
        trust_model: whether to load or fetch whatever model the collection names; see docs/security.md.

    Raises:
        CollectionNotFoundError: there is none at this location.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        cache_bytes: int = CACHE_BYTES,
        collection: Collection | str | Path | None = None,
        encoder: Encoder | None = None,
        encoder_options: Mapping[str, Any] | None = None,
        trust_model: bool = False,
    ) -> None:
        if model is not None and encoder is not None:
            raise InputError(f"give a model ({model!r}) or an encoder ({encoder.model!r}), not both")
        options = consenting(encoder_options, trust_model)
        self._cache = EmbeddingCache(cache_bytes)
        self._collection = shared_collection(collection, "read") if isinstance(collection, str | Path) else collection
        self._get_encoder = _source(model, encoder, self._collection, options)
        self._given = model, encoder, options

    def __reduce__(self) -> tuple[Any, ...]:
        """As configuration: the copy keeps embeddings of its own, and uses its process's shared collection.

        Raises:
            CollectionError: a temporary collection, which lives in this process only.
        """
        return self._again, (*self._given, self._cache.limit, self._collection)

    @classmethod
    def _again(
        cls,
        model: str | Path | None,
        encoder: Encoder | None,
        encoder_options: Mapping[str, Any],
        cache_bytes: int,
        collection: Collection | None,
    ) -> Self:
        """What was pickled or copied, as :meth:`__reduce__` gave it."""
        return cls(
            model, cache_bytes=cache_bytes, collection=collection, encoder=encoder, encoder_options=encoder_options
        )

    @property
    def encoder(self) -> Encoder:
        """The model, loaded at first use.

        Raises:
            ModelMismatchError: it is not the one that the collection was made by.
        """
        return self._get_encoder()

    @property
    def collection(self) -> Collection | None:
        """Where embeddings are taken from."""
        return self._collection

    def close(self) -> None:
        """Forgets the embeddings that were kept. Model and collection stay open: others may use them."""
        self._cache.clear()

    def rerank(
        self,
        query: str,
        candidates: Iterable[Candidate],
        top_k: int | None = None,
        *,
        keep_order: bool = True,
        progress: Report | None = None,
    ) -> list[Ranked]:
        """The candidates that answer the query best, best first; of equal ones the earlier first.

        A text becomes a chunk whose id is the hash of its content; a hit keeps its source. A candidate without text
        has no score, and is left out.

        Args:
            query: a text; one longer than the model reads is cut, with a warning.
            candidates: texts, chunks or hits, also mixed.
            top_k: how many at most; None is all.
            keep_order: whether hits of one search keep its order where the same model would score the same rows
                again; said once in the log. False orders by MaxSim alone.
            progress: called with the candidates that are encoded; what it raises stops the work.

        Raises:
            InputError: an empty query, a candidate that is none of these, or an impossible ``top_k``.
            ModelMismatchError: the model is not the one that the collection was made by.
        """
        checked = [check_query(query)], [_checked(candidates, "candidates")]
        return self._rerank(*checked, _limit(top_k), Meter(progress), keep_order=keep_order)[0]

    def rerank_batch(
        self,
        queries: Iterable[str],
        candidates: Iterable[Iterable[Candidate]],
        top_k: int | None = None,
        *,
        keep_order: bool = True,
        progress: Report | None = None,
    ) -> list[list[Ranked]]:
        """For each query what :meth:`rerank` returns for its own candidates.

        Queries are encoded together, and a candidate that several of them share once.

        Raises:
            InputError: also where there is not one list of candidates for each query.
        """
        checked = check_queries(queries)
        lists = [_checked(listed, f"candidates of query {number}") for number, listed in enumerate(candidates)]
        if len(checked) != len(lists):
            raise InputError(f"{len(checked)} queries came with {len(lists)} lists of candidates; each needs its own")
        return self._rerank(checked, lists, _limit(top_k), Meter(progress), keep_order=keep_order)

    def _rerank(
        self, queries: list[str], candidates: list[list[Hit]], top_k: int | None, meter: Meter, *, keep_order: bool
    ) -> list[list[Ranked]]:
        if not any(candidates):
            return [[] for _ in queries]
        kept = [keep_order and self._keeps(query, hits) for query, hits in zip(queries, candidates, strict=True)]
        unknown = [number for number, keeps in enumerate(kept) if not keeps]
        scored = iter(self._scored([queries[number] for number in unknown], [candidates[n] for n in unknown], meter))
        lists = zip(kept, candidates, strict=True)
        return [(_as_found(hits) if keeps else next(scored))[:top_k] for keeps, hits in lists]

    def _keeps(self, query: str, hits: Sequence[Hit]) -> bool:
        """Whether these are hits of one search for this query, in its order, and would be scored as they were."""
        found = [hit.found for hit in hits if hit.found is not None and hit.found.encoded == hit.chunk.encoded_text]
        if not found or len(found) < len(hits):
            return False
        search = found[0].search
        ordered = all(one.search == search and one.place < other.place for one, other in pairwise(found))
        if not ordered or search.query != query or found[-1].search != search or not self._scores_as(search):
            return False
        _tell(search.collection, self.encoder.model)
        return True

    def _scores_as(self, search: Search) -> bool:
        """Whether the rows and the model are those of the search."""
        encoder = self.encoder
        if self._collection is not None:
            return search.collection == self._collection.location
        return not search.pooled and (search.model_id, search.variant) == (encoder.model_id, encoder.variant)

    def _scored(self, queries: list[str], candidates: list[list[Hit]], meter: Meter) -> list[list[Ranked]]:
        if not queries:
            return []
        pairs = zip(self.encoder.encode_queries(queries), candidates, strict=True)
        results = []
        for group in _groups(pairs):
            chunks = [hit.chunk for _, listed in group for hit in listed]
            lent, rows = self._lent(chunks)
            contents = {_passage(chunk): self._content(chunk, lent) for chunk in chunks}
            wanted: dict[str, Chunk] = {}
            for chunk in chunks:
                wanted.setdefault(contents[_passage(chunk)], chunk)
            self._complete(rows, wanted, meter)
            results += [_ranked(query, listed, contents, rows) for query, listed in group]
        return results

    def _content(self, chunk: Chunk, lent: Mapping[_Passage, str]) -> str:
        """What the candidate is scored by: what is lent for it, else its own content, encoded without a document."""
        return lent.get(_passage(chunk)) or encoded_content(chunk, None, self.encoder)

    def _lent(self, chunks: Sequence[Chunk]) -> tuple[dict[_Passage, str], dict[str, TokenEmbeddings]]:
        """For candidates that the collection holds, what was encoded of what it holds, and by that the embeddings.

        The text is the same; what was encoded in front of it may differ from one held chunk to the other, and so may
        the rows of equal chunks, for an encoder that reads documents.
        """
        if self._collection is None:
            return {}, {}
        held = {chunk.id: chunk for chunk in self._collection.get(list({chunk.id for chunk in chunks}))}
        same = [chunk for chunk in chunks if chunk.id in held and _same_passage(chunk, held[chunk.id])]
        found = self._collection.embeddings(list({chunk.id for chunk in same}))
        contents = encoded_contents([(held[identity], None) for identity in found], self.encoder, self._collection)
        by_id = dict(zip(found, contents, strict=True))
        lent = {_passage(chunk): by_id[chunk.id] for chunk in same if chunk.id in by_id}
        return lent, {by_id[identity]: embeddings for identity, embeddings in found.items()}

    def _complete(self, rows: dict[str, TokenEmbeddings], wanted: Mapping[str, Chunk], meter: Meter) -> None:
        """Adds what is wanted, by its content, and not there: what is kept, else encoded now."""
        rows.update(self._cached(content for content in wanted if content not in rows))
        rows.update(self._encoded({each: chunk for each, chunk in wanted.items() if each not in rows}, meter))

    def _cached(self, contents: Iterable[str]) -> Iterator[tuple[str, TokenEmbeddings]]:
        encoder = self.encoder
        for content in contents:
            embeddings = self._cache.get((content, encoder.model_id, encoder.variant))
            if embeddings is not None:
                yield content, embeddings

    def _encoded(self, wanted: Mapping[str, Chunk], meter: Meter) -> Iterator[tuple[str, TokenEmbeddings]]:
        encoder = self.encoder
        stream = encoder.encode_documents(wanted.values())
        for (content, chunk), embeddings in zip(wanted.items(), stream, strict=True):
            self._cache.put((content, encoder.model_id, encoder.variant), embeddings)
            meter.done(chunk.id)
            yield content, embeddings

    arerank = twin(rerank)
    arerank_batch = twin(rerank_batch)


def shared_reranker(
    model: str | Path | None = None,
    collection: Collection | str | Path | None = None,
    *,
    encoder_options: Mapping[str, Any] | None = None,
    trust_model: bool = False,
) -> Reranker:
    """A reranker for components that hold configuration only; all of a process keep embeddings in one cache.

    Raises:
        CollectionNotFoundError: there is none at this location.
    """
    reranker = Reranker(model, collection=collection, encoder_options=encoder_options, trust_model=trust_model)
    reranker._cache = shared.get(("reranker", "embeddings"), lambda: EmbeddingCache(CACHE_BYTES))  # noqa: SLF001
    return reranker


def _tell(collection: str, model: str) -> None:
    """Says in the log that reranking is in vain here, once for each collection."""
    known = collection in _told
    _told[collection] = None
    if len(_told) > _REMEMBERED:
        _told.popitem(last=False)
    if not known:
        logger.warning(
            "reranking changes nothing: what a search of %s found was scored by the same model (%r) already, and keeps "
            "its order. Rerank what something else found (BM25, another store, pooled rows, a smaller model), leave "
            "the reranker out, or order by MaxSim alone with keep_order=False",
            collection,
            model,
        )


def _as_found(hits: Sequence[Hit]) -> list[Ranked]:
    """Hits in the order and with the scores that their search gave them."""
    return [
        Ranked(hit.chunk, hit.score, hit.similarity, hit.source, hit.fused, hit.context, hit.found, index=index)
        for index, hit in enumerate(hits)
    ]


def _passage(chunk: Chunk) -> _Passage:
    return chunk.id, chunk.content_hash


def _same_passage(candidate: Chunk, held: Chunk) -> bool:
    """Whether what is stored stands for the candidate: the same content, or a text whose heading was encoded too."""
    if candidate.content_hash == held.content_hash:
        return True
    return candidate.embed_text is None and not candidate.media and candidate.text == held.text


def _source(
    model: str | Path | None, encoder: Encoder | None, collection: Collection | None, options: Mapping[str, Any]
) -> Callable[[], Encoder]:
    """What gives the encoder when it is needed."""
    if collection is not None:
        return Stages(collection, model if encoder is None else encoder, encoder_options=options).checked_encoder
    if encoder is not None:
        return lambda: encoder
    return partial(load_encoder, "minilm" if model is None else model, **options)


def _checked(candidates: Iterable[Candidate], name: str) -> list[Hit]:
    """The candidates as hits that have no score yet."""
    if isinstance(candidates, str | Chunk | Hit) or not isinstance(candidates, Iterable):
        raise InputError(f"{name} must be a list of texts, chunks or hits, not a {type(candidates).__name__}")
    return [_as_hit(candidate, f"{name}[{number}]") for number, candidate in enumerate(candidates)]


def _as_hit(candidate: object, name: str) -> Hit:
    if isinstance(candidate, Hit):
        return candidate
    if isinstance(candidate, Chunk):
        return Hit(clean_chunk(candidate), 0.0, 0.0)
    if not isinstance(candidate, str):
        raise InputError(f"{name} must be a text, a chunk or a hit, not a {type(candidate).__name__}")
    text = check_text(candidate, name)
    identity = digest(text)
    return Hit(Chunk(identity, identity, text), 0.0, 0.0)


def _limit(top_k: int | None) -> int | None:
    return None if top_k is None else check_top_k(top_k)


def _groups(
    pairs: Iterable[tuple[TokenEmbeddings, list[Hit]]],
) -> Iterator[list[tuple[TokenEmbeddings, list[Hit]]]]:
    """Queries with together about as many candidates as are scored together."""
    group, count = list[tuple["TokenEmbeddings", list[Hit]]](), 0
    for pair in pairs:
        group.append(pair)
        count += len(pair[1])
        if count >= _SCORED_TOGETHER:
            yield group
            group, count = [], 0
    if group:
        yield group


def _ranked(
    query: TokenEmbeddings, hits: Sequence[Hit], contents: Mapping[_Passage, str], rows: Mapping[str, TokenEmbeddings]
) -> list[Ranked]:
    """The hits with their scores, best first. Equal contents are scored once, so that they score the same."""
    from late_rag.scoring import maxsim, similarity

    keys = [contents[_passage(hit.chunk)] for hit in hits]
    different = list(dict.fromkeys(keys))
    scores = dict(zip(different, maxsim(query, [rows[content] for content in different]).tolist(), strict=True))
    ranked = [
        Ranked(hit.chunk, score, similarity(score, len(query)), hit.source, hit.fused, hit.context, index=index)
        for index, (hit, key) in enumerate(zip(hits, keys, strict=True))
        if (score := scores[key]) != float("-inf")
    ]
    return sorted(ranked, key=lambda hit: -hit.score)
