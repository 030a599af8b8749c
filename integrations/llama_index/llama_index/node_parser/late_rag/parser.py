"""A LlamaIndex node parser over the core's chunkers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.node_parser.interface import MetadataAwareTextSplitter
from llama_index.core.node_parser.node_utils import build_nodes_from_splits, default_id_func
from llama_index.core.schema import BaseNode, Document, MetadataMode, Node, TextNode
from llama_index.core.utils import get_tqdm_iterable
from pydantic import ConfigDict, field_validator

from late_rag import Document as CoreDocument
from late_rag import load_encoder
from late_rag.adapters import (
    LEAST_TOKENS,
    ChunkingOptions,
    chunker_class,
    load_chunker,
    naming,
    to_reader,
)
from llama_index.retrievers.late_rag.checks import node_name, refusing

if TYPE_CHECKING:
    from late_rag import Chunk

_LABELS = 8
"""Tokens of the words that a node's own metadata have before their values: ``heading: `` and ``page: ``."""


_HINTS = {
    "chunk_size": "use max_tokens",
    "chunk_overlap": "use overlap",
    "tokenizer": "the model's own counts; model= chooses it",
}


class LateInteractionNodeParser(MetadataAwareTextSplitter):
    """Makes nodes that the encoder takes whole with the metadata in front of them, counted by its own tokenizer.

    Each node is a part of the text as it stands: ``text[node.start_char_idx : node.end_char_idx] == node.text``, also
    where the same words come again. ``metadata["heading"]`` has the path of headings above it in Markdown, HTML and
    DOCX, which are told by ``metadata["mime_type"]`` or ``["file_type"]``, and ``metadata["page"]`` the page of a PDF.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    model: str = "minilm"
    """Whose tokenizer counts, and whose capacity is the most that a node has."""

    kind: str = "auto"
    """"auto" (by the sections of Markdown, else "recursive"), "recursive", "markdown" or "whole"."""

    max_tokens: int | None = None
    """Of a node with what stands in front of it; None is all that the encoder takes in one pass."""

    max_characters: int | None = None
    """Of a node; None is eight times its tokens."""

    overlap: int = 0
    """Tokens that the next node of the same section repeats."""

    headings: bool = True
    """Whether room is left for the headings above a node."""

    @field_validator("id_func", mode="before")
    @classmethod
    def _read_id_func(cls, value: Any) -> Any:
        """A function, or what ``to_dict`` writes of the default one."""
        return default_id_func if value == {"id_func_name": "default_id_func", "title": "id_func"} else value

    _check_arguments = refusing(_HINTS)

    def model_post_init(self, context: Any, /) -> None:
        """Raises InputError for an option that cannot be, which pydantic hands on as its own ValidationError."""
        super().model_post_init(context)
        chunker_class(self.kind)  # refuses one that there is not
        self._chunking()

    @classmethod
    def class_name(cls) -> str:
        """The name that a serialised one has."""
        return "LateInteractionNodeParser"

    def split_text(self, text: str) -> list[str]:
        """The passages of a text that has no metadata."""
        return self.split_text_metadata_aware(text, "")

    def split_text_metadata_aware(self, text: str, metadata_str: str) -> list[str]:
        """The passages of a text, each with room for the metadata in front of it."""
        return [chunk.text for chunk in self._chunks(CoreDocument(text=text), metadata_str)]

    async def aget_nodes_from_documents(
        self, documents: Sequence[Document], show_progress: bool = False, **kwargs: Any
    ) -> list[BaseNode]:
        """Async twin of ``get_nodes_from_documents``, in a thread."""
        return await to_reader(self.get_nodes_from_documents, documents, show_progress, **kwargs)

    def _parse_nodes(
        self,
        nodes: Sequence[BaseNode],
        show_progress: bool = False,
        **kwargs: Any,  # noqa: ARG002 - of the interface
    ) -> list[BaseNode]:
        found: list[BaseNode] = []
        for place, node in enumerate(get_tqdm_iterable(nodes, show_progress, "Parsing nodes")):
            with naming(node_name(node, place, "documents" if isinstance(node, Document) else "nodes")):
                found += self._parts(node)
        return found

    def _postprocess_parsed_nodes(self, nodes: list[BaseNode], parent_doc_map: dict[str, Document]) -> list[BaseNode]:
        """What every parser does, with the places that are known in place of those that it looks up."""
        places = [(node.start_char_idx, node.end_char_idx) for node in nodes if isinstance(node, TextNode)]
        found = super()._postprocess_parsed_nodes(nodes, parent_doc_map)
        for node, (start, end) in zip(found, places, strict=True):
            if isinstance(node, TextNode):
                node.start_char_idx, node.end_char_idx = start, end
        return found

    def _parts(self, node: BaseNode) -> list[TextNode]:
        mime_type = _mime_type(node)
        front = node.get_metadata_str(MetadataMode.EMBED) if self.include_metadata else ""
        document = CoreDocument(text=node.get_content(MetadataMode.NONE), metadata={"mime_type": mime_type})
        chunks = self._chunks(document, front)
        parts = build_nodes_from_splits([chunk.text for chunk in chunks], node, id_func=self.id_func)
        for part, chunk in zip(parts, chunks, strict=True):
            part.start_char_idx, part.end_char_idx = chunk.start, chunk.end
            if self.include_metadata:
                part.metadata = {key: value for key, value in chunk.metadata.items() if key != "mime_type"}
        return parts

    def _chunks(self, document: CoreDocument, front: str) -> list[Chunk]:
        """The chunks of a document, each with room for what stands in front of it."""
        from late_rag.adapters import TokenCounter

        encoder = load_encoder(self.model)
        options = self._chunking().to_json()
        if self.include_metadata and self.kind != "whole":
            most = encoder.document_capacity if self.max_tokens is None else self.max_tokens
            taken = TokenCounter(encoder.tokenizer).count(front) + _LABELS
            options["max_tokens"] = max(LEAST_TOKENS, self.overlap + 1, most - taken)
        return list(load_chunker(options, encoder)(document))

    def _chunking(self) -> ChunkingOptions:
        return ChunkingOptions(
            kind=self.kind,
            max_tokens=self.max_tokens,
            max_characters=self.max_characters,
            overlap=self.overlap,
            headings=self.headings,
        )


def _mime_type(node: BaseNode) -> str | None:
    """The kind of the text, which LlamaIndex's own readers call ``file_type``."""
    for name in ("mime_type", "file_type"):
        if isinstance(found := node.metadata.get(name), str):
            return found
    return node.text_resource.mimetype if isinstance(node, Node) and node.text_resource else None
