"""Late-interaction encoder for exported checkpoint folders, on ONNX Runtime."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from late_rag.encoders._checks import checked_queries, document_text, shown
from late_rag.encoders._identity import exported_name
from late_rag.encoders._options import MODEL_FILES, at_least_one, check_options, choose, worker_count
from late_rag.encoders._spans import text_start, within
from late_rag.encoders._stream import batches, in_order
from late_rag.encoders.checkpoint import read_config
from late_rag.errors import InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tokenizers import Tokenizer

    from late_rag.encoders._options import Device, DeviceOption, Precision
    from late_rag.encoders._runtime import Runtime
    from late_rag.encoders._stream import Job
    from late_rag.encoders._tokens import Pass, Sequences
    from late_rag.types import Chunk, Document, Region, TextSpan, TokenEmbeddings

WINDOW_TOKENS = 16_384
"""Tokens under way for each worker: half a second's work or more, so that none runs dry while results are stored."""

_BATCH_TEXTS, _BATCH_CHARACTERS = 32, 1 << 17  # tokenised at once

logger = logging.getLogger(__name__)


class OnnxEncoder:
    """Reads a folder with ``model_int8.onnx`` or ``model.onnx``, ``tokenizer.json`` and ``onnx_config.json``.

    Those are what LightOn's exports hold; the model takes ``input_ids`` and ``attention_mask``, and gives
    ``(batch, tokens, dim)``. Making an encoder only reads the config: tokenizer and weights are loaded when they are
    needed, once for each process, so an encoder may be used on both sides of a fork. Texts go through the model one
    by one, on one-thread workers that all callers share.

    A chunk with more tokens than ``document_capacity`` is encoded in windows of that many, which overlap by at least
    an eighth. A token in two windows keeps the row of the window in which it stands further from the edge; every
    window keeps its markers. Rows of skip list tokens are left out of documents, never of queries.

    Args:
        folder: the checkpoint folder.
        model: the name it goes by; the folder where nothing is given.
        revision: ``name@commit`` where the folder is a snapshot from a hub: identifies weights without an id.
        precision: "int8" or "fp32"; int8 where there is one, on a CPU.
        device: "cpu", "cuda", or "auto": CUDA where ONNX Runtime has it and there is an fp32 model, else the CPU.
        workers: how many texts are encoded at a time; the variable ``LATE_RAG_WORKERS``, else one for each CPU.
        window_tokens: how many tokens are on their way at most, besides one chunk that is longer; each takes about
            ``4 * dim + 32`` bytes. 16,384 for each worker where nothing is given.

    Raises:
        ModelError: the folder lacks a file, or its config cannot be used.
        InputError: an option with a value that it does not have.
    """

    modalities: frozenset[str] = frozenset({"text"})
    contextual: bool = False

    def __init__(
        self,
        folder: str | Path,
        *,
        model: str | None = None,
        revision: str | None = None,
        precision: Precision | None = None,
        device: DeviceOption = "auto",
        workers: int | None = None,
        window_tokens: int | None = None,
    ) -> None:
        check_options(precision, device)
        self._options: dict[str, Any] = {
            "model": model,
            "revision": revision,
            "precision": precision,
            "device": device,
            "workers": workers,
            "window_tokens": window_tokens,
        }
        self.folder = Path(folder).resolve()
        self.model = model or str(self.folder)
        self._config = read_config(self.folder)
        self._precision, self._device = self._choose(precision, device)
        self._workers = worker_count(workers)
        self._window = at_least_one("window_tokens", window_tokens) or WINDOW_TOKENS * self._workers
        self._loaded: Sequences | None = None
        self._start_anew()
        _encoders.add(self)
        logger.info("%s: ONNX Runtime, %s on %s, %d workers", self.model, self._precision, self._device, self._workers)

    @staticmethod
    def reads(folder: Path) -> bool:
        """Whether the folder holds an exported model."""
        return any((folder / file).is_file() for file in MODEL_FILES.values())

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

    def _weights_name(self) -> str:
        return exported_name(self.folder, self._config, self._options["revision"])

    def _choose(self, precision: Precision | None, device: DeviceOption) -> tuple[Precision, Device]:
        return choose(self.folder, precision, device)

    def _graph(self) -> Path:
        """The file of the model in the chosen precision."""
        return self.folder / MODEL_FILES[self._precision]

    @property
    def variant(self) -> str:
        """Backend, precision and device, such as ``onnx-int8-cpu``."""
        if self._device == "cuda":
            self._opened()
        return f"onnx-{self._precision}-{self._device}"

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

    def _open(self) -> Runtime:
        from late_rag.encoders._runtime import Runtime

        runtime = Runtime(self._graph(), self._device, self._workers, self._config.embedding_dim)
        if runtime.device == self._device:
            return runtime
        if self._options["device"] == "cuda":
            raise ModelError(f"{self.model}: ONNX Runtime finds no CUDA device; use device='cpu'")
        self._precision, self._device = self._choose(self._options["precision"], "cpu")
        logger.info("%s: no CUDA device, %s on cpu", self.model, self._precision)
        return self._open()

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
        return list(in_order((runtime.start([item]) for item in passes), self._window))

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
        for batch, failure in batches(map(document_text, chunks), _BATCH_TEXTS, _BATCH_CHARACTERS, len):
            runtime = runtime or self._opened()
            for ids in self._sequences.tokenize(batch):
                yield runtime.start(self._sequences.document_passes(ids))
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


_encoders: weakref.WeakSet[OnnxEncoder] = weakref.WeakSet()


def _after_fork() -> None:
    for encoder in _encoders:
        encoder._start_anew()  # noqa: SLF001


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
