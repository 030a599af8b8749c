"""Late-interaction encoder for checkpoints as they were trained, compiled to ONNX graphs without PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.encoders._identity import weights_name
from late_rag.encoders._options import cuda_available
from late_rag.encoders.checkpoint import Transformer, is_trained, read_trained
from late_rag.encoders.checkpoint.modules import check_modules
from late_rag.encoders.checkpoint.settings import read_settings
from late_rag.encoders.onnx import OnnxEncoder

if TYPE_CHECKING:
    from pathlib import Path

    from late_rag.encoders._options import Device, DeviceOption, Precision
    from late_rag.encoders.checkpoint import CheckpointConfig


class CompiledEncoder(OnnxEncoder):
    """Reads checkpoints of PyLate, sentence-transformers 6 and Stanford ColBERT with ``model.safetensors``.

    Known are BERT, RoBERTa, XLM-RoBERTa, DistilBERT and ModernBERT, and the modules Dense and Normalize behind them.
    What is not known is told when an encoder is made.
    The graph is made with the first text, once on a machine, and kept in the folder for caches (the variable
    ``LATE_RAG_CACHE``, else the platform's): in int8, unless its rows were too far from those of fp32; then, with
    ``precision="fp32"``, and on CUDA in fp32. Everything else, and the options, are those of :class:`OnnxEncoder`.
    """

    @staticmethod
    def reads(folder: Path) -> bool:
        """Whether the folder holds a checkpoint as it was trained; an export beside it is another encoder's."""
        return is_trained(folder)

    def _read_config(self) -> CheckpointConfig:
        from late_rag.encoders.graphs.architectures import checked_architecture

        config = read_trained(self.folder)
        check_modules(self.folder, config.modules)
        first = config.modules[0]
        file = self.folder / (first.folder if isinstance(first, Transformer) else "") / "config.json"
        checked_architecture(read_settings(file), file)
        return config

    def _weights_name(self) -> str:
        return weights_name(self.folder, self._config)

    def _choose(self, precision: Precision | None, device: DeviceOption) -> tuple[Precision, Device]:
        if device != "cpu" and precision != "int8" and cuda_available():
            return "fp32", "cuda"
        return precision or "int8", "cpu"

    def _graph(self) -> Path:
        from late_rag.encoders.graphs.cache import compiled

        file, self._precision = compiled(self.folder, self._config, self._weights_name(), self._precision)
        return file

    @property
    def variant(self) -> str:
        """Backend, precision and device, such as ``onnx-int8-cpu``; which precision shows when it is compiled."""
        self._opened()
        return super().variant
