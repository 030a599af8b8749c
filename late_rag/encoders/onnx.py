"""Late-interaction encoder for exported checkpoint folders, on ONNX Runtime."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from late_rag.encoders._identity import exported_name
from late_rag.encoders._options import MODEL_FILES, at_least_one, check_options, choose, worker_count
from late_rag.encoders.base import SequenceEncoder
from late_rag.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from late_rag.encoders._options import Device, DeviceOption, Precision
    from late_rag.encoders._runtime import Runtime

WINDOW_TOKENS = 16_384
"""Tokens under way for each worker: half a second's work or more, so that none runs dry while results are stored."""

logger = logging.getLogger(__name__)


class OnnxEncoder(SequenceEncoder):
    """Reads a folder with ``model_int8.onnx`` or ``model.onnx``, ``tokenizer.json`` and ``onnx_config.json``.

    Those are what LightOn's exports hold; the model takes ``input_ids`` and ``attention_mask``, and gives
    ``(batch, tokens, dim)``. Texts go through the model one by one, on one-thread workers that all callers share.
    Windows of long chunks, and what else is common: :class:`~late_rag.encoders.base.SequenceEncoder`.

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
        options: dict[str, Any] = {
            "model": model,
            "revision": revision,
            "precision": precision,
            "device": device,
            "workers": workers,
            "window_tokens": window_tokens,
        }
        self._workers = worker_count(workers)
        window = at_least_one("window_tokens", window_tokens) or WINDOW_TOKENS * self._workers
        super().__init__(folder, window, options)
        self._precision, self._device = self._choose(precision, device)
        logger.info("%s: ONNX Runtime, %s on %s, %d workers", self.model, self._precision, self._device, self._workers)

    @staticmethod
    def reads(folder: Path) -> bool:
        """Whether the folder holds an exported model."""
        return any((folder / file).is_file() for file in MODEL_FILES.values())

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
