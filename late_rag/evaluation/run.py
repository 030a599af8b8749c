"""One evaluation from the folder to the report."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from late_rag.collections import create_collection
from late_rag.encoders import load_encoder
from late_rag.errors import InputError, UnsupportedError
from late_rag.evaluation.beir import load_beir
from late_rag.evaluation.filling import fill
from late_rag.evaluation.overlap import ExactTop
from late_rag.evaluation.report import EvaluationReport, peak_memory
from late_rag.evaluation.searching import dense_search, text_search, timed
from late_rag.retriever.settings import check_options, new_settings

if TYPE_CHECKING:
    from typing import Unpack

    from late_rag.protocols import Collection, Encoder
    from late_rag.retriever.settings import CollectionOptions
    from late_rag.types import Progress, Report, TokenEmbeddings


def evaluate(
    folder: str | Path,
    *,
    model: str | Path | Encoder = "minilm",
    limit: int | None = None,
    baseline: Literal["bm25"] | None = None,
    titles: bool = False,
    progress: Report | None = None,
    **options: Unpack[CollectionOptions],
) -> EvaluationReport:
    """Indexes a test collection in a temporary folder and asks its queries.

    Args:
        folder: in BEIR layout; see :func:`load_beir`.
        model: what :func:`late_rag.encoders.load_encoder` takes, or an encoder.
        limit: ask only the first queries that have judgements; of all documents all the same.
        baseline: "bm25" measures the collection's full text too, over the same chunks.
        titles: put each document's title in front of its text.
        progress: is told how far it is; whatever it raises stops the work.
        options: of the collection that is made; see :class:`late_rag.retriever.CollectionOptions`.

    Raises:
        InputError: files that are not what they should be, or an argument that cannot be.
        UnsupportedError: a baseline that the collection has not.
    """
    check_limit(limit)
    if baseline not in (None, "bm25"):
        raise InputError(f"baseline must be 'bm25' or None, not {baseline!r}")
    check_options(options)
    data = load_beir(folder)
    texts = dict(list(data.queries.items())[:limit])
    encoder = _encoder(model)
    report = progress or _ignore
    embeddings, query_encode_ms = _encoded_queries(encoder, texts)
    with _temporary_collection(encoder, options) as collection:
        if baseline and not collection.capabilities.text_search:
            raise UnsupportedError(f"{collection.location}: a collection of this kind has no full text as a baseline")
        exact = ExactTop(list(embeddings.values()))
        encode_s, build_s = fill(collection, encoder, data, titles, exact, report)
        dense, top = dense_search(collection, embeddings, data, report)
        lexical = text_search(collection, texts, data, report) if baseline else None
        info = collection.info()
        pool_factor = (collection.settings.pooling or {}).get("pool_factor", 1)
    return EvaluationReport(
        dataset=data.name,
        model=encoder.model,
        model_id=encoder.model_id,
        variant=encoder.variant,
        index=info.index,
        pool_factor=pool_factor,
        documents=data.document_count,
        chunks=info.chunks,
        tokens=info.tokens,
        queries=len(texts),
        encode_s=encode_s,
        build_s=build_s,
        query_encode_p50_ms=query_encode_ms,
        search=dense,
        overlap_10=exact.overlap(top),
        bytes_on_disk=info.bytes_on_disk,
        peak_rss_mb=peak_memory(),
        baseline_name=baseline,
        baseline=lexical,
    )


def check_limit(limit: object) -> None:
    """Raises InputError for what is no number of queries."""
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise InputError(f"limit must be a whole number of at least 1, not {limit!r}")


def _ignore(progress: Progress) -> None:
    """Tells nobody."""


def _encoder(model: str | Path | Encoder) -> Encoder:
    return load_encoder(model) if isinstance(model, str | Path) else model


def _encoded_queries(encoder: Encoder, texts: Mapping[str, str]) -> tuple[dict[str, TokenEmbeddings], float]:
    """Embeddings by query id, and the median milliseconds of a query, one a call, the model loaded."""
    encoder.encode_queries(list(texts.values())[:1])
    found, milliseconds = timed(lambda text: encoder.encode_queries([text])[0], texts.values())
    return dict(zip(texts, found, strict=True)), statistics.median(milliseconds)


@contextmanager
def _temporary_collection(encoder: Encoder, options: CollectionOptions) -> Iterator[Collection]:
    with tempfile.TemporaryDirectory(prefix="late-rag-eval-") as folder:
        location = Path(folder) / "evaluation.rag"
        collection = create_collection(location, new_settings(encoder, location, options))
        try:
            yield collection
        finally:
            collection.close()
