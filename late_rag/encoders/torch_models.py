"""What the encoders on PyTorch share: options, device, number format; a subclass loads the model."""

from __future__ import annotations

import logging
import os
import re
from abc import abstractmethod
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, get_args

from late_rag.encoders._identity import weights_name
from late_rag.encoders._options import at_least_one
from late_rag.encoders.base import SequenceEncoder
from late_rag.encoders.checkpoint import is_trained, read_trained
from late_rag.errors import InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from late_rag.encoders._torch import TorchRuntime
    from late_rag.encoders.checkpoint import CheckpointConfig

NumberFormat: TypeAlias = Literal["float32", "float16", "bfloat16"]
Attention: TypeAlias = Literal["eager", "sdpa", "flash_attention_2"]

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:[0-9]{1,3})?")
_BATCH_CPU, _BATCH_GPU = 32, 128
_WINDOW = 65_536

logger = logging.getLogger(__name__)


class TorchEncoder(SequenceEncoder):
    """Runs a checkpoint as it was trained in its own library, on the sequences that our graph of it takes.

    So its rows, windows of long chunks and ``model_id`` are those of the compiled checkpoint, and a collection that was
    made with one can be searched with the other. Texts are sorted by length and go through the model in batches; many
    threads may use an encoder at once, and a query waits for one batch at most.

    Args:
        folder: the checkpoint folder.
        model: the name it goes by; the folder where nothing is given.
        revision: ``name@commit`` where the folder is a snapshot from a hub.
        device: "cpu", "mps", "cuda", "cuda:1", or "auto": CUDA where PyTorch finds it, else the CPU.
        dtype: the number format, "float32", "float16" or "bfloat16"; float16 on CUDA, else float32.
        attention: the implementation, "eager", "sdpa" or "flash_attention_2"; else the library's choice.
        batch_size: texts that go through the model together; 32 on a CPU, else 128.
        window_tokens: how many tokens are on their way at most, besides one block of texts; 65,536 if not given.

    Raises:
        ModelError: the folder lacks a file, or its config cannot be used.
        InputError: an option with a value that it does not have.
    """

    backend: ClassVar[str]
    _block = (512, 1 << 18)

    def __init__(
        self,
        folder: str | Path,
        *,
        model: str | None = None,
        revision: str | None = None,
        device: str = "auto",
        dtype: NumberFormat | None = None,
        attention: Attention | None = None,
        batch_size: int | None = None,
        window_tokens: int | None = None,
    ) -> None:
        _check_options(device, dtype, attention)
        self._batch_size = at_least_one("batch_size", batch_size)
        options = {
            "model": model,
            "revision": revision,
            "device": device,
            "dtype": dtype,
            "attention": attention,
            "batch_size": batch_size,
            "window_tokens": window_tokens,
        }
        super().__init__(folder, at_least_one("window_tokens", window_tokens) or _WINDOW, options)

    @staticmethod
    def reads(folder: Path) -> bool:
        """Whether the folder holds a checkpoint with its weights as they were trained."""
        return is_trained(folder)

    @abstractmethod
    def _forward(self, device: str, **kwargs: Any) -> tuple[Callable[[Any, Any], Any], Any]:
        """Loads the model; what gives its token embeddings, and the model itself.

        ``kwargs`` are those of the transformer.
        """

    def _read_config(self) -> CheckpointConfig:
        return read_trained(self.folder)

    def _weights_name(self) -> str:
        return weights_name(self.folder, self._config)

    @cached_property
    def _device(self) -> str:
        import torch

        device: str = self._options["device"]
        there = torch.cuda.is_available()
        if device.startswith("cuda") and not there:
            raise ModelError(f"{self.model}: PyTorch finds no CUDA device; use device='cpu'")
        return ("cuda" if there else "cpu") if device == "auto" else device

    @property
    def _dtype(self) -> str:
        return self._options["dtype"] or ("float16" if self._device.startswith("cuda") else "float32")

    @property
    def variant(self) -> str:
        """Backend, number format and device, such as ``pylate-float16-cuda``."""
        return f"{self.backend}-{self._dtype}-{self._device.partition(':')[0]}"

    def _open(self) -> TorchRuntime:
        import torch

        from late_rag.encoders._torch import TorchRuntime

        self.model_id  # noqa: B018 - before anything is loaded: refuses modules without safetensors, which could run code
        attention = self._options["attention"]
        kwargs = {} if attention is None else {"attn_implementation": attention}
        _Ran.here = True
        try:
            with _quietly():
                forward, model = self._forward(self._device, use_safetensors=True, **kwargs)
        except Exception as error:  # of the libraries, which have no common base class
            raise ModelError(f"{self.model} cannot be loaded by {self.backend}: {str(error)[:500]}") from error
        model.eval()
        for weights in model.parameters():  # not buffers: rotary positions lose too much in 16 bits
            weights.data = weights.data.to(getattr(torch, self._dtype))
        batch_size = self._batch_size or (_BATCH_CPU if self._device == "cpu" else _BATCH_GPU)
        logger.info("%s: %s, %s on %s", self.model, self.backend, self._dtype, self._device)
        padding = getattr(model[0].auto_model.config, "pad_token_id", None) or 0
        return TorchRuntime(self.model, forward, self._device, batch_size, padding, self._config.embedding_dim)


@contextmanager
def _quietly() -> Iterator[None]:
    """No progress bars: the library logs, and never prints."""
    from transformers.utils import logging as bars

    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()


class _Ran:
    """Whether PyTorch has computed in this process or in one that it was forked from."""

    here = False


def _after_fork() -> None:
    """One thread in a child: those of OpenMP did not come along, and whoever needs them would wait for ever."""
    if _Ran.here:
        import torch

        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _check_options(device: object, dtype: object, attention: object) -> None:
    if not isinstance(device, str) or _DEVICE.fullmatch(device) is None:
        raise InputError(f"device is {device!r}; there are 'auto', 'cpu', 'cuda', 'cuda:1' and so on, 'mps'")
    for name, value, kinds in (("dtype", dtype, NumberFormat), ("attention", attention, Attention)):
        if value is not None and value not in get_args(kinds):
            raise InputError(f"{name} is {value!r}; there are {', '.join(map(repr, get_args(kinds)))}")
