"""Texts to the sequences a model takes, and back to spans: markers, windows, skipped rows. Arithmetic, no model."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from late_rag.errors import ModelError
from late_rag.invisible import INVISIBLE, LIGATURES
from late_rag.types import TextSpan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tokenizers import Tokenizer

    from late_rag.encoders.checkpoint import CheckpointConfig
    from late_rag.encoders.checkpoint.config import Side

Ids: TypeAlias = npt.NDArray[np.int64]
Rows: TypeAlias = npt.NDArray[np.intp]

PIECE_CHARACTERS = 1 << 16
"""Longer texts are tokenised in pieces of at most this many characters, cut at white space."""

_SIDES: tuple[Side, ...] = ("query", "document")

MARKER = -1
"""Stands for the text's token where a row is of a marker."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One run of the model over one sequence of tokens.

    ``ids`` and ``mask`` are ``(sequence,)``; ``mask`` is 0 where a token is not attended to. ``rows`` are the
    positions in the sequence whose embeddings are kept; ``tokens`` says for each of them which of the text's tokens
    it stands for, :data:`MARKER` for none.
    """

    ids: Ids
    mask: Ids
    rows: Rows
    tokens: Rows


def load_tokenizer(folder: Path) -> Tokenizer:
    """The checkpoint's tokenizer, without truncation and padding, reading words as they are meant.

    Raises:
        ModelError: there is no ``tokenizer.json`` or it cannot be read.
    """
    from tokenizers import Tokenizer

    file = folder / "tokenizer.json"
    if not file.is_file():
        raise ModelError(f"{folder} has no tokenizer.json; export the checkpoint with its fast tokenizer")
    try:
        tokenizer: Tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:
        raise ModelError(f"{file} cannot be read as a tokenizer: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    _read_words_as_meant(tokenizer)
    return tokenizer


def _read_words_as_meant(tokenizer: Tokenizer) -> None:
    """Ligatures as letters, invisible characters not at all; the tokens' offsets are those of the text as it is."""
    from tokenizers import Regex, normalizers

    steps = [normalizers.Replace(letter, letters) for letter, letters in LIGATURES.items()]
    steps.append(normalizers.Replace(Regex(f"[{INVISIBLE}]"), ""))
    own = tokenizer.normalizer
    tokenizer.normalizer = normalizers.Sequence(steps if own is None else [*steps, own])


class Sequences:
    """The sequences that a checkpoint takes for queries and documents.

    They are PyLate's: a text is stripped, its tokens stand between the tokenizer's special tokens, and the prefix
    is the second token of the sequence.
    """

    def __init__(self, tokenizer: Tokenizer, config: CheckpointConfig) -> None:
        self.tokenizer = tokenizer
        self._config = config
        self._lead, self._tail = _special_tokens(tokenizer)
        self._query_prefix, self._query_glue = self._put_in_front("query")
        self._document_prefix, self._document_glue = self._put_in_front("document")
        self._skipped = {side: self._skip_table(side) for side in _SIDES}
        self._mask_token = 0 if config.expansion is None else self._find_mask_token(config.expansion.token)
        self.query_capacity = self._capacity("query_length", self._query_prefix)
        self.document_capacity = self._capacity("document_length", self._document_prefix)

    def _put_in_front(self, kind: Side) -> tuple[Ids, str]:
        """The tokens between the first marker and the text, and the white space that the text then begins with."""
        prompt: str = getattr(self._config, f"{kind}_prompt")
        if not prompt:
            return self._prefix(kind), ""
        whole = self.tokenizer.token_to_id(prompt)
        if whole is not None:
            return np.array([whole], np.int64), ""
        words = prompt.rstrip()
        with _as_model_errors():
            tokens = self.tokenizer.encode(words, add_special_tokens=False).ids
        return np.array(tokens, np.int64), prompt[len(words) :]

    def _prefix(self, kind: Side) -> Ids:
        prefix, token = getattr(self._config, f"{kind}_prefix"), getattr(self._config, f"{kind}_prefix_id")
        if not prefix:
            return np.empty(0, np.int64)
        if token is None:
            token = self.tokenizer.token_to_id(prefix)
        if token is None:
            raise ModelError(
                f"{kind}_prefix {prefix!r} is no token of the tokenizer; give {kind}_prefix_id in the config"
            )
        return np.array([token], np.int64)

    def _skip_table(self, side: Side) -> npt.NDArray[np.bool_]:
        """For each token whether its rows are left out on this side."""
        size = self.tokenizer.get_vocab_size(with_added_tokens=True)
        largest = max((int(token) for token in (*self._query_prefix, *self._document_prefix)), default=0)
        table = np.zeros(max(size, largest + 1) + 1, bool)  # the last stands for tokens beyond the vocabulary
        kept = self._config.keep_only_token_ids if side == "document" else None
        if kept is not None:
            table[:] = True
            table[[token for token in kept if token < len(table) - 1]] = False
        for word in self._config.skiplist_words if side in self._config.skiplist_sides else ():
            token = self.tokenizer.token_to_id(word)
            if token is not None and token < len(table) - 1:
                table[token] = True
        return table

    def _find_mask_token(self, name: str | None) -> int:
        if name is not None:
            named = self.tokenizer.token_to_id(name)
            if named is None:
                raise ModelError(f"the expansion's token {name!r} is no token of the tokenizer")
            return int(named)
        candidates = (self._config.mask_token_id, *map(self.tokenizer.token_to_id, ("[MASK]", "<mask>")))
        token = next((token for token in candidates if token is not None), None)
        if token is None:
            raise ModelError("do_query_expansion needs a mask token; give mask_token_id in the config")
        return token

    def _capacity(self, name: str, prefix: Ids) -> int:
        length: int = getattr(self._config, name)
        markers = len(self._lead) + len(self._tail) + len(prefix)
        if length <= markers:
            raise ModelError(f"{name} is {length}, which leaves no room for text beside {markers} markers")
        return length - markers

    def tokenize(self, texts: Sequence[str], side: Side = "document") -> list[Ids]:
        """The tokens of each text, ``(tokens,) int64``, without markers."""
        pieces = [[part for part, _ in _pieces(self._prepared(text, side)[0])] for text in texts]
        flat = [part for parts in pieces for part in parts]
        with _as_model_errors():
            encodings = iter(self.tokenizer.encode_batch_fast(flat, add_special_tokens=False))
        return [_joined([np.array(next(encodings).ids, np.int64) for _ in parts]) for parts in pieces]

    def located(self, text: str, side: Side = "document") -> tuple[Ids, list[TextSpan | None]]:
        """The tokens of the text and for each the characters it stands for; None where there are none."""
        prepared, shift = self._prepared(text, side)
        least = max(shift, 0)
        ids: list[int] = []
        spans: list[TextSpan | None] = []
        for part, start in _pieces(prepared):
            with _as_model_errors():
                encoding = self.tokenizer.encode(part, add_special_tokens=False)
            first = shift + start
            ids += encoding.ids
            edges = ((max(first + a, least), first + b) for a, b in encoding.offsets)
            spans += [TextSpan(a, b) if a < b else None for a, b in edges]
        return np.array(ids, np.int64), spans

    def _prepared(self, text: str, side: Side) -> tuple[str, int]:
        """The text as the tokenizer takes it, and how many characters were left out less added."""
        spaced = text.replace("\0", " ")
        shift = len(spaced) - len(spaced.lstrip())
        stripped = spaced.strip()
        glue = self._query_glue if side == "query" else self._document_glue
        if glue and stripped:
            stripped, shift = glue + stripped, shift - len(glue)
        return (_lowered(stripped) if self._config.do_lower_case else stripped), shift

    def query_pass(self, ids: Ids) -> Pass:
        """The one pass over a query's tokens; those that are too many are cut off."""
        sequence, tokens = self._assembled(ids[: self.query_capacity], 0, self._query_prefix)
        mask = np.ones_like(sequence)
        expansion = self._config.expansion
        missing = 0 if expansion is None else expansion.length - len(sequence)
        if expansion is not None and missing > 0:
            sequence = np.append(sequence, np.full(missing, self._mask_token, np.int64))
            mask = np.append(mask, np.full(missing, int(expansion.attend), np.int64))
            tokens = np.append(tokens, np.full(missing, MARKER, np.intp))
        rows = np.flatnonzero(~self._skipped["query"].take(sequence, mode="clip"))
        return Pass(sequence, mask, rows, tokens[rows])

    def document_passes(self, ids: Ids) -> list[Pass]:
        """The passes over a document's tokens: one, several where they are too many, none where there are none.

        Windows overlap by at least an eighth. A token that is in two windows keeps the row of the one in which it
        stands further from the edge; the markers of every window are kept.
        """
        if not len(ids):
            return []
        windows = _windows(len(ids), self.document_capacity)
        edges = [0, *((b.start + a.stop) // 2 for a, b in pairwise(windows)), len(ids)]
        owned = (range(start, stop) for start, stop in pairwise(edges))
        return [self._document_pass(ids, window, own) for window, own in zip(windows, owned, strict=True)]

    def _document_pass(self, ids: Ids, window: range, own: range) -> Pass:
        part = ids[window.start : window.stop]
        sequence, tokens = self._assembled(part, window.start, self._document_prefix)
        kept = ~self._skipped["document"].take(sequence, mode="clip")
        if len(own) < len(window):
            kept &= (tokens == MARKER) | ((tokens >= own.start) & (tokens < own.stop))
        rows = np.flatnonzero(kept)
        return Pass(sequence, np.ones_like(sequence), rows, tokens[rows])

    def _assembled(self, ids: Ids, first: int, prefix: Ids) -> tuple[Ids, Rows]:
        sequence = np.concatenate((self._lead, ids, self._tail))
        tokens = np.full(len(sequence), MARKER, np.intp)
        tokens[len(self._lead) : len(self._lead) + len(ids)] = np.arange(first, first + len(ids))
        if not len(prefix):
            return sequence, tokens
        added = np.full(len(prefix), MARKER, np.intp)
        return np.concatenate((sequence[:1], prefix, sequence[1:])), np.concatenate((tokens[:1], added, tokens[1:]))


def _windows(count: int, capacity: int) -> list[range]:
    """The fewest windows of ``capacity`` over ``count`` tokens that overlap by at least an eighth, evenly spread."""
    if count <= capacity:
        return [range(count)]
    overlap = capacity // 8
    gaps = -(-(count - capacity) // (capacity - overlap))
    starts = (gap * (count - capacity) // gaps for gap in range(gaps + 1))
    return [range(start, start + capacity) for start in starts]


def _pieces(text: str) -> Iterator[tuple[str, int]]:
    """Parts of the text with the position of each, cut before white space where there is any."""
    start = 0
    while start < len(text):
        stop = start + PIECE_CHARACTERS
        if stop < len(text):
            cut = max(text.rfind(" ", start + 1, stop), text.rfind("\n", start + 1, stop))
            stop = cut if cut > start else stop
        yield text[start:stop], start
        start = stop


def _joined(parts: list[Ids]) -> Ids:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _lowered(text: str) -> str:
    """The text in lower case, of the same length, so that spans stay true."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


@contextmanager
def _as_model_errors() -> Iterator[None]:
    """What a tokenizer raises about itself, for which its library has no class."""
    try:
        yield
    except Exception as error:
        raise ModelError(f"the model's tokenizer cannot read a text: {error}") from error


def _special_tokens(tokenizer: Tokenizer) -> tuple[Ids, Ids]:
    """The tokens that the tokenizer puts before and after a text."""
    with _as_model_errors():
        bare, full = (tokenizer.encode("a", add_special_tokens=add).ids for add in (False, True))
    for start in range(len(full) - len(bare) + 1):
        if bare and full[start : start + len(bare)] == bare:
            return np.array(full[:start], np.int64), np.array(full[start + len(bare) :], np.int64)
    raise ModelError("the tokenizer gives no token for the text 'a', or another one beside its special tokens")
