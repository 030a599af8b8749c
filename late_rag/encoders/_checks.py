"""What an encoder refuses, before a model is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from late_rag.errors import InputError, UnsupportedError
from late_rag.texts import check_encodable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from late_rag.types import Chunk

_SHOWN = 60  # characters of a text that an error shows


def checked_queries(queries: Sequence[str]) -> list[str]:
    """The queries, all of them texts that can be encoded.

    Raises:
        InputError: one text instead of a sequence of them; a query that is no text, empty, only white space, or has
            lone surrogates.
    """
    if isinstance(queries, str):
        raise InputError(f"queries is one text, {shown(queries)}; give a list of texts")
    return [_checked_query(query, f"queries[{position}]") for position, query in enumerate(queries)]


def _checked_query(query: object, name: str) -> str:
    if not isinstance(query, str):
        raise InputError(f"{name} is {query!r}, a {type(query).__name__}; a query is a text")
    if not query.replace("\0", " ").strip():
        raise InputError(f"{name} is {shown(query)}: a query needs at least one word")
    check_encodable(query, name)
    return query


def document_text(chunk: Chunk) -> str:
    """The chunk's text to encode.

    Raises:
        InputError: it is no text, or has lone surrogates.
        UnsupportedError: the chunk has no text but a picture.
    """
    text: object = chunk.encoded_text
    if not isinstance(text, str):
        raise InputError(f"the text of chunk {chunk.id!r} is {text!r}, a {type(text).__name__}")
    if chunk.media and not text.replace("\0", " ").strip():
        kinds = ", ".join(sorted({media.mime_type for media in chunk.media}))
        raise UnsupportedError(
            f"chunk {chunk.id!r} has no text, only {kinds}, and this encoder reads text alone; "
            "give the chunk a text, or leave it out"
        )
    check_encodable(text, f"the text of chunk {chunk.id!r}")
    return text


def shown(text: str) -> str:
    """The text as an error or a warning shows it: quoted, and cut where it is long."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
