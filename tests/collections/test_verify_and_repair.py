"""Whatever is stored twice, and whatever has a checksum: verify sees each damage, and repair mends what is derived."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from late_rag.collections import open_collection
from late_rag.collections.local import LocalCollection, index_files
from late_rag.errors import CollectionDamagedError, LateRAGError
from late_rag.filters.selection import Selection
from late_rag.testing.collection_base import chunk, rows, source
from late_rag.types import Document

DERIVED = {
    "facet changed": "UPDATE facets SET value = 'other' WHERE row = 3 AND key = 'tenant'",
    "facet of another type": "UPDATE facets SET value = 7.0 WHERE row = 3 AND key = 'number'",
    "facet gone": "DELETE FROM facets WHERE row = 3",
    "facet too many": "INSERT INTO facets VALUES (3, 'tenant', 4, 'evil')",
    "facet of no chunk": "INSERT INTO facets VALUES (999, 'tenant', 4, 'evil')",
    "full text zeroed": "UPDATE fulltext_data SET block = zeroblob(length(block)) WHERE id > 10",
    "full text other": "UPDATE fulltext_content SET c0 = 'forged' WHERE id = 3",
    "full text gone": "DELETE FROM fulltext WHERE rowid = 3",
    "full text sizes": "DELETE FROM fulltext_docsize WHERE id = 3",
    "counted chunks": "UPDATE state SET chunks = chunks + 1",
    "counted tokens": "UPDATE state SET tokens = 0",
    "last row": "UPDATE state SET last_row = 2",
    "embeddings alone": 'INSERT INTO embeddings SELECT 998, 1, 1, 1, "values", 1 FROM embeddings WHERE row = 1',
    "chunk of another source": "UPDATE chunks SET source_id = NULL WHERE row = 25",
    "chunk of no source": "UPDATE chunks SET source_id = 77 WHERE row = 3",
    "place of a source": "UPDATE sources SET location = '/elsewhere'",
    "removed and there": "INSERT INTO removed (row) VALUES (3)",
    "staged": "UPDATE staged SET text = 'forged'",
    "staged embeddings": "UPDATE staged SET scale = 0",
}

TRUE = {
    "values zeroed": 'UPDATE embeddings SET "values" = zeroblob(length("values")) WHERE row = 3',
    "scale": "UPDATE embeddings SET scale = 0 WHERE row = 3",
    "norm": "UPDATE embeddings SET norm = norm * 2 WHERE row = 3",
    "tokens": "UPDATE embeddings SET tokens = 0 WHERE row = 3",
    "embeddings gone": "DELETE FROM embeddings WHERE row = 3",
    "text": "UPDATE chunks SET text = 'forged' WHERE row = 3",
    "metadata": 'UPDATE chunks SET metadata = \'{"tenant": "evil"}\' WHERE row = 3',
    "metadata no JSON": "UPDATE chunks SET metadata = '{' WHERE row = 3",
    "start": "UPDATE chunks SET start = 5 WHERE row = 3",
    "chunk's document": "UPDATE chunks SET document_id = 'x' WHERE row = 3",
    "document": "UPDATE documents SET text = 'forged'",
    "document's metadata": "UPDATE documents SET metadata = '{\"a\": 1}'",
    "document gone of a type": "UPDATE documents SET text = x'ff'",
    "source": "UPDATE sources SET hash = 'forged'",
    "last row of chunks": "DELETE FROM chunks WHERE row = (SELECT max(row) FROM chunks)",
}


@pytest.fixture
def location(collection: LocalCollection) -> str:
    """20 chunks with metadata behind the 30, a file's, and something staged."""
    chunks = [chunk(f"m{n}", tenant="a" if n % 2 else "b", number=n) for n in range(20)]
    collection.clear()
    collection.add(chunks, rows(20, seed=1))
    parts = [chunk(f"f{n}", document="file", tenant="a") for n in range(5)]
    collection.replace(source("file.txt"), [Document("file", "all of it")], parts, rows(5, seed=2))
    collection.stage(source("large.txt"), [chunk("s0"), chunk("s1")], rows(2, seed=3))
    assert collection.verify().ok
    collection.close()
    return collection.location


def damage(location: str, statement: str) -> None:
    connection = sqlite3.connect(Path(location) / "collection.sqlite")
    base = connection.execute("SELECT min(row) - 1 FROM chunks").fetchone()[0]
    for row in (1, 3, 25):
        statement = statement.replace(f"row = {row} ", f"row = {row + base} ").replace(
            f"id = {row}", f"id = {row + base}"
        )
        if statement.endswith(f"row = {row}"):
            statement = statement.removesuffix(str(row)) + str(row + base)
    statement = statement.replace("VALUES (3", f"VALUES ({3 + base}")
    assert connection.execute(statement).rowcount
    connection.commit()
    connection.close()


def everything(opened: LocalCollection) -> object:
    filters = (None, "tenant == 'a'", "number > 7", "tenant == 'other' or tenant == 'evil'")
    return (
        [
            [(hit.chunk, hit.source, hit.score) for hit in opened.search(rows(1, seed=5), 50, Selection(filter=f))[0]]
            for f in filters
        ],
        [(hit.chunk, hit.source) for hit in opened.text_search(["text of f3 m3 forged"], 50)[0]],
        list(opened.iterate_documents()),
        (opened.count(), opened.info().tokens, opened.fields(), opened.sources()),
    )


@pytest.mark.parametrize("what", DERIVED)
def test_verify_sees_and_repair_mends_what_is_derived(location: str, what: str) -> None:
    with open_collection(location) as opened:  # type: ignore[attr-defined]
        expected = everything(opened)
    damage(location, DERIVED[what])
    with open_collection(location, "read") as opened:  # type: ignore[attr-defined]
        assert not opened.verify().ok
    with open_collection(location) as opened:  # type: ignore[attr-defined]
        report = opened.repair()
        assert report.ok, report.problems
        assert report.mended
        assert everything(opened) == expected
        assert opened.repair() == type(report)()
        opened.add([chunk("after")], rows(1))
        assert opened.verify().ok


@pytest.mark.parametrize("what", TRUE)
def test_verify_sees_what_cannot_be_mended_and_repair_keeps_it(location: str, what: str) -> None:
    damage(location, TRUE[what])
    with open_collection(location) as opened:  # type: ignore[attr-defined]
        before = opened.verify()
        assert not before.ok
        if what != "last row of chunks":
            report = opened.repair()
            assert not report.ok
        with pytest.raises(CollectionDamagedError):
            (everything(opened), list(opened.iterate(with_embeddings=True)))


def test_a_chunk_that_is_damaged_can_be_deleted(location: str) -> None:
    damage(location, TRUE["text"])
    with open_collection(location) as opened:  # type: ignore[attr-defined]
        (problem,) = opened.verify().problems
        assert "chunk 'm2'" in problem
        assert opened.delete(Selection(ids=("m2",))) == 1
        assert opened.verify().ok


def test_open_collections_see_a_repair(location: str) -> None:
    with open_collection(location) as reader, open_collection(location) as opened:  # type: ignore[attr-defined]
        expected = everything(reader)
        damage(location, DERIVED["facet changed"])
        opened.repair()
        assert everything(reader) == expected


def test_repair_writes_index_files_anew(collection: LocalCollection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_files, "TAIL_CHUNKS", 20)
    collection.optimize()
    (folder,) = (Path(collection.location) / "index").iterdir()
    (folder / "values.u8").write_bytes(b"")
    assert collection.repair().ok
    (later,) = (Path(collection.location) / "index").iterdir()
    assert later != folder


def test_repair_needs_to_write(location: str) -> None:
    with open_collection(location, "read") as opened, pytest.raises(LateRAGError, match="mode='write'"):  # type: ignore[attr-defined]
        opened.repair()
