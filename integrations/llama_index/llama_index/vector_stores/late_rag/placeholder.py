"""What goes where LlamaIndex asks for an embedding model, and the collection's own model does the work."""

# ruff: noqa: ARG002 - arguments of LlamaIndex's interface

from __future__ import annotations

from llama_index.core.base.embeddings.base import BaseEmbedding

from llama_index.retrievers.late_rag.checks import refusing

_PLACEHOLDER = 1.0


class PlaceholderEmbedding(BaseEmbedding):
    """Gives every text the same vector of one number, which nothing looks at.

    An ``IngestionPipeline`` hands a store those nodes alone that have an embedding, and drops the others without a
    word; a ``VectorStoreIndex`` embeds whatever it is given. So this is the last transformation of such a pipeline,
    and the ``embed_model`` of such an index, over a store that embeds by itself. With any other store every text is
    found equally well.

        pipeline = IngestionPipeline(transformations=[SentenceSplitter(), PlaceholderEmbedding()], vector_store=store)
    """

    model_name: str = "placeholder"
    embed_batch_size: int = 2048

    _check_arguments = refusing({"model": "the collection of the store names the model"})

    @classmethod
    def class_name(cls) -> str:
        """The name under which it is serialised."""
        return "PlaceholderEmbedding"

    def _get_query_embedding(self, query: str) -> list[float]:
        return [_PLACEHOLDER]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return [_PLACEHOLDER]

    def _get_text_embedding(self, text: str) -> list[float]:
        return [_PLACEHOLDER]

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return [_PLACEHOLDER]
