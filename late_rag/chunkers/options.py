"""What can be set about chunking, and what follows from it for one encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from late_rag.errors import InputError

LEAST_TOKENS = 32
"""A single character can be as many tokens as it has letters when written out: 18, in Arabic."""

CHARACTERS_PER_TOKEN = 8
"""Twice what a token of running text has. It binds where tokens are few but long: an unknown word is one token."""

MOST_CHARACTERS_PER_TOKEN = 64
"""Keeps the memory of splitting in proportion to the capacity, whatever the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkingOptions:
    """How documents are split; recorded in the collection as :meth:`to_json` gives it."""

    kind: str = "auto"
    """"auto" (Markdown sections where the text is Markdown, else recursive), "recursive", "markdown" or "whole"."""

    max_tokens: int | None = None
    """Tokens of a chunk with what stands in front of it; None is all that the encoder takes in one pass."""

    max_characters: int | None = None
    """Characters of a chunk's text; None is eight times its tokens."""

    overlap: int = 0
    """Tokens at the end of a chunk that the next of the same section repeats, at most half of what fits."""

    headings: bool = True
    """Whether the headings above a chunk (else the title), and the header of its table, are encoded in front of it."""

    embed_metadata: tuple[str, ...] = ()
    """Keys of metadata that are encoded in front of the chunk, each as a line ``key: value``."""

    def __post_init__(self) -> None:
        _check_integer("max_tokens", self.max_tokens, LEAST_TOKENS, optional=True)
        _check_integer("max_characters", self.max_characters, LEAST_TOKENS, optional=True)
        _check_integer("overlap", self.overlap, 0)
        if not isinstance(self.headings, bool):
            raise InputError(f"chunking option headings takes true or false, not {self.headings!r}")
        object.__setattr__(self, "embed_metadata", _checked_keys(self.embed_metadata))

    @classmethod
    def from_json(cls, options: Mapping[str, Any]) -> ChunkingOptions:
        """Reads what :meth:`to_json` gives or a user wrote.

        Raises:
            InputError: an unknown option or an impossible value.
        """
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                raise InputError(f"unknown chunking option {name!r}; there are: {', '.join(known)}")
        return cls(**options)

    def to_json(self) -> dict[str, Any]:
        """JSON types only; :meth:`from_json` reads it back."""
        return asdict(self) | {"embed_metadata": list(self.embed_metadata)}


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a chunk may be for one encoder: tokens of the encoded text, characters of the text, overlap."""

    tokens: int
    characters: int
    overlap: int

    @classmethod
    def of(cls, options: ChunkingOptions, capacity: int) -> Limits:
        """What the options come to for an encoder that takes ``capacity`` tokens in one pass.

        Raises:
            InputError: the options ask for more than the encoder takes, or contradict each other.
        """
        tokens = capacity if options.max_tokens is None else options.max_tokens
        if tokens > capacity:
            raise InputError(f"max_tokens is {tokens}, but the encoder takes {capacity} tokens of text in one pass")
        if tokens < LEAST_TOKENS:
            raise InputError(f"the encoder takes {capacity} tokens of text in one pass; chunks need {LEAST_TOKENS}")
        if options.overlap >= tokens:
            raise InputError(f"overlap is {options.overlap} tokens; it must be less than max_tokens, {tokens}")
        characters, most = options.max_characters or CHARACTERS_PER_TOKEN * tokens, MOST_CHARACTERS_PER_TOKEN * tokens
        if characters > most:
            raise InputError(f"max_characters is {characters}; for {tokens} tokens it may be {most} at most")
        return cls(tokens, characters, options.overlap)


def _check_integer(name: str, value: Any, least: int, *, optional: bool = False) -> None:
    if optional and value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(f"chunking option {name} takes a whole number of at least {least}, not {value!r}")


def _checked_keys(keys: Any) -> tuple[str, ...]:
    if isinstance(keys, list | tuple) and all(isinstance(key, str) for key in keys):
        return tuple(keys)
    raise InputError(f"chunking option embed_metadata takes a list of metadata keys, not {keys!r}")
