"""ONNX Runtime behind the encoder: one session and the one-thread workers that share it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from late_rag.encoders._stream import Running
from late_rag.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from late_rag.encoders._options import Device
    from late_rag.encoders._tokens import Ids, Pass
    from late_rag.types import TokenEmbeddings

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})
_LEAST_WEIGHT = 32  # tokens that even the shortest text counts for: it costs memory beside its rows


class Runtime:
    """A loaded model and its workers.

    One text is one run on one thread: nothing is padded, an embedding does not depend on what else is encoded (the
    dynamic quantisation of many exports takes one scale for all of a batch), and on a CPU it is the fastest way, too.
    """

    def __init__(self, file: Path, device: Device, workers: int, dim: int | None) -> None:
        self._file = file
        self._session = open_session(file, device)
        self._inputs = [item.name for item in self._session.get_inputs()]
        if unknown := set(self._inputs) - _INPUTS:
            raise ModelError(f"{file} asks for {', '.join(sorted(unknown))}; a text encoder has {', '.join(_INPUTS)}")
        self.device: Device = "cuda" if _PROVIDERS["cuda"] in self._session.get_providers() else "cpu"
        self.dim = self._measured_dim()
        if dim is not None and dim != self.dim:
            raise ModelError(f"{file} gives embeddings of dim {self.dim}, its config says {dim}")
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="late_rag-encoder")

    def _measured_dim(self) -> int:
        dim = self._session.get_outputs()[0].shape[-1]
        if isinstance(dim, int):
            return dim
        one = np.ones(1, np.int64)
        return int(self._forward(one, one).shape[-1])

    def _forward(self, ids: Ids, mask: Ids) -> Any:
        inputs = {"input_ids": ids[None], "attention_mask": mask[None], "token_type_ids": np.zeros_like(ids)[None]}
        try:
            embeddings = self._session.run(None, {name: inputs[name] for name in self._inputs})[0][0]
            return embeddings.astype(np.float32, copy=False)  # some exports give float16
        except Exception as error:  # the library's own errors have no public base class
            raise ModelError(f"{self._file} fails on a text of {len(ids):,} tokens: {str(error)[:500]}") from error

    def _fill(self, item: Pass, out: TokenEmbeddings) -> None:
        """Writes the kept rows of one pass into ``out``, ``(rows, dim) float32``, with unit norm."""
        embeddings = self._forward(item.ids, item.mask)
        np.take(embeddings, item.rows, axis=0, out=out, mode="clip")  # "raise" would go through a buffer
        norms = np.sqrt(np.einsum("ij,ij->i", out, out))[:, None]
        np.divide(out, norms, out=out, where=norms > 0)

    def encode(self, item: Pass) -> TokenEmbeddings:
        """The kept rows of one pass, ``(rows, dim) float32``, computed on the caller's thread."""
        out = np.empty((len(item.rows), self.dim), np.float32)
        self._fill(item, out)
        return out

    def start(self, texts: Iterable[Sequence[Pass]]) -> Iterator[Running[TokenEmbeddings]]:
        """Hands the passes of one text after the other to the workers; a result has their rows in order."""
        return map(self._start, texts)

    def _start(self, passes: Sequence[Pass]) -> Running[TokenEmbeddings]:
        edges = [0, *accumulate(len(item.rows) for item in passes)]
        out = np.empty((edges[-1], self.dim), np.float32)
        futures = [
            self._workers.submit(self._fill, item, out[start:stop])
            for item, (start, stop) in zip(passes, pairwise(edges), strict=True)
        ]
        return Running(out, futures, max(_LEAST_WEIGHT, sum(len(item.ids) for item in passes)))


def open_session(file: Path, device: Device) -> Any:
    """A session of one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    providers = [_PROVIDERS["cuda"], _PROVIDERS["cpu"]] if device == "cuda" else [_PROVIDERS["cpu"]]
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=providers)
    except Exception as error:  # the library's own errors have no public base class
        raise ModelError(f"{file} cannot be loaded by ONNX Runtime {onnxruntime.__version__}: {error}") from error
