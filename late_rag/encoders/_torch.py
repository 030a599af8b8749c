"""PyTorch behind an encoder: padded batches of passes that are nearly as long as each other, one at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from late_rag.encoders._stream import Running
from late_rag.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from typing import TypeAlias

    from late_rag.encoders._tokens import Pass
    from late_rag.types import TokenEmbeddings

    Part: TypeAlias = tuple[Pass, TokenEmbeddings]
    """A pass, and where its rows are to be written."""

_LEAST_WEIGHT = 32  # tokens that even the shortest text counts for: it costs memory beside its rows
_TOKENS_A_TEXT = 512  # of a full batch; where texts are longer, a batch has fewer of them


class TorchRuntime:
    """A loaded model: documents go through it in batches on one thread, a query before the next batch.

    Args:
        name: of the model, for errors.
        forward: ``input_ids`` and ``attention_mask``, ``(batch, tokens) int64`` on the device, to the token embeddings
            ``(batch, tokens, dim)``.
        device: where to compute.
        batch_size: how many passes go through the model together.
        padding: the token that sequences are filled up with.
        dim: of the embeddings, where the checkpoint says it.

    Raises:
        ModelError: the model gives embeddings of another dim.
    """

    def __init__(
        self, name: str, forward: Callable[[Any, Any], Any], device: str, batch_size: int, padding: int, dim: int | None
    ) -> None:
        self._name, self._forward, self._device = name, forward, device
        self._batch_size, self._padding = batch_size, padding
        self._turn, self._next = threading.Lock(), threading.Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="late_rag-encoder")
        one = np.ones((1, 1), np.int64)
        self.dim = int(self._rows(one, one).shape[-1])
        if dim is not None and dim != self.dim:
            raise ModelError(f"{name} gives embeddings of dim {self.dim}, its config says {dim}")

    def encode(self, item: Pass) -> TokenEmbeddings:
        """The kept rows of one pass, ``(rows, dim) float32`` of unit norm, computed on the caller's thread."""
        out = np.empty((len(item.rows), self.dim), np.float32)
        self._fill([(item, out)])
        return out

    def start(self, texts: Iterable[Sequence[Pass]]) -> Iterator[Running[TokenEmbeddings]]:
        """Hands the passes of all texts to the worker, sorted by length; a result has the rows of a text in order."""
        jobs = [self._parts(passes) for passes in texts]
        futures = self._submitted(list(chain.from_iterable(parts for _, parts in jobs)))
        for out, parts in jobs:
            needed = list(dict.fromkeys(futures[id(item)] for item, _ in parts))
            yield Running(out, needed, max(_LEAST_WEIGHT, sum(len(item.ids) for item, _ in parts)))

    def _parts(self, passes: Sequence[Pass]) -> tuple[TokenEmbeddings, list[Part]]:
        edges = [0, *accumulate(len(item.rows) for item in passes)]
        out = np.empty((edges[-1], self.dim), np.float32)
        return out, [(item, out[start:stop]) for item, (start, stop) in zip(passes, pairwise(edges), strict=True)]

    def _submitted(self, parts: list[Part]) -> dict[int, Future[None]]:
        """The future of each pass, by its identity; long ones go first, so that memory runs short at once or never."""
        parts.sort(key=lambda part: -len(part[0].ids))
        futures: dict[int, Future[None]] = {}
        while parts:
            fitting = max(1, self._batch_size * _TOKENS_A_TEXT // len(parts[0][0].ids))
            batch, parts = parts[: min(fitting, self._batch_size)], parts[min(fitting, self._batch_size) :]
            future = self._worker.submit(self._fill, batch)
            futures |= {id(item): future for item, _ in batch}
        return futures

    def _fill(self, batch: Sequence[Part]) -> None:
        """Writes the kept rows of each pass to its place, with unit norm."""
        longest = max(len(item.ids) for item, _ in batch)
        ids = np.full((len(batch), longest), self._padding, np.int64)
        mask = np.zeros_like(ids)
        for place, (item, _) in enumerate(batch):
            ids[place, : len(item.ids)] = item.ids
            mask[place, : len(item.ids)] = item.mask
        rows = self._rows(ids, mask)
        for place, (item, out) in enumerate(batch):
            np.take(rows[place], item.rows, axis=0, out=out, mode="clip")

    def _rows(self, ids: Any, mask: Any) -> Any:
        """``(batch, tokens, dim) float32``, rows of unit norm."""
        import torch

        try:
            with self._alone(), torch.inference_mode():
                tokens, attended = (torch.from_numpy(array).to(self._device) for array in (ids, mask))
                found = self._forward(tokens, attended)
                return torch.nn.functional.normalize(found.float(), dim=-1).cpu().numpy()
        except Exception as error:  # of the libraries, which have no common base class
            size = f"{len(ids)} texts of up to {ids.shape[1]:,} tokens"
            advice = "; a smaller batch_size takes less memory" if "memory" in str(error) else ""
            raise ModelError(f"{self._name} fails on {size}: {str(error)[:500]}{advice}") from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Lets one thread in; who comes again and again waits behind who waits already."""
        with self._next:
            self._turn.acquire()
        try:
            yield
        finally:
            self._turn.release()
