"""Nodes without their document's text, as the core stores them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from llama_index.core.schema import TextNode

from late_rag.adapters import InputError, naming, same
from llama_index.retrievers.late_rag.checks import node_name
from llama_index.retrievers.late_rag.nodes import EXTRA, to_chunk

if TYPE_CHECKING:
    from llama_index.core.schema import BaseNode

    from late_rag import Chunk
    from late_rag.adapters import Encoder

_PLACE = ("relationships", "start_char_idx", "end_char_idx")


def to_chunks(nodes: Sequence[BaseNode], encoder: Callable[[], Encoder] | None = None) -> list[Chunk]:
    """What the core stores of nodes that are written together, in order; see :func:`to_chunk`.

    After several parsers the character indexes of a node are places in a part of its document. So a chunk has a span
    only where nodes of one document bear each other out: they follow each other, some overlap, and all that overlap
    have the same text there. What they share then stands in a context once.

    Raises:
        InputError: a node that cannot be stored, or two with one id and different content.
    """
    chunks = named_chunks(nodes, lambda node: to_chunk(node, encoder=encoder))
    families: dict[str, list[int]] = {}
    for place, node in enumerate(nodes):
        if node.ref_doc_id:
            families.setdefault(node.ref_doc_id, []).append(place)
    for places in families.values():
        placed = [placed for place in places if (placed := _placed(chunks[place], nodes[place])) is not None]
        if len(placed) == len(places) and _bear_out(placed):
            for place, chunk in zip(places, placed, strict=True):
                chunks[place] = chunk
    return chunks


def named_chunks(nodes: Iterable[BaseNode], convert: Callable[[BaseNode], Chunk]) -> list[Chunk]:
    """What is stored of each node.

    Raises:
        InputError: one that cannot be stored, or two of a document with one id and different content, of which one
            would be lost; names them by their places.
    """
    chunks: list[Chunk] = []
    met: dict[tuple[str, str], tuple[str, Chunk]] = {}
    for place, node in enumerate(nodes):
        with naming(name := node_name(node, place)):
            chunk = convert(node)
        before, first = met.setdefault((chunk.id, chunk.document_id), (name, chunk))
        if first is not chunk and not _alike(first, chunk):
            raise InputError(
                f"{before} and {name} have the same id and different content; give each an id of its own, or leave "
                "out the one that is old"
            )
        chunks.append(chunk)
    return chunks


def _alike(one: Chunk, other: Chunk) -> bool:
    """Whether nothing is lost where one takes the other's place but where that stands, and what is beside it."""
    texts = (one.text, one.encoded_text, one.media) == (other.text, other.encoded_text, other.media)
    return texts and same(one.metadata, other.metadata) and _rest(one) == _rest(other)


def _rest(chunk: Chunk) -> dict[str, object]:
    return {name: value for name, value in (chunk.extra or {})[EXTRA].items() if name not in _PLACE}


def _placed(chunk: Chunk, node: BaseNode) -> Chunk | None:
    """The chunk where its node says that it stands; None where that says nothing, or what cannot be."""
    if not isinstance(node, TextNode) or node.start_char_idx is None or node.end_char_idx is None:
        return None
    start, end = node.start_char_idx, node.end_char_idx
    return replace(chunk, start=start, end=end) if start >= 0 and end - start == len(chunk.text) else None


def _bear_out(chunks: Sequence[Chunk]) -> bool:
    shared = [_shared(*pair) for pair in pairwise(chunks)]
    return any(shared) and None not in shared


def _shared(first: Chunk, second: Chunk) -> int | None:
    """How many characters of a chunk's text stand in the one before it; None where the two cannot both be right."""
    ahead = (second.start or 0) - (first.start or 0)
    if ahead <= 0:
        return None
    seen = first.text[ahead:]
    count = min(len(seen), len(second.text))
    return count if seen[:count] == second.text[:count] else None
