"""Many settings of pooling, storage, index and rescoring on one test collection that is encoded once."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from late_rag.calibration import OVERLAP, QUERIES, calibrate
from late_rag.collections.kit.candidates import View, first_candidates
from late_rag.collections.kit.rescoring import best_of_candidates, best_of_rows
from late_rag.errors import InputError
from late_rag.evaluation.beir import load_beir
from late_rag.evaluation.encoded import encoded_corpus
from late_rag.evaluation.run import check_limit
from late_rag.evaluation.searching import timed
from late_rag.indexes.exact import packed_chunk
from late_rag.measures import ndcg
from late_rag.pooling import load_pooling
from late_rag.scoring import maxsim
from late_rag.scoring.packing import PackedRows, Storage, pack, unpack
from late_rag.scoring.stored import stored_query
from late_rag.specs import IndexSpec, options_of
from late_rag.types import Progress, batched

if TYPE_CHECKING:
    from late_rag.evaluation.beir import BeirCollection
    from late_rag.evaluation.encoded import EncodedCorpus
    from late_rag.protocols import Encoder, Index
    from late_rag.types import Report, TokenEmbeddings

    Ranking = list[int]
    """Numbers of chunks, best first."""

DEPTH = 50
"""Chunks that are ranked, from which the first ten documents are taken."""

_TOP = 10
_WARM_UP = 10
_BLOCK_CHUNKS = 256


@dataclass(frozen=True)
class StudyRow:
    """What one setting gives.

    ``rescored`` is the number of candidates that are scored exactly over the stored rows: 0 for none, None where the
    index knows by itself when it has enough. ``loss`` is what nDCG@10 lacks to that of exact MaxSim over the encoder's
    float32 rows before pooling and storage, and ``overlap_10`` the share of its first ten chunks. ``build_s`` is of the
    index alone, ``index_bytes`` what it wrote, ``row_bytes`` the stored rows. Times are of one query a call for 10
    chunks, warm, the rows in memory.
    """

    pool_factor: int
    storage: Storage
    index: str
    rescored: int | None
    tokens: int
    ndcg_10: float
    loss: float
    overlap_10: float
    search_p50_ms: float
    search_p95_ms: float
    build_s: float
    index_bytes: int
    row_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Flat JSON, with the measures' usual names."""
        found = asdict(self)
        return found | {"ndcg@10": found.pop("ndcg_10"), "overlap@10": found.pop("overlap_10")}


def study(
    folder: str | Path,
    encoder: Encoder,
    *,
    indexes: Sequence[IndexSpec] = (IndexSpec("exact"),),
    rescored: Sequence[int] | None = None,
    pool_factors: Sequence[int] = (1,),
    storages: Sequence[Storage] = ("int8",),
    limit: int | None = None,
    titles: bool = False,
    progress: Report | None = None,
) -> Iterator[StudyRow]:
    """Measures every combination, one after the other; the corpus and the queries are encoded once.

    Args:
        folder: in BEIR layout; see :func:`late_rag.evaluation.load_beir`.
        encoder: gives the rows.
        indexes: see :func:`with_centering` for those that are wanted with and without.
        rescored: numbers of candidates; without, what a collection takes for ten hits. An index whose scores are upper
            bounds is measured once: it rescores as many as it takes to be exact.
        pool_factors: of hierarchical pooling; 1 pools nothing.
        storages: "int8", "float16".
        limit: ask only the first queries that have judgements.
        titles: put each document's title in front of its text.
        progress: is told how far it is.

    Raises:
        InputError: files that are not what they should be, or an option that cannot be.
    """
    check_limit(limit)
    if wrong := [storage for storage in storages if storage not in get_args(Storage)]:
        raise InputError(f"storages are {' and '.join(map(repr, get_args(Storage)))}, not {wrong[0]!r:.80}")
    if odd := [number for number in rescored or () if type(number) is not int or number < 0]:
        raise InputError(f"rescored takes whole numbers of at least 0, not {odd[0]!r:.80}")
    for spec in indexes:
        spec.checked()
        if spec.name in spec.none:
            raise InputError(f"a study compares indexes by name, and {spec.name!r} is none")
    poolings = {factor: None if factor == 1 else load_pooling({"pool_factor": factor}) for factor in pool_factors}
    data = load_beir(folder)
    texts = dict(list(data.queries.items())[:limit])
    queries = dict(zip(texts, encoder.encode_queries(list(texts.values())), strict=True))
    report = progress or (lambda _: None)
    with encoded_corpus(encoder, data, titles, report) as corpus:
        trial = _Trial(data, corpus, queries)
        for factor, pooling in poolings.items():
            for storage in storages:
                packed = [pack(pooling(rows) if pooling else rows, storage) for _, rows in corpus]
                for spec in indexes:
                    report(Progress("index", 0, len(corpus), "chunks"))
                    yield from trial.rows(spec, packed, storage, factor, rescored)


def with_centering(specs: Sequence[IndexSpec], centers: Sequence[str]) -> list[IndexSpec]:
    """Each spec once for each way to centre rows; as it is, where its index has no such option."""
    found: list[IndexSpec] = []
    for spec in specs:
        known = {option.name for option in options_of(spec.table, spec.name, spec.what)}
        ways = [IndexSpec(spec.name, **{**spec.options, "center": center}) for center in centers]
        found += ways if "center" in known and ways else [spec]
    return found


class _Trial:
    """The test collection, its queries, and what exact MaxSim over all float32 rows finds."""

    def __init__(self, data: BeirCollection, corpus: EncodedCorpus, queries: Mapping[str, TokenEmbeddings]) -> None:
        self._data = data
        self._corpus = corpus
        self._queries = queries
        self._exact = self._exact_rankings()
        self._exact_ndcg = self._ndcg(self._exact)

    def _exact_rankings(self) -> list[Ranking]:
        scores = np.full((len(self._queries), len(self._corpus)), -np.inf, np.float32)
        for block in batched(self._corpus, _BLOCK_CHUNKS):
            part = slice(block[0][0] - 1, block[-1][0])
            for place, query in enumerate(self._queries.values()):
                scores[place, part] = maxsim(query, [rows for _, rows in block])
        found = np.argsort(-scores, axis=1, kind="stable")[:, :DEPTH]
        return [[n + 1 for n in order.tolist() if own[n] > -np.inf] for order, own in zip(found, scores, strict=True)]

    def rows(
        self,
        spec: IndexSpec,
        packed: Sequence[PackedRows],
        storage: Storage,
        pool_factor: int,
        rescored: Sequence[int] | None,
    ) -> Iterator[StudyRow]:
        """One row for each number of candidates."""
        numbered = [(number, unpack(rows)) for number, rows in enumerate(packed, 1)]
        with tempfile.TemporaryDirectory(prefix="late-rag-study-") as folder:
            start = time.perf_counter()
            index: Index = spec.backend().create(Path(folder), numbered, self._corpus.dim, spec.made())
            build_s = time.perf_counter() - start
            name = " ".join([spec.name, *(f"{key}={value}" for key, value in spec.options.items())])
            shared = StudyRow(
                pool_factor,
                storage,
                name,
                None,
                sum(len(rows.values) for rows in packed),
                *(0.0, 0.0, 0.0, 0.0, 0.0),
                build_s,
                sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()),
                sum(rows.values.nbytes for rows in packed),
            )
            try:
                for number in self._numbers(index, numbered, rescored):
                    yield self._measured(replace(shared, rescored=number), _search(index, packed, storage, number))
            finally:
                index.close()

    def _numbers(
        self, index: Index, numbered: Sequence[tuple[int, TokenEmbeddings]], rescored: Sequence[int] | None
    ) -> Sequence[int | None]:
        if index.upper_bounds:
            return (None,)
        if rescored is not None:
            return rescored
        filled = [pair for pair in numbered if len(pair[1])]
        chosen = np.linspace(0, len(filled) - 1, min(QUERIES, len(filled))).astype(int).tolist()
        found = calibrate(index, [filled[place] for place in chosen], (packed_chunk(*pair) for pair in filled), OVERLAP)
        return (len(filled) if found.candidates is None else found.wanted(_TOP),)

    def _measured(self, row: StudyRow, search: Callable[[TokenEmbeddings, int], Ranking]) -> StudyRow:
        rankings = [search(query, DEPTH) for query in self._queries.values()]
        for query in list(self._queries.values())[:_WARM_UP]:
            search(query, _TOP)
        _, milliseconds = timed(lambda query: search(query, _TOP), self._queries.values())
        found = self._ndcg(rankings)
        shares = [
            len(set(best[:_TOP]).intersection(ranking[:_TOP])) / len(best[:_TOP]) if best else 1.0
            for best, ranking in zip(self._exact, rankings, strict=True)
        ]
        return replace(
            row,
            ndcg_10=found,
            loss=self._exact_ndcg - found,
            overlap_10=statistics.fmean(shares),
            search_p50_ms=statistics.median(milliseconds),
            search_p95_ms=float(np.percentile(milliseconds, 95)),
        )

    def _ndcg(self, rankings: Sequence[Ranking]) -> float:
        gains = []
        for identity, ranking in zip(self._queries, rankings, strict=True):
            documents = list(dict.fromkeys(self._corpus.document_ids[number - 1] for number in ranking))
            gains.append(ndcg(documents, self._data.judgements[identity], _TOP))
        return statistics.fmean(gains)


def _search(
    index: Index, packed: Sequence[PackedRows], storage: Storage, rescored: int | None
) -> Callable[[TokenEmbeddings, int], Ranking]:
    """As a collection searches, with the rows in memory."""

    def stored(numbers: Sequence[int]) -> tuple[list[int], list[PackedRows]]:
        return list(numbers), [packed[number - 1] for number in numbers]

    def search(query: TokenEmbeddings, top_k: int) -> Ranking:
        if rescored is None:
            (candidates,) = first_candidates(View(index=index), [query], top_k, None)
            ranked = best_of_candidates(stored, stored_query(query, storage), candidates, top_k)
            return [number for number, _ in ranked]
        numbers: Ranking = index.search([query], rescored or top_k)[0][0].tolist()
        if not rescored:
            return numbers
        return [number for number, _ in best_of_rows(stored, stored_query(query, storage), numbers, top_k)]

    return search
