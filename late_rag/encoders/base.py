"""What encoders share that read texts as sequences of tokens: windows, regions, batches. A subclass runs the model."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from abc import ABC, abstractmethod
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from late_rag.encoders._checks import checked_queries, document_text, shown
from late_rag.encoders._spans import text_start, within
from late_rag.encoders._stream import batches, in_order
from late_rag.encoders.checkpoint import read_config
from late_rag.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tokenizers import Tokenizer

    from late_rag.encoders._stream import Job
    from late_rag.encoders._tokens import Pass, Sequences
    from late_rag.encoders.checkpoint import CheckpointConfig
    from late_rag.types import Chunk, Document, Region, TextSpan, TokenEmbeddings

logger = logging.getLogger(__name__)


class Runtime(Protocol):
    """A loaded model that gives the rows of passes; many threads may call it at once."""

    @property
    def dim(self) -> int: ...

    def encode(self, item: Pass) -> TokenEmbeddings:
        """The kept rows of one pass, ``(rows, dim) float32`` of unit norm, before anything else that waits."""

    def start(self, texts: Iterable[Sequence[Pass]]) -> Iterator[Job[TokenEmbeddings]]:
        """For each text a job that gives the rows of its passes, one after the other; started as it is asked for."""


class SequenceEncoder(ABC):
    """An encoder of the sequences that a checkpoint's config says, for whatever runs the model.

    Making an encoder only reads the config: tokenizer and weights are loaded when they are needed, once for each
    process, so an encoder may be used on both sides of a fork.

    A chunk with more tokens than ``document_capacity`` is encoded in windows of that many, which overlap by at least
    an eighth. A token in two windows keeps the row of the window in which it stands further from the edge; every
    window keeps its markers. Rows of skip list tokens are left out of documents, never of queries.

    Args:
        folder: the checkpoint folder.
        window_tokens: how many tokens are on their way at most, besides one chunk that is longer.
        options: what it was made with, to make it again; ``model`` is the name it goes by.
    """

    modalities: frozenset[str] = frozenset({"text"})
    contextual: bool = False

    _block: ClassVar[tuple[int, int]] = (32, 1 << 17)
    """The most texts, and characters, that are tokenised and started together."""

    def __init__(self, folder: str | Path, window_tokens: int, options: Mapping[str, Any]) -> None:
        self._options = dict(options)
        self.folder = Path(folder).resolve()
        self.model: str = self._options["model"] or str(self.folder)
        self._config = self._read_config()
        self._window = window_tokens
        self._loaded: Sequences | None = None
        self._start_anew()
        _encoders.add(self)

    def _read_config(self) -> CheckpointConfig:
        return read_config(self.folder)

    @abstractmethod
    def _weights_name(self) -> str:
        """What names the weights."""

    @abstractmethod
    def _open(self) -> Runtime:
        """Loads the model."""

    @property
    @abstractmethod
    def variant(self) -> str:
        """How it is computed: backend, precision, device."""

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), self.folder, **self._options), ()

    def _start_anew(self) -> None:
        self._inherited = getattr(self, "_runtime", None)  # kept: a child tears nothing of its parent down
        self._lock = threading.RLock()
        self._runtime: Runtime | None = None

    def close(self) -> None:
        """Lets go of weights and workers; work under way is finished, and the next use loads them again."""
        with self._lock:
            self._runtime = None

    @cached_property
    def model_id(self) -> str:
        """Name of the weights and a hash of the settings, such as ``late-rag-minilm-1/1f0c7a52``.

        Raises:
            ModelError: nothing names the weights.
        """
        return f"{self._weights_name()}/{self._config.fingerprint}"

    @property
    def dim(self) -> int:
        return self._config.embedding_dim or self._opened().dim

    @property
    def query_length(self) -> int:
        return self._config.query_length

    @property
    def document_length(self) -> int:
        return self._config.document_length

    @property
    def document_capacity(self) -> int:
        return self._sequences.document_capacity

    @property
    def tokenizer(self) -> Tokenizer:
        return self._sequences.tokenizer

    @property
    def _sequences(self) -> Sequences:
        sequences = self._loaded
        if sequences is None:
            from late_rag.encoders._tokens import Sequences, load_tokenizer

            with self._lock:
                if self._loaded is None:
                    self._loaded = Sequences(load_tokenizer(self.folder), self._config)
                sequences = self._loaded
        return sequences

    def _opened(self) -> Runtime:
        runtime = self._runtime
        if runtime is None:
            with self._lock:
                runtime = self._runtime = self._runtime or self._open()
        return runtime

    def encode_queries(self, queries: Sequence[str]) -> list[TokenEmbeddings]:
        """One ``(tokens, dim) float32`` array for each query, rows of unit norm, markers and expansion included.

        A query that is longer than ``query_length`` is cut, and a warning logged.

        Raises:
            InputError: a query that is no text, empty, only white space, or has lone surrogates.
        """
        passes = self._query_passes(checked_queries(queries))
        runtime = self._opened()
        if len(passes) == 1:
            return [runtime.encode(passes[0])]
        return list(in_order(runtime.start([item] for item in passes), self._window))

    def _query_passes(self, queries: list[str]) -> list[Pass]:
        capacity = self._sequences.query_capacity
        tokens = self._sequences.tokenize(queries, "query")
        for position, (query, ids) in enumerate(zip(queries, tokens, strict=True)):
            if not len(ids):
                raise InputError(f"queries[{position}] is {shown(query)}, in which the model sees no token")
            if len(ids) > capacity:
                logger.warning("query %s has %d tokens; the model reads the first %d", shown(query), len(ids), capacity)
        return [self._sequences.query_pass(ids) for ids in tokens]

    def encode_documents(
        self,
        chunks: Iterable[Chunk],
        documents: Mapping[str, Document] | None = None,  # noqa: ARG002 - of the protocol
    ) -> Iterator[TokenEmbeddings]:
        """One ``(tokens, dim) float32`` array for each chunk, in input order, rows of unit norm.

        Chunks are read as there is room in the window. A text without tokens gives ``(0, dim)``. ``documents`` is
        not used: a chunk is read by itself.

        Raises:
            InputError: a chunk whose text is no text or has lone surrogates; after the rows of those before it.
            UnsupportedError: a chunk that has no text but a picture; likewise.
        """
        return in_order(self._document_jobs(chunks), self._window)

    def _document_jobs(self, chunks: Iterable[Chunk]) -> Iterator[Job[TokenEmbeddings]]:
        runtime: Runtime | None = None
        for batch, failure in batches(map(document_text, chunks), *self._block, len):
            runtime = runtime or self._opened()
            yield from runtime.start(map(self._sequences.document_passes, self._sequences.tokenize(batch)))
            if failure is not None:
                yield failure

    def token_regions(self, chunk: Chunk) -> list[Region]:
        """For each row of the chunk's encoding the span of ``chunk.text`` it stands for.

        None for markers, and for what ``embed_text`` has beside ``text``; for all rows where ``text`` is not in it.
        """
        encoded = document_text(chunk)
        ids, spans = self._sequences.located(encoded)
        tokens = [token for item in self._sequences.document_passes(ids) for token in item.tokens]
        start = text_start(chunk)
        return [within(_span(spans, token), start, len(chunk.text)) for token in tokens]

    def query_regions(self, query: str) -> list[TextSpan | None]:
        """For each row of the query's encoding the span of the query it stands for; None for markers, expansion.

        Raises:
            InputError: as for :meth:`encode_queries`.
        """
        (query,) = checked_queries([query])
        ids, spans = self._sequences.located(query, "query")
        return [_span(spans, token) for token in self._sequences.query_pass(ids).tokens]


def _span(spans: list[TextSpan | None], token: int) -> TextSpan | None:
    return None if token < 0 else spans[token]


_encoders: weakref.WeakSet[SequenceEncoder] = weakref.WeakSet()


def _after_fork() -> None:
    for encoder in _encoders:
        encoder._start_anew()  # noqa: SLF001


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
