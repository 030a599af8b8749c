"""Late-interaction encoder for checkpoints as they were trained, on sentence-transformers 6 and PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from late_rag.encoders.torch_models import TorchEncoder

if TYPE_CHECKING:
    from collections.abc import Callable


class SentenceTransformersEncoder(TorchEncoder):
    """Reads checkpoints of sentence-transformers 6, PyLate and Stanford ColBERT by its ``MultiVectorEncoder``.

    See :class:`~late_rag.encoders.torch_models.TorchEncoder`. A pooling that the checkpoint has in it is left out: it
    is the collection's to choose.
    """

    backend = "sentence-transformers"

    def _forward(self, device: str, **kwargs: Any) -> tuple[Callable[[Any, Any], Any], Any]:
        from sentence_transformers import MultiVectorEncoder
        from sentence_transformers.multi_vector_encoder.modules import BaseTokenPooling, MultiVectorMask

        model = MultiVectorEncoder(str(self.folder), device=device, model_kwargs=kwargs, local_files_only=True)
        modules = [module for module in model if not isinstance(module, BaseTokenPooling | MultiVectorMask)]

        def forward(ids: Any, mask: Any) -> Any:
            features = {"input_ids": ids, "attention_mask": mask}
            for module in modules:
                features = module(features)
            return features["token_embeddings"]

        return forward, model
