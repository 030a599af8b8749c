"""The contract of an encoder, as a pytest class to subclass."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from late_rag.errors import InputError, UnsupportedError
from late_rag.protocols import Encoder
from late_rag.types import Chunk, Document, ImageBox, Media, TextSpan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from late_rag.types import TokenEmbeddings

TEXTS = (
    "The committee approves travel above five hundred pounds.",
    "wings",
    "A boundary layer is the thin layer of fluid next to a surface, in which viscosity matters; outside it, hardly.",
    "Le comité approuve les voyages. Ο λόγος. Всё ясно. 東京都の天気。 مرحبا بالعالم 🙂🙃",
    "one two three four five six seven eight nine ten " * 6,
)
QUERIES = ("who approves travel?", "what is a boundary layer", "東京の天気", "wings")
ENDING = "zebras xylophone quartz"
READ_AHEAD = 50_000
"""No encoder may read more short chunks than this before it gives the first result."""


def chunk(text: str, identifier: str = "c", **fields: Any) -> Chunk:
    """A chunk of a document of its own."""
    return Chunk(identifier, f"document of {identifier}", text, **fields)


def chunks(texts: tuple[str, ...] = TEXTS) -> list[Chunk]:
    """A chunk for each text."""
    return [chunk(text, f"c{number}") for number, text in enumerate(texts)]


def row_cosine(left: TokenEmbeddings, right: TokenEmbeddings) -> float:
    """The mean over rows of the cosine between the two encodings' rows; they must be as many."""
    assert left.shape == right.shape
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return float(np.mean(np.einsum("ij,ij->i", left, right) / norms)) if len(left) else 1.0


def maxsim(query: TokenEmbeddings, document: TokenEmbeddings) -> float:
    """The definition: for each query row its best document row, added up."""
    return float((query @ document.T).max(axis=1).sum())


def _png(shade: int) -> bytes:
    """A picture of eight by eight points of one shade of grey."""

    def part(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    rows = zlib.compress((b"\0" + bytes([shade] * 8)) * 8)
    header = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", rows) + part(b"IEND", b"")


class EncoderContract:
    """What every encoder must do. Subclass it and give the fixture ``encoder``.

    ``least_cosine`` is the mean row cosine from which two encodings of a text count as the same.
    """

    least_cosine = 0.9999

    def same(self, left: TokenEmbeddings, right: TokenEmbeddings) -> bool:
        """Whether two encodings are of the same text."""
        return row_cosine(left, right) >= self.least_cosine

    @pytest.fixture
    def encoder(self) -> Encoder:
        """The encoder under test."""
        raise NotImplementedError("give your encoder as the fixture 'encoder'")

    def encode(self, encoder: Encoder, *texts: str) -> list[TokenEmbeddings]:
        """The encodings of chunks with these texts."""
        return list(encoder.encode_documents(chunks(texts)))

    def test_has_all_that_the_protocol_names(self, encoder: Encoder) -> None:
        assert isinstance(encoder, Encoder)
        assert encoder.model
        assert "text" in encoder.modalities
        assert 0 < encoder.document_capacity <= encoder.document_length
        assert encoder.query_length > 0

    def test_is_identified_by_texts_that_stay(self, encoder: Encoder) -> None:
        before = encoder.model_id, encoder.variant, encoder.dim
        assert all(before)
        encoder.encode_queries(QUERIES)
        assert (encoder.model_id, encoder.variant, encoder.dim) == before

    @pytest.mark.parametrize("kind", ["queries", "documents"])
    def test_rows_are_contiguous_float32_of_unit_norm(self, encoder: Encoder, kind: str) -> None:
        arrays = encoder.encode_queries(QUERIES) if kind == "queries" else self.encode(encoder, *TEXTS)
        for rows in arrays:
            assert isinstance(rows, np.ndarray)
            assert rows.ndim == 2
            assert rows.shape[1] == encoder.dim
            assert len(rows)
            assert rows.dtype == np.float32
            assert rows.flags.c_contiguous
            np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)

    def test_the_same_text_gives_the_same_rows(self, encoder: Encoder) -> None:
        for first, second in zip(self.encode(encoder, *TEXTS), self.encode(encoder, *TEXTS), strict=True):
            assert self.same(first, second)
        for first, second in zip(encoder.encode_queries(QUERIES), encoder.encode_queries(QUERIES), strict=True):
            assert self.same(first, second)

    def test_a_text_alone_and_among_others(self, encoder: Encoder) -> None:
        for text, among in zip(TEXTS, self.encode(encoder, *TEXTS), strict=True):
            assert self.same(self.encode(encoder, text)[0], among)
        for query, among in zip(QUERIES, encoder.encode_queries(QUERIES), strict=True):
            assert self.same(encoder.encode_queries([query])[0], among)

    def test_results_come_in_the_order_of_the_input(self, encoder: Encoder) -> None:
        several = [TEXTS[number % len(TEXTS)] for number in range(23)]
        alone = dict(zip(TEXTS, self.encode(encoder, *TEXTS), strict=True))
        for text, rows in zip(several, self.encode(encoder, *several), strict=True):
            assert self.same(rows, alone[text])

    def test_a_text_is_nearer_to_a_query_with_its_words(self, encoder: Encoder) -> None:
        travel, layer = encoder.encode_queries(["the committee approves travel", "a boundary layer is a thin layer"])
        committee, _, boundary, *_ = self.encode(encoder, *TEXTS)
        assert maxsim(travel, committee) > maxsim(travel, boundary)
        assert maxsim(layer, boundary) > maxsim(layer, committee)

    def test_nothing_in_nothing_out(self, encoder: Encoder) -> None:
        assert encoder.encode_queries([]) == []
        assert list(encoder.encode_documents([])) == []

    @pytest.mark.parametrize("text", ["", " ", "\n\t ", "\0", " \0 "])
    def test_a_chunk_without_text_has_no_rows(self, encoder: Encoder, text: str) -> None:
        before, empty, after = self.encode(encoder, TEXTS[0], text, TEXTS[1])
        assert empty.shape == (0, encoder.dim)
        assert empty.dtype == np.float32
        assert len(before)
        assert len(after)
        assert encoder.token_regions(chunk(text)) == []

    def test_nul_is_a_space(self, encoder: Encoder) -> None:
        nul, space = self.encode(encoder, "two\0words", "two words")
        assert self.same(nul, space)

    def test_embed_text_is_what_is_encoded(self, encoder: Encoder) -> None:
        plain, headed = encoder.encode_documents(
            [chunk(f"Rules\n{TEXTS[0]}"), chunk("x", embed_text=f"Rules\n{TEXTS[0]}")]
        )
        assert self.same(plain, headed)

    def test_a_document_changes_the_rows_of_a_contextual_encoder_alone(self, encoder: Encoder) -> None:
        """Not their number, and nothing where the document is not given: such rows are used again by content."""
        item = chunk(TEXTS[0], start=0, end=len(TEXTS[0]))

        def inside(text: str) -> TokenEmbeddings:
            documents = {item.document_id: Document(item.document_id, f"{item.text} {text}")}
            return next(encoder.encode_documents([item], documents))

        (alone,) = encoder.encode_documents([item])
        one, other = inside(TEXTS[1]), inside(TEXTS[2])
        assert self.same(next(encoder.encode_documents([item], {})), alone)
        assert one.shape == other.shape == alone.shape
        assert np.array_equal(one, other) != encoder.contextual
        assert encoder.contextual or self.same(one, alone)

    def test_the_input_is_read_as_it_is_needed(self, encoder: Encoder) -> None:
        read = itertools.count()
        stream = encoder.encode_documents(chunk(f"word {number}", str(number)) for number in read)
        assert len(next(iter(stream)))
        assert next(read) < READ_AHEAD
        if hasattr(stream, "close"):
            stream.close()
        assert self.encode(encoder, TEXTS[0])[0].shape[1] == encoder.dim

    def test_an_error_of_the_input_comes_after_the_results_before_it(self, encoder: Encoder) -> None:
        def source() -> Iterator[Chunk]:
            yield from chunks(TEXTS[:3])
            raise OSError("the source broke")

        stream = encoder.encode_documents(source())
        assert all(len(next(stream)) for _ in range(3))
        with pytest.raises(OSError, match="the source broke"):
            next(stream)

    def test_long_texts_are_read_to_the_end(self, encoder: Encoder) -> None:
        long = "the committee met again to talk about the roof " * (encoder.document_length // 3)
        (query,) = encoder.encode_queries([ENDING])
        without, with_ending = self.encode(encoder, long, f"{long}{ENDING}")
        assert maxsim(query, with_ending) > maxsim(query, without)
        assert len(with_ending) >= encoder.document_length

    def test_every_word_of_a_long_text_has_a_region(self, encoder: Encoder) -> None:
        text = " ".join(f"word{number}" for number in range(encoder.document_length))
        covered = np.zeros(len(text), bool)
        for region in self.regions(encoder, chunk(text)):
            if isinstance(region, TextSpan):
                covered[region.start : region.end] = True
        assert all(covered[position] for position, character in enumerate(text) if character != " ")

    def regions(self, encoder: Encoder, item: Chunk) -> list[Any]:
        """The chunk's regions, checked: as many as rows, and spans inside the text."""
        regions = encoder.token_regions(item)
        (rows,) = encoder.encode_documents([item])
        assert len(regions) == len(rows)
        for region in regions:
            if isinstance(region, TextSpan):
                assert 0 <= region.start < region.end <= len(item.text)
        return list(regions)

    @pytest.mark.parametrize("text", TEXTS)
    def test_regions_point_into_the_text(self, encoder: Encoder, text: str) -> None:
        found = "".join(text[region.start : region.end] for region in self.regions(encoder, chunk(text)) if region)
        assert "".join(found.split())

    def test_regions_of_what_stands_before_the_text_are_none(self, encoder: Encoder) -> None:
        headed = chunk("The committee approves travel", embed_text="Travel > Rules\n\nThe committee approves travel")
        words = [headed.text[region.start : region.end] for region in self.regions(encoder, headed) if region]
        plain = self.regions(encoder, chunk("The committee approves travel"))
        assert words == [headed.text[region.start : region.end] for region in plain if region]

    def test_there_are_no_regions_where_the_text_is_not_in_what_is_encoded(self, encoder: Encoder) -> None:
        assert not any(self.regions(encoder, chunk("wings", embed_text="something else")))

    @pytest.mark.parametrize("query", QUERIES)
    def test_query_regions_point_into_the_query(self, encoder: Encoder, query: str) -> None:
        regions = encoder.query_regions(query)
        assert len(regions) == len(encoder.encode_queries([query])[0])
        spans = [region for region in regions if region is not None]
        assert spans
        assert all(0 <= span.start < span.end <= len(query) for span in spans)

    @pytest.mark.parametrize("query", ["", "  ", "\n", "\0", 5, None, b"bytes", "lone \ud800 surrogate"])
    def test_a_query_that_cannot_be_encoded_is_named(self, encoder: Encoder, query: Any) -> None:
        with pytest.raises(InputError, match=r"queries\[1\]"):
            encoder.encode_queries(["fine", query])

    def test_one_text_is_no_list_of_queries(self, encoder: Encoder) -> None:
        with pytest.raises(InputError, match="list"):
            encoder.encode_queries("who approves travel?")

    def test_a_query_that_is_too_long_is_cut_with_a_warning(
        self, encoder: Encoder, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            (rows,) = encoder.encode_queries(["committee " * (2 * encoder.query_length)])
        assert len(rows) <= encoder.query_length
        assert "committee" in caplog.text

    def test_a_chunk_that_cannot_be_encoded_is_named(self, encoder: Encoder) -> None:
        stream = encoder.encode_documents([chunk("fine"), chunk("lone \ud800 surrogate", "broken")])
        assert len(next(stream))
        with pytest.raises(InputError, match="broken"):
            next(stream)

    def test_a_picture_alone_is_refused_by_who_reads_text_alone(self, encoder: Encoder) -> None:
        picture = (Media(b"\x89PNG", "image/png"),)
        assert len(next(encoder.encode_documents([chunk("a text", media=picture)])))
        if "image" not in encoder.modalities:
            with pytest.raises(UnsupportedError, match="picture 7"):
                next(encoder.encode_documents([chunk("", "picture 7", media=picture)]))

    def pictures(self, encoder: Encoder) -> dict[str, Media]:
        """Two pictures, for encoders that read them."""
        if "image" not in encoder.modalities:
            pytest.skip("the encoder reads no pictures")
        return {name: Media(_png(shade), "image/png") for name, shade in (("dark", 10), ("light", 240))}

    def test_pictures_are_told_by_their_content(self, encoder: Encoder, tmp_path: Path) -> None:
        pictures = self.pictures(encoder)
        file = tmp_path / "moved.png"
        file.write_bytes(pictures["dark"].read())
        made = [pictures["dark"], pictures["light"], Media(str(file), "image/png")]
        dark, light, moved = encoder.encode_documents([chunk("", media=(media,)) for media in made])
        assert len(dark)
        assert dark.dtype == np.float32
        assert dark.shape[1] == encoder.dim
        np.testing.assert_allclose(np.linalg.norm(dark, axis=1), 1, atol=1e-3)
        assert self.same(dark, moved)
        assert dark.shape != light.shape or not self.same(dark, light)

    def test_rows_of_pictures_have_regions(self, encoder: Encoder) -> None:
        item = chunk("", media=tuple(self.pictures(encoder).values()))
        (rows,) = encoder.encode_documents([item])
        regions = encoder.token_regions(item)
        assert len(regions) == len(rows)
        boxes = [region for region in regions if isinstance(region, ImageBox)]
        assert boxes
        assert all(0 <= box.left < box.right <= 1 and 0 <= box.top < box.bottom <= 1 for box in boxes)

    def test_texts_are_encoded_beside_pictures(self, encoder: Encoder) -> None:
        picture = self.pictures(encoder)["dark"]
        (query,) = encoder.encode_queries([ENDING])
        with_text, alone = encoder.encode_documents([chunk(ENDING, media=(picture,)), chunk("", media=(picture,))])
        assert maxsim(query, with_text) > maxsim(query, alone)

    def test_many_threads_get_what_one_gets(self, encoder: Encoder) -> None:
        alone = self.encode(encoder, *TEXTS)
        queries = encoder.encode_queries(QUERIES)

        def work(_: int) -> bool:
            documents_agree = all(map(self.same, self.encode(encoder, *TEXTS), alone))
            return documents_agree and all(map(self.same, encoder.encode_queries(QUERIES), queries))

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(16)))

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    def test_works_on_both_sides_of_a_fork(self, encoder: Encoder) -> None:
        before = self.encode(encoder, *TEXTS[:2])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of any fork beside threads
            child = os.fork()
        if not child:
            signal.alarm(60)  # a deadlock ends as a failure
            os._exit(0 if all(map(self.same, self.encode(encoder, *TEXTS[:2]), before)) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert all(map(self.same, self.encode(encoder, *TEXTS[:2]), before))

    def test_close_may_come_twice_and_is_not_the_end(self, encoder: Encoder) -> None:
        before = encoder.encode_queries(QUERIES)
        encoder.close()
        encoder.close()
        assert all(map(self.same, encoder.encode_queries(QUERIES), before))

    def test_work_under_way_outlives_close(self, encoder: Encoder) -> None:
        stream = encoder.encode_documents(chunks())
        first = next(stream)
        encoder.close()
        rest = list(stream)
        assert len(rest) == len(TEXTS) - 1
        assert len(first)
