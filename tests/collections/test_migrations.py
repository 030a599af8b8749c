"""A collection of an older format is brought to today's when it is opened for writing, whole or not at all."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from late_rag.collections import create_collection, open_collection
from late_rag.collections.kit import fulltext
from late_rag.collections.local import derived, migrations, schema
from late_rag.errors import CollectionDamagedError, CollectionError
from late_rag.filters.selection import Selection
from late_rag.protocols import Collection, CollectionSettings
from late_rag.testing.collection_base import DIM, chunk, document, rows, source
from late_rag.types import Chunk, Media

NAME = "collection.sqlite"
KILLED = """
import os, signal, sys
from late_rag.collections import open_collection
from late_rag.collections.local import derived
derived.rebuild = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
open_collection(sys.argv[1])
"""


def contents(collection: Collection) -> Any:
    """All that a user sees."""
    return (
        [(c, e.tolist()) for batch in collection.iterate(with_embeddings=True) for c, e in batch if e is not None],
        [pair for batch in collection.iterate_documents() for pair in batch],
        collection.sources(),
        collection.count(Selection(filter="number >= 3")),
        collection.search(rows(2, seed=5), 5),
        collection.text_search(["text"], 5),
        collection.field_range("number"),
    )


def write_format_2(path: Path, language: str) -> None:
    """Puts a database of format 2 with the same rows in the place of one of today's."""
    old = path.with_name("old.sqlite")
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN")
        migrations.create_tables_2(connection, fulltext.tokenizer(language))
        connection.execute("COMMIT")
        connection.execute("ATTACH ? AS now", (str(path),))
        connection.execute("BEGIN")
        for table in ("settings", "state", "sources", "documents", "chunks", "embeddings"):
            columns = ", ".join(f'"{name}"' for _, name, *_ in connection.execute(f"PRAGMA main.table_info({table})"))
            connection.execute(f"DELETE FROM main.{table}")
            connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM now.{table}")
        connection.execute(f"UPDATE state SET version = version & {2**schema.GENERATION_SHIFT - 1}")
        connection.execute("COMMIT")
        connection.execute(f"PRAGMA application_id={schema.APPLICATION_ID}")
        connection.execute("PRAGMA user_version=2")
    old.replace(path)


@pytest.fixture(params=["int8", "float16"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Any]:
    """A collection of format 2, and what was in it."""
    folder, language = tmp_path / "c.rag", "english" if request.param == "int8" else "german"
    settings = CollectionSettings("test", "test-1", DIM, storage=request.param, language=language)
    collection = create_collection(folder, settings)
    made = [chunk(f"d#{number}", f"text {number} café", document="d", number=number) for number in range(6)]
    collection.replace(source("a.txt"), [document("d")], made, rows(6))
    pictured = Chunk("p", "p", "", media=(Media(b"pixels", "image/png"),), extra={"x": 1})
    collection.add([pictured, chunk("gone")], [*rows(1, seed=3), *rows(1, seed=4)], [document("p")])
    collection.delete(Selection(ids=("gone",)))
    expected = contents(collection)
    collection.close()
    write_format_2(folder / NAME, language)
    return folder, expected


def version(folder: Path) -> int:
    with closing(sqlite3.connect(folder / NAME)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def check_migrated(folder: Path, expected: Any) -> None:
    for mode in ("write", "read"):
        opened = open_collection(folder, mode)  # type: ignore[arg-type]
        assert contents(opened) == expected
        assert opened.verify().ok
        opened.close()
    opened = open_collection(folder)
    opened.add([chunk("new")], rows(1, seed=9))
    assert [c.id for batch in opened.iterate() for c, _ in batch][-1] == "new"
    opened.optimize()
    assert opened.verify().ok
    opened.close()


def test_opening_for_writing_brings_it_to_todays_format(place: tuple[Path, Any]) -> None:
    check_migrated(*place)
    assert version(place[0]) == schema.FORMAT


def test_a_reader_is_told_what_to_do(place: tuple[Path, Any]) -> None:
    before = (place[0] / NAME).read_bytes()
    with pytest.raises(CollectionDamagedError, match=r"c\.rag: is of format 2.*open it once for writing"):
        open_collection(place[0], "read")
    assert (place[0] / NAME).read_bytes() == before


@pytest.mark.parametrize(("number", "told"), [(1, "index it anew, or export it"), (99, "update late_rag")])
def test_other_formats_are_refused(place: tuple[Path, Any], number: int, told: str) -> None:
    with closing(sqlite3.connect(place[0] / NAME)) as connection:
        connection.execute(f"PRAGMA user_version={number}")
    for mode in ("read", "write"):
        with pytest.raises(CollectionDamagedError, match=rf"is of format {number}.*{told}"):
            open_collection(place[0], mode)  # type: ignore[arg-type]


def test_a_process_that_is_killed_on_the_way_leaves_the_old_one(place: tuple[Path, Any]) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(place[0])], check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    assert version(place[0]) == 2
    check_migrated(*place)


def test_a_step_that_fails_leaves_the_old_one(place: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("no room")

    with monkeypatch.context() as patched:
        patched.setattr(derived, "rebuild", fail)
        with pytest.raises(CollectionError, match=r"c\.rag: no room"):
            open_collection(place[0])
    assert version(place[0]) == 2
    check_migrated(*place)


def test_many_open_it_at_once(place: tuple[Path, Any]) -> None:
    with ThreadPoolExecutor(6) as pool:
        for collection in pool.map(open_collection, [place[0]] * 6):
            assert contents(collection) == place[1]
            collection.close()
    check_migrated(*place)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON chunks BEGIN DELETE FROM chunks; END", "holds a trigger 't'"),
        ("UPDATE chunks SET metadata = '{' WHERE id = 'd#1'", "chunk 'd#1': metadata cannot be read"),
        ("UPDATE chunks SET text = CAST(text AS BLOB) WHERE id = 'd#1'", "chunk 'd#1': values of types"),
        ("UPDATE embeddings SET \"values\" = x'00' WHERE row = 2", "embeddings in row 2"),
        ("UPDATE embeddings SET scale = 'x' WHERE row = 2", "embeddings in row 2"),
        ("UPDATE embeddings SET norm = -1.0 WHERE row = 2", "embeddings in row 2"),
        ("UPDATE sources SET size = 'x'", "source 'a.txt'"),
        ("UPDATE documents SET metadata = '[]' WHERE id = 'd'", "document 'd'"),
    ],
)
def test_what_late_rag_did_not_write_is_refused(place: tuple[Path, Any], statement: str, told: str) -> None:
    with closing(sqlite3.connect(place[0] / NAME, isolation_level=None)) as connection:
        connection.execute(statement)
    with pytest.raises(CollectionDamagedError, match=told):
        open_collection(place[0])
    assert version(place[0]) == 2
