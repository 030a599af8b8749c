"""Documents to chunks that an encoder takes whole, with exact character spans.

A chunker is made from options and an encoder, of which it uses only the capacity and the tokenizer::

    chunker = load_chunker({"kind": "auto", "overlap": 32}, encoder)
    for chunk in chunker(document):
        assert document.text[chunk.start : chunk.end] == chunk.text
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from late_rag.backends import CHUNKERS, resolve
from late_rag.lazy import lazy_names

if TYPE_CHECKING:
    from late_rag.chunkers.options import ChunkingOptions
    from late_rag.protocols import Chunker, Encoder

__all__ = ["ChunkingOptions", "chunker_class", "load_chunker"]


def load_chunker(options: Mapping[str, Any] | str | None, encoder: Encoder) -> Chunker:
    """The chunker that the options describe, for this encoder.

    Args:
        options: what ``Chunker.options()`` returned or a user wrote (see :class:`ChunkingOptions`); a text is the
            kind alone; None is ``{"kind": "auto"}``.
        encoder: only ``document_capacity`` and ``tokenizer`` are used.

    Raises:
        InputError: an unknown kind or option, or a value that cannot be, such as more tokens than the encoder takes.
    """
    given = {"kind": options} if isinstance(options, str) else dict(options or {})
    return cast("Chunker", chunker_class(given.setdefault("kind", "auto")).from_options(given, encoder))


def chunker_class(kind: str) -> Any:
    """The class of a kind of chunker.

    Raises:
        InputError: there is no such kind; names those that there are.
    """
    return resolve(CHUNKERS, kind, "chunker")


__getattr__, __dir__ = lazy_names(__name__, {"ChunkingOptions": "late_rag.chunkers.options"})
