"""What flows through the library: files, documents, chunks, token embeddings, hits.

Everything here is plain data. The frozen types are values: whoever wants another one makes it with
:func:`dataclasses.replace`; mappings that were passed in are never written to.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from late_rag.errors import LoadError
from late_rag.file_hash import hash_of_file

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    TokenEmbeddings: TypeAlias = npt.NDArray[np.float32]
    """``(tokens, dim) float32``, rows of unit norm unless pooled. No rows is legal and scores −inf: never a hit."""
else:
    TokenEmbeddings: TypeAlias = "numpy.ndarray"  # noqa: F821 - types alone must not load numpy

Metadata: TypeAlias = Mapping[str, Any]
"""Values are str, bool, int (64 bits), float, None, date, datetime, and lists and dicts of these; returned as given."""

OnConflict: TypeAlias = Literal["replace", "skip", "fail"]

Mode: TypeAlias = Literal["write", "read"]
"""How a collection is opened."""


def digest(*parts: str | bytes) -> str:
    """A 128-bit hexadecimal hash of the parts and of where each ends."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


@dataclass(frozen=True, slots=True)
class Media:
    """A picture, page image, sound or film that belongs to a document or chunk; read only when asked for.

    ``content`` is the bytes themselves, or the path where they are read from, which is no part of what they are: they
    are known by their content (:attr:`key`). ``page`` counts from 1 and picks a page of a paged file (PDF).
    ``hash`` is that of the file's bytes: as given, or as the file is when it is first needed, and kept from then on
    (also in a collection). It is "" where there is no such file to read, or where nobody recorded it.
    """

    content: str | bytes
    mime_type: str
    page: int | None = None
    hash: str | None = field(default=None, compare=False)

    @property
    def key(self) -> str:
        """Identifies the content: a hash of the bytes, and the page; the path where the file cannot be read."""
        content = digest(self.content) if isinstance(self.content, bytes) else self._file_hash() or self.content
        return f"{self.mime_type}:{content}#{self.page or ''}"

    def _file_hash(self) -> str:
        if self.hash is None:
            object.__setattr__(self, "hash", hash_of_file(str(self.content)))
        return self.hash or ""

    def read(self) -> bytes:
        """The bytes of the whole file, not of one page.

        Raises:
            LoadError: the file is gone, cannot be read, or is no file (a device, a pipe).
        """
        if isinstance(self.content, bytes):
            return self.content
        try:
            if not Path(self.content).is_file():
                raise LoadError(f"{self.content}: there is no such file")
            return Path(self.content).read_bytes()
        except (OSError, ValueError) as error:  # a path with NUL is a ValueError
            raise LoadError(f"{self.content}: {getattr(error, 'strerror', None) or error}") from error

    def to_json(self) -> dict[str, Any]:
        """JSON types only: a path as it is with its hash, bytes in base64; :meth:`from_json` reads it back."""
        if isinstance(self.content, bytes):
            content = {"base64": base64.b64encode(self.content).decode("ascii")}
        else:
            known = self._file_hash()
            content = {"path": self.content, **({"hash": known} if known else {})}
        return {**content, "mime_type": self.mime_type, "page": self.page}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Media:
        """What :meth:`to_json` gave."""
        if "path" in data:
            return cls(data["path"], data["mime_type"], data["page"], data.get("hash", ""))
        return cls(base64.b64decode(data["base64"]), data["mime_type"], data["page"])


@dataclass(frozen=True, slots=True)
class Mark:
    """What is known of the characters ``start`` to ``end`` of a document's text, such as the time they are spoken.

    A chunk takes it into its metadata: of the marks that it covers the values of the first, but ``end`` of the last,
    as is right for a span of time.
    """

    start: int
    end: int
    metadata: Metadata


@dataclass(frozen=True)
class Document:
    """A text and what is known about it.

    An ``id`` left empty becomes a hash of the content, so that the same content has the same id.
    ``extra`` is a framework's private payload: stored and returned, never searched. ``marks`` are for the chunker, in
    order and without overlap; they are not stored.
    """

    id: str = ""
    text: str = ""
    metadata: Metadata = field(default_factory=dict)
    media: tuple[Media, ...] = ()
    extra: Mapping[str, Any] | None = None
    marks: tuple[Mark, ...] = field(default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.id:
            object.__setattr__(self, "id", self.content_hash)

    @cached_property
    def content_hash(self) -> str:
        """Hash of the text and media, which decide what is encoded."""
        return digest(self.text, *(media.key for media in self.media))


@dataclass(frozen=True)
class Chunk:
    """A passage of a document: what is encoded, stored and found.

    Where ``start`` and ``end`` are given, ``document.text[start:end] == chunk.text``. ``embed_text`` is what is
    encoded where it differs from ``text`` (a heading in front, a framework's template).
    """

    id: str
    document_id: str
    text: str
    embed_text: str | None = None
    start: int | None = None
    end: int | None = None
    metadata: Metadata = field(default_factory=dict)
    media: tuple[Media, ...] = ()
    extra: Mapping[str, Any] | None = None

    @property
    def encoded_text(self) -> str:
        """The text that is encoded: ``embed_text`` where there is one, else ``text``."""
        return self.text if self.embed_text is None else self.embed_text

    @cached_property
    def content_hash(self) -> str:
        """Hash of what is encoded; while it stays the same, nothing is encoded again."""
        return digest(self.encoded_text, *(media.key for media in self.media))


@dataclass(frozen=True)
class Source:
    """A file that was loaded: where it is and which state of it is meant.

    ``root`` is a label (a resolved folder, or the name given by ``as_``), ``path`` is relative to it with ``/``
    between its parts. Root and path together identify the source; ``hash`` is that of the file's bytes, ``mtime``
    in seconds.
    """

    root: str
    path: str
    hash: str
    size: int
    mtime: float

    @property
    def location(self) -> str:
        """Root and path in one string: what a hit calls its source and the filter field ``$source`` compares."""
        return f"{self.root.rstrip('/')}/{self.path}"


@dataclass(frozen=True, slots=True)
class Omission:
    """Something of a file that none of its documents has: a page, a record, a sheet, the headers.

    ``what`` says what and why, without the file's name. ``lost`` is whether it should have been read: what is left out
    on purpose, and could be asked for, is not lost.
    """

    what: str
    lost: bool = True


@dataclass(frozen=True)
class SourceFile(Source):
    """A source and its documents, which are parsed when they are iterated.

    ``records`` says that each document is one record of the file (CSV, JSON, JSONL) and may be replaced alone.
    A file that cannot be read has no documents and an ``error``; what breaks while parsing sets ``error`` and ends
    the iteration (with ``strict``, raises), so look at ``error`` after the last document. ``omissions`` are what the
    documents that were iterated last do not have.
    """

    documents: Iterable[Document] = ()
    records: bool = False
    problem: list[LoadError] = field(default_factory=list, repr=False, compare=False)
    omissions: list[Omission] = field(default_factory=list, repr=False, compare=False)

    @property
    def error(self) -> LoadError | None:
        """What is wrong with the file, as far as it is known yet."""
        return self.problem[0] if self.problem else None

    @property
    def source(self) -> Source:
        """The identity and state alone, without the documents."""
        return Source(self.root, self.path, self.hash, self.size, self.mtime)


@dataclass(frozen=True)
class Search:
    """One search by MaxSim: what was asked, of which collection, and by which model what was scored."""

    key: str
    """No other search has it."""

    query: str
    collection: str
    """The location."""

    model_id: str
    variant: str
    pooled: bool


@dataclass(frozen=True)
class Found:
    """By which search a hit was found, its place in the result, from 0, and the text that was compared."""

    search: Search
    place: int
    encoded: str


@dataclass(frozen=True)
class Hit:
    """A chunk that was found.

    ``score`` is the MaxSim sum, which grows with the query's length. ``similarity`` is its mean over the query's
    tokens, clipped to [0, 1]; thresholds apply to it. Neither compares across models. ``source`` is the location
    of the file it came from, ``fused`` the hybrid's order, ``context`` the parent or neighbours where asked.
    A full-text hit's ``score`` is BM25 and its ``similarity`` NaN. ``found`` tells a reranker what was compared
    already, and is no part of what a hit is equal to.
    """

    chunk: Chunk
    score: float
    similarity: float
    source: str | None = None
    fused: float | None = None
    context: str | None = None
    found: Found | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TextSpan:
    """Characters ``start`` to ``end`` of a text."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ImageBox:
    """A rectangle of an image, as fractions of its width and height from the top left corner."""

    left: float
    top: float
    right: float
    bottom: float


Region: TypeAlias = "TextSpan | ImageBox | None"


@dataclass(frozen=True)
class TokenMatch:
    """For one query token, the document token it matched best: one term of the MaxSim sum.

    ``query_span`` points into the query, ``region`` into the chunk's ``text`` (or image); None where the token is
    not of it (a marker, a prefix, a heading in front). ``similarity`` is their dot product.
    """

    query_token: str
    query_span: TextSpan | None
    token: str
    region: Region
    similarity: float


@dataclass(frozen=True, slots=True)
class FieldValue:
    """One of the distinct values of a field as it was stored, and how many chunks have it.

    A value is a text, number, bool, date or datetime; a list counts for each of its elements. Nulls are left out, and
    so are dicts (what is in one has a name of its own) and lists in lists. Values are the same where they are equal
    and of one type: 1, 1.0, True and "1" are four, and so are a date, its first moment, that moment with an offset,
    and a text that says it. Of equal numbers in one list the first counts.

    In order are bools, numbers (an int before the float that equals it, NaN last), texts by code point, dates and
    datetimes by the clock on the wall.
    """

    value: Any
    chunks: int


@dataclass(frozen=True, slots=True)
class AddResult:
    """How many chunks a write added, replaced and left as they were."""

    added: int = 0
    replaced: int = 0
    skipped: int = 0

    def __add__(self, other: AddResult) -> AddResult:
        return AddResult(self.added + other.added, self.replaced + other.replaced, self.skipped + other.skipped)


@dataclass(frozen=True)
class Progress:
    """How far long work is: ``done`` of ``total`` (None where unknown) ``unit``, and what is being worked on."""

    stage: str
    done: int
    total: int | None
    unit: str
    current: str | None = None


Report: TypeAlias = Callable[[Progress], object]
"""Called about twenty times a second while work goes on; whatever it raises (by convention
:class:`~late_rag.errors.CancelledError`) stops the work cleanly: what was committed stays."""


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no white space: the same value gives the same text."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of ``size`` items in order, the last one perhaps shorter."""
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
