"""An encoder without a model: quick, deterministic, and true to the protocol."""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from late_rag.encoders._checks import checked_queries, document_text, shown
from late_rag.encoders._spans import text_start, within
from late_rag.types import TextSpan, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from late_rag.types import Chunk, Document, Region, TokenEmbeddings

T = TypeVar("T")

logger = logging.getLogger(__name__)

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W{_CJK}]{{1,16}}|[^\w\s\0]")


class HashEncoder:
    """Gives every word the unit vector that its hash says, whatever its case and wherever it stands.

    So two texts are as similar as they share words: enough to test what is built on an encoder, in microseconds.
    Each pass has one marker row in front; a chunk with more words than ``document_capacity`` is encoded in several
    passes. Words longer than 16 characters are several tokens, Chinese, Japanese and Korean characters one each.

    Args:
        dim: length of the vectors.
        query_length: tokens of a query, its marker included; a longer one is cut, with a warning.
        document_length: tokens of one pass over a document, its marker included.
        model: what the encoder is called.
    """

    modalities: frozenset[str] = frozenset({"text"})
    contextual: bool = False
    variant = "hash"

    def __init__(self, dim: int = 64, query_length: int = 64, document_length: int = 128, model: str = "hash") -> None:
        self.dim = dim
        self.query_length = query_length
        self.document_length = document_length
        self.model = model
        self.model_id = f"{model}-{dim}-{query_length}-{document_length}"
        self._vector = lru_cache(maxsize=1 << 16)(self._hashed)

    def __reduce__(self) -> tuple[type[HashEncoder], tuple[int, int, int, str]]:
        return type(self), (self.dim, self.query_length, self.document_length, self.model)

    @property
    def document_capacity(self) -> int:
        return self.document_length - 1

    @property
    def tokenizer(self) -> Callable[[str], int]:
        return lambda text: sum(1 for _ in _TOKEN.finditer(text))

    def _hashed(self, token: str) -> TokenEmbeddings:
        random = np.random.default_rng(int(digest(token), 16))
        vector = random.standard_normal(self.dim)
        return (vector / np.linalg.norm(vector)).astype(np.float32)

    def _rows(self, tokens: Sequence[str]) -> TokenEmbeddings:
        if not tokens:
            return np.empty((0, self.dim), np.float32)
        return np.stack([self._vector(token) for token in tokens])

    def encode_queries(self, queries: Sequence[str]) -> list[TokenEmbeddings]:
        return [self._rows(self._query_tokens(query)) for query in checked_queries(queries)]

    def _query_tokens(self, query: str) -> list[str]:
        words = _words(query)
        if len(words) >= self.query_length:
            logger.warning(
                "query %s has %d tokens; the first %d are read", shown(query), len(words), self.query_length - 1
            )
        return ["[query]", *words[: self.query_length - 1]]

    def encode_documents(
        self,
        chunks: Iterable[Chunk],
        documents: Mapping[str, Document] | None = None,  # noqa: ARG002 - of the protocol
    ) -> Iterator[TokenEmbeddings]:
        for chunk in chunks:
            words = _words(document_text(chunk))
            yield self._rows([word or "[document]" for word in self._with_markers(words, "")])

    def _with_markers(self, items: Sequence[T], marker: T) -> list[T]:
        """The items in passes of ``document_capacity``, a marker before each."""
        starts = range(0, len(items), self.document_capacity)
        return list(chain.from_iterable((marker, *items[start : start + self.document_capacity]) for start in starts))

    def token_regions(self, chunk: Chunk) -> list[Region]:
        encoded = document_text(chunk)
        start = text_start(chunk)
        spans = [within(span, start, len(chunk.text)) for span in _spans(encoded)]
        return list(self._with_markers(spans, None))

    def query_regions(self, query: str) -> list[TextSpan | None]:
        (query,) = checked_queries([query])
        return [None, *_spans(query)[: self.query_length - 1]]

    def close(self) -> None:
        """Nothing to let go of."""


def _words(text: str) -> list[str]:
    return [match.group().casefold() for match in _TOKEN.finditer(text)]


def _spans(text: str) -> list[TextSpan]:
    return [TextSpan(*match.span()) for match in _TOKEN.finditer(text)]
