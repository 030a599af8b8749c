"""Late-interaction encoder for checkpoints as they were trained, on PyLate and PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from late_rag.encoders.checkpoint import is_multi_vector
from late_rag.encoders.torch_models import TorchEncoder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class PyLateEncoder(TorchEncoder):
    """Reads checkpoints of PyLate and Stanford ColBERT; see :class:`~late_rag.encoders.torch_models.TorchEncoder`."""

    backend = "pylate"

    @staticmethod
    def reads(folder: Path) -> bool:
        """Whether the folder holds a trained checkpoint that PyLate can read."""
        return TorchEncoder.reads(folder) and not is_multi_vector(folder)

    def _forward(self, device: str, **kwargs: Any) -> tuple[Callable[[Any, Any], Any], Any]:
        from pylate.models import ColBERT

        model = ColBERT(str(self.folder), device=device, model_kwargs=kwargs, local_files_only=True)

        def forward(ids: Any, mask: Any) -> Any:
            return model({"input_ids": ids, "attention_mask": mask})["token_embeddings"]

        return forward, model
