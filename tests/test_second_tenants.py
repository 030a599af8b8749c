"""A second engine, a second kind of index and an encoder of pictures, all the way: sync, search, copy, export, eval."""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from late_rag import IndexSpec, Retriever, backends, calibration
from late_rag.calibration import Calibration
from late_rag.collections import create_collection, open_collection
from late_rag.errors import (
    CollectionError,
    CollectionExistsError,
    CollectionNotFoundError,
    CollectionReadOnlyError,
    InputError,
    UnsupportedError,
)
from late_rag.evaluation import evaluate, load_beir
from late_rag.evaluation.filling import fill
from late_rag.evaluation.overlap import ExactTop
from late_rag.evaluation.searching import dense_search
from late_rag.protocols import CollectionSettings
from late_rag.retriever.settings import new_settings
from late_rag.testing import HashEncoder, LossyIndex, MemoryCollection, PictureEncoder
from late_rag.transfer import copy_collection, export_jsonl, import_jsonl

WORDS = ("harbour", "lantern", "orchard", "violin", "glacier", "pepper", "saddle", "marble", "thunder", "willow")
_numbers = itertools.count()


@pytest.fixture(autouse=True)
def _rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows in the tables of backends, as whoever ships these has them."""
    monkeypatch.setitem(
        backends.COLLECTIONS, "memory", backends.Backend(MemoryCollection.__module__, MemoryCollection.__name__)
    )
    row = backends.Backend(LossyIndex.__module__, LossyIndex.__name__, options="LossyOptions")
    monkeypatch.setitem(backends.INDEXES, "lossy", row)


@pytest.fixture
def location() -> str:
    return f"memory://tenant-{next(_numbers)}"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A text, a file of records and two pictures, in whose comments words stand."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "notes.txt").write_text("The committee approves travel.", encoding="utf-8")
    (folder / "table.csv").write_text("id,text\n1,a wooden saddle\n2,a loud thunder\n", encoding="utf-8")
    for word in ("bicycle", "lighthouse"):
        (folder / f"{word}.png").write_bytes(png(word))
    return folder


def png(comment: str) -> bytes:
    def part(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    grey = zlib.compress((b"\0" + bytes([len(comment)] * 8)) * 8)
    header = part(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    text = part(b"tEXt", f"Comment\0{comment}.".encode())  # whatever the checksum behind it begins with
    return b"\x89PNG\r\n\x1a\n" + header + text + part(b"IDAT", grey) + part(b"IEND", b"")


def first(retriever: Retriever, question: str, **options: Any) -> str:
    """The file that is found first."""
    return Path(str(retriever.search(question, **options)[0].source)).name


def check_found(retriever: Retriever) -> None:
    assert first(retriever, "who approves travel") == "notes.txt"
    assert first(retriever, "loud thunder") == "table.csv"
    assert first(retriever, "bicycle") == "bicycle.png"
    assert first(retriever, "lighthouse", filter='$source like "%.png"') == "lighthouse.png"


def local(tmp_path: Path, _: str) -> str:
    return str(tmp_path / "c.rag")


def memory(_: Path, location: str) -> str:
    return location


@pytest.mark.parametrize("place", [local, memory])
@pytest.mark.parametrize("index", ["auto", "lossy"])
def test_files_and_pictures_are_synced_searched_and_copied(
    place: Callable[[Path, str], str], index: str, files: Path, location: str, tmp_path: Path
) -> None:
    with Retriever.create(place(tmp_path, location), PictureEncoder(), index=index) as retriever:
        done = retriever.sync(files)
        assert (len(done.added), done.complete) == (4, True)
        check_found(retriever)
        (files / "bicycle.png").rename(files / "moved.png")
        (files / "notes.txt").unlink()
        (files / "table.csv").write_text("id,text\n1,a wooden saddle\n2,a willow\n", encoding="utf-8")
        done = retriever.sync(files)
        assert (len(done.added), len(done.removed), done.encoded, done.reused) == (1, 2, 1, 1)
        assert first(retriever, "bicycle") == "moved.png"
        assert retriever.sync(files).unchanged
        collection = retriever.collection
        expected = [(hit.chunk, hit.score, hit.source) for hit in retriever.search("a wooden saddle bicycle")]
        for target in (f"{location}-copy", tmp_path / "copy.rag"):
            copy_collection(collection, target)
            with Retriever(str(target), PictureEncoder()) as copied:
                found = copied.search("a wooden saddle bicycle")
                assert [(hit.chunk, hit.score, hit.source) for hit in found] == expected
                assert len(copied.sync(files).unchanged) == 3
        lines: list[str] = []
        export_jsonl(collection, lines.append, embeddings=True)
        import_jsonl(io.BytesIO("".join(lines).encode()), f"{location}-import")
        assert open_collection(f"{location}-import").count() == collection.count()


def test_an_engine_without_full_text_says_so(location: str) -> None:
    with Retriever.create(location, HashEncoder()) as retriever:
        retriever.add(WORDS)
        with pytest.raises(UnsupportedError, match="no full text"):
            retriever.search("willow", mode="hybrid")
        assert retriever.search("willow", top_k=1, expand=1)[0].chunk.text == "willow"
        assert len(retriever.search("willow", top_k=3, lambda_mult=0.5)) == 3
        assert retriever.search("willow", group_by="document")[0].chunk.text == "willow"


def test_a_collection_in_memory_is_found_by_its_location(location: str) -> None:
    settings = CollectionSettings("m", "m", 8)
    with pytest.raises(CollectionNotFoundError, match=location):
        open_collection(location)
    made = create_collection(location, settings)
    with pytest.raises(CollectionExistsError, match=location):
        create_collection(location, settings)
    reader = open_collection(location, "read")
    with pytest.raises(CollectionReadOnlyError, match="reading"):
        reader.clear()
    made.close()
    assert (made.closed, reader.closed, reader.temporary) == (True, False, False)
    with pytest.raises(CollectionError, match="closed"):
        made.count()
    passing = MemoryCollection.create(None, settings)
    assert passing.temporary
    passing.close()
    with pytest.raises(CollectionNotFoundError):
        open_collection(passing.location)


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    folder = tmp_path / "words"
    (folder / "qrels").mkdir(parents=True)
    for name, text in (("corpus", "{0} and more"), ("queries", "{0} please")):
        lines = [f'{{"_id": "{word}", "text": "{text.format(word)}"}}\n' for word in WORDS]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    judged = "".join(f"{word}\t{word}\t1\n" for word in WORDS)
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}", encoding="utf-8")
    return folder


def test_options_of_an_index_travel_and_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = IndexSpec("lossy", loss=0.5)
    with Retriever.create(tmp_path / "c.rag", HashEncoder(), index=spec) as retriever:
        retriever.add(WORDS)
        retriever.collection.optimize()
        assert retriever.collection.verify().ok
        copy_collection(retriever.collection, tmp_path / "copy.rag")
    for name in ("c.rag", "copy.rag"):
        settings = open_collection(tmp_path / name).settings
        assert (settings.index, settings.index_options) == ("lossy", {"loss": 0.5, "delay": 0.25})
        for same in ("lossy", spec, {"kind": "lossy", "delay": 0.25}):
            Retriever.open(tmp_path / name, model=HashEncoder(), index=same).close()
        with pytest.raises(InputError, match=r"index option loss is 0.1, but the collection .* was made with 0.5"):
            Retriever.open(tmp_path / name, model=HashEncoder(), index=IndexSpec("lossy", loss=0.1))
    monkeypatch.delitem(backends.INDEXES, "lossy")
    with pytest.raises(InputError, match=r"unknown index 'lossy'; there are: .*exact"):
        Retriever.create(tmp_path / "new.rag", HashEncoder(), index=spec)


def test_eval_shows_what_an_index_loses(beir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "calibrate", lambda *_: Calibration(0.5, 2, ()))  # too few chunks to measure
    for loss, least, most in ((0.0, 0.5, 0.5), (0.9, 0.2, 0.5)):
        report = evaluate(beir, model=HashEncoder(), index=IndexSpec("lossy", loss=loss, delay=1.0))
        assert report.index == "lossy"
        assert least <= report.overlap_10 <= most


def test_eval_over_an_engine_in_memory_with_an_encoder_of_pictures(beir: Path, location: str) -> None:
    encoder, data = PictureEncoder(), load_beir(beir)
    collection = create_collection(location, new_settings(encoder, location, {}))
    queries = dict(zip(data.queries, encoder.encode_queries(list(data.queries.values())), strict=True))
    exact = ExactTop(list(queries.values()))
    fill(collection, encoder, data, False, exact, lambda _: None)
    ranked, top = dense_search(collection, queries, data, lambda _: None)
    assert ranked.measures["ndcg@10"] == 1.0
    assert exact.overlap(top) == 1.0
