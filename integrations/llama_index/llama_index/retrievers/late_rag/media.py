"""Pictures, sounds and films of LlamaIndex's nodes as the core's media."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from llama_index.core.schema import BaseNode, ImageNode, MediaResource, Node

from late_rag import Media

_RESOURCES = ("image_resource", "audio_resource", "video_resource")


def media_of(node: BaseNode) -> Iterator[tuple[str, Media]]:
    """Pictures, sounds and films that the node has as data or a path, by the field that they stand in."""
    if isinstance(node, ImageNode):
        yield from _image(node)
    elif isinstance(node, Node):
        for name in _RESOURCES:
            resource: MediaResource | None = getattr(node, name)
            if resource is not None and (media := _resource(resource, name)) is not None:
                yield name, media


def _image(node: ImageNode) -> Iterator[tuple[str, Media]]:
    data = None if node.image is None else node.image.encode()
    resource = MediaResource(data=data, mimetype=node.image_mimetype)
    if resource.data == data and (media := _resource(resource, "image")) is not None:
        yield "image", media  # an image that is no base64 stays in the rest
    elif node.image_path is not None and data is None:
        yield "image_path", Media(node.image_path, node.image_mimetype or "image/*")


def _resource(resource: MediaResource, name: str) -> Media | None:
    mime_type = resource.mimetype or f"{name.partition('_')[0]}/*"
    if resource.data is not None:
        return Media(base64.b64decode(resource.data), mime_type)
    return None if resource.path is None else Media(str(resource.path), mime_type)
