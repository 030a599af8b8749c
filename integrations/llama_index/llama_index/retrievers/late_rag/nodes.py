"""LlamaIndex's nodes to the core's chunks, and chunks and hits back."""

from __future__ import annotations

import base64
import copy
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llama_index.core.schema import (
    BaseNode,
    Document,
    ImageDocument,
    ImageNode,
    IndexNode,
    MetadataMode,
    Node,
    NodeRelationship,
    NodeWithScore,
    ObjectType,
    RelatedNodeInfo,
    TextNode,
)

from late_rag import Chunk, Media
from late_rag.adapters import (
    HitFields,
    InputError,
    is_unread,
    known,
    noted,
    same,
    without_tuples,
)
from llama_index.retrievers.late_rag.media import media_of

if TYPE_CHECKING:
    from late_rag import Hit
    from late_rag.adapters import Encoder

logger = logging.getLogger(__name__)

EXTRA = "llama_index"
"""The key of a chunk's ``extra`` under which stands what makes it the very node again."""

_KINDS: dict[str, type[BaseNode]] = {
    kind.class_name(): kind for kind in (ImageNode, IndexNode, TextNode, ImageDocument, Document, Node)
}  # the derived before those that they derive from
_FOR_PROGRAMS = ("mime_type",)
"""What the core's loaders say of a file that is of no use to a language model."""

_ELSEWHERE = {"id_": True, "embedding": True, "metadata": True, "text": True, "relationships": True}


def to_chunk(node: BaseNode, document_text: str | None = None, encoder: Callable[[], Encoder] | None = None) -> Chunk:
    """What the core stores of a node: all of it but its embedding; a tuple in the metadata comes back as a list.

    What is encoded is the node's content for embedding, with the metadata that it does not exclude.

    Args:
        node: stays as it is. One of a class of the caller's comes back as the LlamaIndex class it derives from.
        document_text: of the node's document. Only with it can be known whether the node's character indexes are
            places in that text, which the chunk's span promises.
        encoder: gives the model, which is asked for where there is a picture without text: if it does not read that,
            the node keeps it, and nothing is encoded.

    Raises:
        InputError: a node of a kind that LlamaIndex does not have, or with an object that cannot be written down.
    """
    passage, media = candidate(node), dict(media_of(node))
    if encoder is not None and is_unread(passage, encoder):
        passage, media = replace(passage, media=()), {}
    start, end = _span(node, passage.text, document_text)
    metadata = without_tuples(node.metadata)
    return replace(passage, start=start, end=end, metadata=metadata, extra={EXTRA: _rest(node, media)})


def candidate(node: BaseNode) -> Chunk:
    """A node from anywhere as what is encoded of it, to be looked at and not to be stored."""
    text, embedded = node.get_content(MetadataMode.NONE), node.get_content(MetadataMode.EMBED)
    return Chunk(
        id=node.node_id,
        document_id=node.ref_doc_id or node.node_id,
        text=text,
        embed_text=None if embedded == text else embedded,
        media=tuple(media for _, media in media_of(node)),
    )


def from_chunk(chunk: Chunk) -> BaseNode:
    """The node that was stored, with the chunk's text and metadata as they are now.

    A chunk that no LlamaIndex wrote becomes a text node of its document, or an image node where it has a picture; its
    metadata are excluded from what is embedded, as its text alone was.
    """
    return _node(chunk, {})


def from_hit(hit: Hit, fields: HitFields | None = None) -> NodeWithScore:
    """A hit as a node with its similarity.

    Args:
        hit: what a search found.
        fields: which keys of the metadata carry what is known of it; these neither a model nor an embedding sees.
            None is the defaults of :class:`HitFields`.
    """
    node = _node(hit.chunk, known(hit, HitFields() if fields is None else fields))
    return NodeWithScore(node=noted(node, hit), score=hit.similarity)


def _node(chunk: Chunk, more: Mapping[str, Any]) -> BaseNode:
    """A chunk as a node, with ``more`` in its metadata, which is for programs only."""
    stored = (chunk.extra or {}).get(EXTRA)
    if stored is not None:
        try:
            return _made(chunk, _stored(chunk, stored), more)
        except (AttributeError, KeyError, StopIteration, TypeError, ValueError) as error:  # somebody else's collection
            logger.warning("chunk %r: %s in its extra is not as a node is stored: %.200r", chunk.id, EXTRA, error)
    return _made(chunk, _foreign(chunk), more)


def _made(chunk: Chunk, data: dict[str, Any], more: Mapping[str, Any]) -> BaseNode:
    for name in ("excluded_embed_metadata_keys", "excluded_llm_metadata_keys"):
        data[name] = [*data.get(name, ()), *more]
    metadata = {**copy.deepcopy(dict(chunk.metadata)), **more}
    return _KINDS[data.pop("class_name")].from_dict({**data, "id_": chunk.id, "metadata": metadata})


def _stored(chunk: Chunk, stored: Mapping[str, Any]) -> dict[str, Any]:
    """The node's fields but its id and metadata."""
    data = copy.deepcopy(dict(stored))
    if "relationships" in data:
        data["relationships"] = _related(data["relationships"], chunk.metadata)
    contents = iter(chunk.media)
    for name in data.pop("media", ()):
        item = next(contents)
        if isinstance(item.content, bytes):
            encoded = base64.b64encode(item.content)
            if name == "image":
                data[name] = encoded.decode("ascii")
            else:
                data[name]["data"] = encoded
    if not issubclass(_KINDS[data["class_name"]], Node):
        return {**data, "text": chunk.text, **_indexes(chunk)}
    if chunk.text or "text_resource" in data:
        data["text_resource"] = {**data.get("text_resource", {}), "text": chunk.text}
    return data


def _foreign(chunk: Chunk) -> dict[str, Any]:
    """A chunk from elsewhere as fields of a node."""
    source = RelatedNodeInfo(node_id=chunk.document_id, node_type=ObjectType.DOCUMENT)
    data = {
        "text": chunk.text,
        "relationships": {NodeRelationship.SOURCE: source},
        "excluded_embed_metadata_keys": list(chunk.metadata),
        "excluded_llm_metadata_keys": [key for key in _FOR_PROGRAMS if key in chunk.metadata],
        **_indexes(chunk),
    }
    picture = next((item for item in chunk.media if item.mime_type.startswith("image/")), None)
    if picture is None:
        return {"class_name": TextNode.class_name(), **data}
    if isinstance(picture.content, bytes):
        data["image"] = base64.b64encode(picture.content).decode("ascii")
    else:
        data["image_path"] = picture.content
    return {"class_name": ImageNode.class_name(), "image_mimetype": picture.mime_type, **data}


def _indexes(chunk: Chunk) -> dict[str, int | None]:
    return {} if chunk.start is None else {"start_char_idx": chunk.start, "end_char_idx": chunk.end}


def _span(node: BaseNode, text: str, document_text: str | None) -> tuple[int, int] | tuple[None, None]:
    """The node's character indexes where they are places in its document's text."""
    if document_text is None or not isinstance(node, TextNode):
        return None, None
    start, end = node.start_char_idx, node.end_char_idx
    if start is None or end is None or start < 0 or document_text[start:end] != text:
        return None, None
    return start, end


def _rest(node: BaseNode, media: Mapping[str, Media]) -> dict[str, Any]:
    """What a chunk has no field for: the class, relationships, templates, excluded keys; without what is by default."""
    kind = next((kind for kind in _KINDS.values() if kind in type(node).__mro__), None)
    if kind is None:
        raise InputError(f"it is a {type(node).__name__}, and must derive from {', '.join(_KINDS)}")
    try:
        data = node.model_dump(mode="json", exclude_defaults=True, exclude=_excluded(media))
    except ValueError as error:
        raise InputError(
            f"the object of an index node cannot be stored: {error}; store the node without it, and give the retriever "
            "object_map={index_id: object}"
        ) from error
    rest = {name: value for name, value in data.items() if name in kind.model_fields}
    if node.relationships:  # not as JSON: dates in the metadata of a related node stay dates
        related = node.model_dump(include={"relationships"}, exclude_defaults=True)["relationships"]
        rest["relationships"] = _related(without_tuples(related), without_tuples(node.metadata))
    return {**rest, "class_name": kind.class_name(), **({"media": list(media)} if media else {})}


def _related(relationships: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The relationships; of other passages only those metadata that the node has too.

    The others are theirs alone: they may be deleted or changed since, or what a search must not see.
    """

    def shown(info: Mapping[str, Any]) -> dict[str, Any]:
        known = {key: value for key, value in info.get("metadata", {}).items() if key in own and same(own[key], value)}
        return {**info, "metadata": known}

    return {
        kind: info
        if kind == NodeRelationship.SOURCE
        else list(map(shown, info))
        if isinstance(info, list)
        else shown(info)
        for kind, info in relationships.items()
    }


def _excluded(media: Mapping[str, Media]) -> dict[str, Any]:
    found: dict[str, Any] = {**_ELSEWHERE, "text_resource": {"text": True}}
    return {**found, "image": True} if "image" in media else found
