"""Whatever is in a collection is in its copy and in what its export is imported to: all of it, in the same order."""

from __future__ import annotations

import base64
import io
import json
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from late_rag.collections import create_collection, open_collection
from late_rag.errors import CancelledError, CollectionError, CollectionExistsError, InputError, ModelMismatchError
from late_rag.filters.selection import Selection
from late_rag.protocols import Collection, CollectionSettings
from late_rag.transfer import copy_collection, export_jsonl, import_jsonl
from late_rag.transfer.rows import rows_from_json, rows_to_json
from late_rag.types import Chunk, Document, Media, Progress, Source

DIM = 4
SETTINGS = CollectionSettings(model="minilm", model_id="test/1", dim=DIM, variant="test", language="none")

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
moments = st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | texts
    | st.dates()
    | moments,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
metadata = st.dictionaries(texts | st.sampled_from(["$date", "$source", "year"]), values, max_size=3)
media = st.lists(
    st.builds(Media, texts | st.binary(max_size=9), st.just("image/png"), st.none() | st.just(2)), max_size=2
)
extra = st.none() | metadata


@st.composite
def documents_with_chunks(draw: st.DrawFn, number: int) -> tuple[Document, list[Chunk], list[np.ndarray]]:
    text = draw(texts)
    document = Document(f"d{number}", text, draw(metadata), tuple(draw(media)), draw(extra))
    chunks = [
        Chunk(
            f"d{number}#{place}",
            document.id,
            draw(texts),
            draw(st.none() | texts),
            *draw(st.sampled_from([(None, None), (0, len(text))])),
            draw(metadata),
            tuple(draw(media)),
            draw(extra),
        )
        for place in range(draw(st.integers(0, 3)))
    ]
    return document, chunks, [draw(rows()) for _ in chunks]


@st.composite
def rows(draw: st.DrawFn) -> np.ndarray:
    generator = np.random.default_rng(draw(st.integers(0, 5)))  # few seeds, so that chunks tie
    return generator.standard_normal((draw(st.integers(0, 3)), DIM)).astype(np.float32)


def fill(collection: Collection, data: st.DataObject) -> None:
    """A few writes of every kind."""
    for number in range(data.draw(st.integers(0, 5))):
        document, chunks, embeddings = data.draw(documents_with_chunks(number))
        source = Source("/root", f"file{number % 2}", f"hash{number}", 10, 0.1 * number)
        match data.draw(st.sampled_from(["add", "replace", "records", "chunks"])):
            case "add":
                collection.add(chunks, embeddings, [document])
            case "chunks":
                collection.add(chunks, embeddings)
            case "replace":
                collection.replace(source, [document], chunks, embeddings)
            case "records":
                collection.put_records(source, [document], chunks, embeddings)
                collection.finish_records(source, [document.id])
    if data.draw(st.booleans()):
        collection.delete(Selection(ids=("d0#0", "d1#1")))


def contents(collection: Collection) -> dict[str, Any]:
    """All that can be read of a collection."""
    chunks = [pair for batch in collection.iterate(with_embeddings=True) for pair in batch]
    documents = [pair for batch in collection.iterate_documents() for pair in batch]
    query = np.random.default_rng(7).standard_normal((2, DIM)).astype(np.float32)
    return {
        "settings": collection.settings,
        "sources": collection.sources(),
        "documents": {document.id: (document, source) for document, source in documents},
        "chunks": [chunk for chunk, _ in chunks],
        "embeddings": [(embeddings.shape, embeddings.tobytes()) for _, embeddings in chunks],
        "fields": collection.fields(),
        "hits": collection.search([query], 99),
        "sources of chunks": {hit.chunk.id: hit.source for hit in collection.search([query], 99)[0]},
    }


def exported(collection: Collection, *, embeddings: bool = True) -> list[str]:
    lines: list[str] = []
    export_jsonl(collection, lines.append, embeddings=embeddings)
    return lines


def stream(lines: list[str]) -> io.BytesIO:
    return io.BytesIO("".join(lines).encode("utf-8"))


@pytest.mark.parametrize("storage", ["int8", "float16"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_copy_and_import_give_the_same_collection(storage: Any, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        original = create_collection(f"{folder}/original", replace(SETTINGS, storage=storage))
        fill(original, data)
        expected = contents(original)
        copy_collection(original, f"{folder}/copy")
        import_jsonl(stream(exported(original)), f"{folder}/import")
        original.close()
        for name in ("copy", "import"):
            collection = open_collection(f"{folder}/{name}", "read")
            assert contents(collection) == expected
            assert collection.verify().ok
            collection.close()


@settings(deadline=None)
@given(rows())
def test_rows_come_back_to_the_bit(drawn: np.ndarray) -> None:
    halves = drawn.astype(np.float16).astype(np.float32)
    quarter = (np.round(drawn * 20) * np.float32(0.25)).astype(np.float32)
    for original in (drawn, halves, quarter):
        data = json.loads(json.dumps(rows_to_json(original)))
        back = rows_from_json(data, DIM)
        assert back.dtype == np.float32
        assert back.tobytes() == original.tobytes() or np.array_equal(back, original)  # −0 may become 0


@pytest.fixture
def original(tmp_path: Path) -> Iterator[Collection]:
    """Two sources of two documents each, and a document of its own; two chunks a document."""
    collection = create_collection(tmp_path / "original", SETTINGS)
    generator = np.random.default_rng(1)
    for number in range(5):
        document = Document(f"d{number}", f"text {number}", {"year": 2000 + number, "day": date(2020, 1, 31)})
        chunks = [Chunk(f"d{number}#{place}", document.id, f"passage {place}") for place in range(2)]
        embeddings = [generator.standard_normal((3, DIM)).astype(np.float32) for _ in chunks]
        if number == 4:
            collection.add(chunks, embeddings, [document])
        else:
            source = Source("/root", f"file{number % 2}.csv", f"hash{number % 2}", 10, 1.5)
            collection.put_records(source, [document], chunks, embeddings)
            collection.finish_records(source, [f"d{other}" for other in range(number % 2, number + 1, 2)])
    yield collection
    collection.close()


def test_lines_are_tagged_and_each_document_stands_before_its_chunks(original: Collection) -> None:
    lines = [json.loads(line) for line in exported(original)]
    kinds = [line["kind"] for line in lines]
    assert kinds == ["settings", "source", "source", *["document", "chunk", "chunk"] * 5]
    chunk = lines[4]
    assert chunk["id"] == "d0#0"
    assert chunk["document_id"] == "d0"
    assert set(chunk) == {
        *("kind", "id", "document_id", "text", "embed_text", "start", "end"),
        *("metadata", "media", "extra", "embeddings"),
    }
    assert lines[3]["metadata"] == {"year": 2000, "day": {"$date": "2020-01-31"}}
    assert "embeddings" not in json.loads(exported(original, embeddings=False)[4])


def test_embeddings_can_be_read_without_late_rag(original: Collection) -> None:
    chunk = json.loads(exported(original)[4])
    values = np.frombuffer(base64.b64decode(chunk["embeddings"]["base64"]), np.int8)
    read = values.reshape(chunk["embeddings"]["shape"]) * np.float32(chunk["embeddings"]["scale"])
    np.testing.assert_array_equal(read, original.embeddings(["d0#0"])["d0#0"])


def broken(lines: list[str], change: str) -> tuple[list[str], str]:
    """Lines with something wrong, and a part of what must be said about it."""

    def changed(number: int, **fields: object) -> list[str]:
        line = json.dumps(json.loads(lines[number]) | fields)
        return [*lines[:number], line + "\n", *lines[number + 1 :]]

    def without(number: int, field: str) -> list[str]:
        data = json.loads(lines[number])
        del data[field]
        return [*lines[:number], json.dumps(data) + "\n", *lines[number + 1 :]]

    embeddings = json.loads(lines[4])["embeddings"]
    cases = {
        "cut in a line": ([*lines[:-1], lines[-1][:40]], "line 18: not JSON"),
        "cut after a line": (lines[:-2], "8 chunks, the settings say 10"),
        "empty": ([], "no line with settings"),
        "no settings": (lines[1:], "line 1: the settings stand in the first line"),
        "settings twice": ([*lines, lines[0]], "line 19: the settings stand in the first line"),
        "another format": (changed(0, format=2), "line 1: format 2"),
        "not an object": ([lines[0], "[]\n"], "line 2: not a JSON object but list"),
        "unknown kind": (changed(1, kind="file"), "line 2: kind is 'file'"),
        "unknown field": (changed(4, texts=""), "line 5: a chunk has no field 'texts'"),
        "missing field": (without(4, "text"), "line 5: field 'text' of a chunk must be str, but is missing"),
        "wrong type": (changed(4, start="0"), "line 5: field 'start' of a chunk must be int or null, but is str"),
        "bool for a number": (changed(4, start=True), "line 5: field 'start'"),
        "lone surrogate": (changed(4, text="\ud800"), "line 5: not JSON in UTF-8"),
        "chunk twice": ([*lines[:5], lines[4], *lines[5:]], "line 6: chunk 'd0#0' comes twice"),
        "document of no source": ([lines[0], *lines[2:]], "line 3: document 'd0' is of source"),
        "another dim": (changed(4, embeddings=embeddings | {"shape": [2, 6]}), "line 5: embeddings have dim 6"),
        "too few values": (changed(4, embeddings=embeddings | {"shape": [9, 4]}), "line 5: embeddings that cannot"),
        "not base64": (changed(4, embeddings=embeddings | {"base64": "§"}), "line 5: embeddings that cannot"),
        "metadata that is none": (changed(3, metadata={"$date": "soon"}), "line 4"),
        "a number beyond 64 bits": (changed(3, metadata={"year": 2**64}), "line 4: year"),
        "broken media": (changed(3, media=[{"path": "a"}]), "line 4: the media have no mime_type"),
    }
    return cases[change]


@pytest.mark.parametrize(
    "change",
    [
        *("cut in a line", "cut after a line", "empty", "no settings", "settings twice", "another format"),
        *("not an object", "unknown kind", "unknown field", "missing field", "wrong type", "bool for a number"),
        *("lone surrogate", "chunk twice", "document of no source", "another dim", "too few values", "not base64"),
        *("metadata that is none", "a number beyond 64 bits", "broken media"),
    ],
)
def test_a_broken_file_is_an_error_that_names_the_line_and_nothing_is_written(
    original: Collection, tmp_path: Path, change: str
) -> None:
    lines, said = broken(exported(original), change)
    with pytest.raises(InputError) as caught:
        import_jsonl(stream(lines), tmp_path / "import", name="export.jsonl")
    assert str(caught.value).startswith("export.jsonl, ")
    assert said in str(caught.value)
    assert not (tmp_path / "import").exists()


def test_bytes_that_are_no_text(original: Collection, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line 1: not JSON in UTF-8"):
        import_jsonl(io.BytesIO(b"\xff\n"), tmp_path / "import")


class Pipe(io.RawIOBase):
    """Can be read once, in small pieces."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._content.readinto(memoryview(buffer)[:100])


def test_what_can_be_read_only_once(original: Collection, tmp_path: Path) -> None:
    lines = Pipe(stream(exported(original)).getvalue())
    result = import_jsonl(io.BufferedReader(lines), tmp_path / "import")
    assert (result.sources, result.documents, result.chunks, result.encoded) == (2, 5, 10, 0)
    assert contents(open_collection(tmp_path / "import", "read")) == contents(original)


def test_nothing_is_written_over_a_collection_unless_merged(original: Collection, tmp_path: Path) -> None:
    with pytest.raises(CollectionExistsError):
        copy_collection(original, original.location)
    with pytest.raises(CollectionExistsError):
        import_jsonl(stream(exported(original)), original.location)
    assert original.count() == 10


def test_merge_adds_and_replaces(original: Collection, tmp_path: Path) -> None:
    other = create_collection(tmp_path / "other", SETTINGS)
    rows_of_one = np.ones((1, DIM), np.float32)
    other.add([Chunk("x#0", "x", "kept"), Chunk("d4#0", "d4", "old")], [rows_of_one] * 2)
    other.close()
    copy_collection(original, tmp_path / "other", merge=True)
    merged = open_collection(tmp_path / "other", "read")
    assert merged.count() == 11
    assert [chunk.text for chunk in merged.get(["x#0", "d4#0"])] == ["kept", "passage 0"]


def test_merge_needs_the_same_model(original: Collection, tmp_path: Path) -> None:
    create_collection(tmp_path / "other", replace(SETTINGS, model_id="test/2")).close()
    with pytest.raises(ModelMismatchError, match=r"test/2.*test/1"):
        copy_collection(original, tmp_path / "other", merge=True)


def test_stopped_halfway_it_says_so_and_goes_on_with_merge(original: Collection, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if (progress.stage, progress.done) == ("copy", 6):
            raise CancelledError("stopped")

    with pytest.raises(CancelledError, match=r"stopped; .*copy holds a part, the first \d chunks.*merge"):
        copy_collection(original, tmp_path / "copy", progress=stop)
    part = open_collection(tmp_path / "copy", "read")
    assert 0 < part.count() < 10
    assert all(source.hash == "" for source in part.sources())  # so that index looks at those files again
    part.close()
    copy_collection(original, tmp_path / "copy", merge=True)
    assert contents(open_collection(tmp_path / "copy", "read")) == contents(original)


def test_a_collection_that_changes_meanwhile(original: Collection, tmp_path: Path) -> None:
    def write(progress: Progress) -> None:
        if progress.done == 1:
            original.delete(Selection(ids=("d4#1",)))

    with pytest.raises(CollectionError, match="written to while it was read"):
        export_jsonl(original, lambda line: None, progress=write)


def test_copies_beside_changes_of_metadata_never_mix_two_states(original: Collection, tmp_path: Path) -> None:
    """The number of chunks stays, and so do the sources: only the commits tell."""
    original.add(
        [Chunk(f"more{n}", f"more{n}", "x") for n in range(600)], [np.ones((1, DIM), np.float32)] * 600
    )  # more than one batch
    stop, failed = threading.Event(), 0

    def change() -> None:
        turn = 0
        while not stop.is_set():
            original.update_metadata(Selection(filter="$id != ''"), {"turn": (turn := turn + 1)})
            stop.wait(0.02)

    original.update_metadata(Selection(filter="$id != ''"), {"turn": 0})
    changing = threading.Thread(target=change)
    changing.start()
    try:
        for number in range(10):
            lines: list[str] = []
            try:
                export_jsonl(original, lines.append)
                copy_collection(original, tmp_path / f"copy{number}")
            except CollectionError as error:
                assert "written to while it was read" in str(error)  # noqa: PT017
                failed += 1
            else:
                copy = open_collection(tmp_path / f"copy{number}", "read")
                assert len({chunk.metadata["turn"] for batch in copy.iterate() for chunk, _ in batch}) == 1
                assert len({json.loads(line)["metadata"]["turn"] for line in lines if '"kind": "chunk"' in line}) <= 1
                copy.close()
    finally:
        stop.set()
        changing.join()
    assert failed
    copy_collection(original, tmp_path / "copy")
    assert contents(open_collection(tmp_path / "copy", "read")) == contents(original)


def test_progress_counts_chunks(original: Collection, tmp_path: Path) -> None:
    seen: list[Progress] = []
    import_jsonl(stream(exported(original)), tmp_path / "import", progress=seen.append)
    for stage in ("check", "import"):
        assert [step.done for step in seen if step.stage == stage] == list(range(1, 11))
    assert {step.total for step in seen} == {10}
