"""What is a text: no part of a library that speaks UTF-8 takes half of a surrogate pair."""

from __future__ import annotations

from late_rag.errors import InputError


def check_encodable(text: str, name: str) -> None:
    """Raises InputError, which begins with ``name``, for a text with a lone surrogate."""
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        shown = name.encode(errors="replace").decode()
        raise InputError(
            f"{shown} has a lone surrogate (U+{ord(text[error.start]):04X}) at character {error.start}, which is no "
            "text; read it with the right encoding, or replace what cannot be decoded"
        ) from None
