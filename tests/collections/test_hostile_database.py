"""A database that somebody made to harm: refused or an error of ours, quickly, and nothing outside is touched."""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from late_rag.collections import create_collection, open_collection
from late_rag.collections.kit import embedding_rows, rows
from late_rag.errors import CollectionDamagedError, LateRAGError
from late_rag.filters.selection import Selection
from late_rag.protocols import CollectionSettings
from late_rag.testing.collection_base import DIM, chunk, document, source
from late_rag.testing.collection_base import rows as embeddings
from tests.collections.attacks import try_everything

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT"

SCHEMAS = {
    "view of settings": f"ALTER TABLE settings RENAME TO s; CREATE VIEW settings AS {ENDLESS} i name, i value FROM n",
    "view of state": f"ALTER TABLE state RENAME TO s; CREATE VIEW state AS {ENDLESS} i AS version, i AS chunks, i AS "
    "tokens, i AS last_row, i AS removed_floor FROM n",
    "view of chunks": f"ALTER TABLE chunks RENAME TO c; CREATE VIEW chunks AS {ENDLESS} i AS row, i AS id FROM n",
    "another view": "CREATE VIEW v AS SELECT 1",
    "trigger": f"CREATE TRIGGER t AFTER INSERT ON chunks BEGIN INSERT INTO removed {ENDLESS} i, i FROM n; END",
    "trigger that deletes": "CREATE TRIGGER t AFTER UPDATE ON state BEGIN DELETE FROM documents; END",
    "another table": "CREATE TABLE more (x)",
    "another index": "CREATE INDEX more ON chunks (text)",
    "index on an expression": "CREATE INDEX more ON chunks (abs(row))",
    "another column": "ALTER TABLE chunks ADD COLUMN more",
    "renamed column": "ALTER TABLE chunks RENAME COLUMN text TO words",
    "column away": "ALTER TABLE chunks DROP COLUMN extra",
    "table away": "DROP TABLE removed",
    "facets away": "DROP TABLE facets",
    "fulltext away": "DROP TABLE fulltext",
    "fulltext of another kind": "DROP TABLE fulltext; CREATE VIRTUAL TABLE fulltext USING fts5(text, tokenize='ascii')",
    "fulltext of another language": "DROP TABLE fulltext; CREATE VIRTUAL TABLE fulltext USING fts5(text, tokenize="
    "'unicode61 remove_diacritics 2 categories ''L* N* Co Mn Mc''')",
    "fulltext as a view": f"DROP TABLE fulltext; CREATE VIEW fulltext AS {ENDLESS} i AS text FROM n",
    "index away": "DROP INDEX chunks_document",
    "generated column": "DROP TABLE removed; CREATE TABLE removed (sequence INTEGER PRIMARY KEY AUTOINCREMENT, "
    "row INTEGER AS (sequence + 1))",
    "schema forged": "PRAGMA writable_schema = 1; UPDATE sqlite_master SET sql = sql || ' STRICT' WHERE name = 'state'",
    "names forged": "PRAGMA writable_schema = 1; UPDATE sqlite_master SET name = x'00ff' WHERE name = 'state'",
}

SETTINGS = {
    "no settings": "DELETE FROM settings",
    "no JSON": "UPDATE settings SET value = '{'",
    "blob": "UPDATE settings SET value = x'00ff'",
    "a list": "UPDATE settings SET value = '[]'",
    "null": "UPDATE settings SET value = 'null'",
    "nested": "UPDATE settings SET value = '" + "[" * 200_000 + "'",
    "more": "UPDATE settings SET value = json_set(value, '$.more', 1)",
    "less": "UPDATE settings SET value = json_remove(value, '$.dim')",
    **{
        f"{name} {value}": f"UPDATE settings SET value = json_set(value, '$.{name}', json('{value}'))"
        for name, value in (
            *(
                ("dim", value)
                for value in ("0", "-1", '"8"', "8.0", "1e300", "9223372036854775807", "true", "null", "[]")
            ),
            *(("storage", value) for value in ('"int4"', "null", "[]", "{}")),
            *(("language", value) for value in ('"klingon"', "null", "[]", '"german"')),
            *(("index", value) for value in ('"../x"', "null", "[]", "7")),
            *(("model", value) for value in ("null", "7", "[]")),
            *(("embed_metadata", value) for value in ("7", "[7]", "null", '{"a": 1}')),
            *(("chunking", value) for value in ("7", '"x"', "[]")),
            *(
                ("probe", value)
                for value in ("7", '{"query": 7}', '{"query": [7]}', '{"query": [["x"]]}', '{"query": [[1]]}')
            ),
        )
        if (name, value) != ("embed_metadata", '{"a": 1}')
    },
    "no state": "DELETE FROM state",
    "state of texts": "UPDATE state SET version = 'x'",
    "state of blobs": "UPDATE state SET chunks = x'00'",
    "state of halves": "UPDATE state SET last_row = 1.5",
    "state below zero": "UPDATE state SET tokens = -1",
    "state beyond": "UPDATE state SET last_row = 9223372036854775807",
}

VALUES = [
    None,
    "",
    "x",
    "\ud800".encode("utf-8", "surrogatepass"),
    b"\0",
    -1,
    0,
    2**63 - 1,
    -(2**63),
    1.5,
    float("inf"),
]
VALUES += [
    "[" * 100_000,
    '{"a":' * 300 + "1" + "}" * 300,
    '{"a": "\\ud800"}',
    '{"a": ' + "9" * 5000 + "}",
    '{"$date": "x"}',
]
VALUES += ['{"$date": 7}', "[1]", "[null]", '[{"path": 7, "mime_type": "x", "page": null}]', '{"a": 1e999}', "null"]
VALUES += ['[{"base64": "*", "mime_type": "x", "page": 1}]', "x" * 100_000, "a\0b", "2020-13-45T99"]

COLUMNS = {
    "chunks": ["source_id", *rows.CHUNK_COLUMNS.split(", ")],
    "documents": ["source_id", *rows.DOCUMENT_COLUMNS.split(", ")],
    "sources": [*rows.SOURCE_COLUMNS.split(", "), "location"],
    "embeddings": embedding_rows.COLUMNS.split(", "),
    "facets": ["row", "key", "type", "value"],
    "removed": ["row"],
    "staged": ["root", "path", "hash", *rows.CHUNK_COLUMNS.split(", "), "tokens", "scale", "norm", '"values"'],
    "state": ["version", "chunks", "tokens", "last_row", "removed_floor"],
    "indexes": ["version", "kind", "mark", "size", "folder", "manifest"],
    "fulltext_data": ["block"],
    "fulltext_content": ["c0"],
    "fulltext_docsize": ["sz"],
    "fulltext_config": ["v"],
    "sqlite_sequence": ["name", "seq"],
}


def change(location: Path, script: str, *values: object) -> None:
    connection = sqlite3.connect(location / "collection.sqlite", isolation_level=None)
    connection.execute("PRAGMA ignore_check_constraints = 1")
    if values:
        connection.execute(script, values)
    else:
        connection.executescript(script)
    connection.close()


@pytest.mark.parametrize("what", SCHEMAS)
def test_a_schema_that_is_not_ours_is_refused(location: Path, what: str) -> None:
    change(location, SCHEMAS[what])
    began = time.monotonic()
    for mode in ("read", "write"):
        with pytest.raises(CollectionDamagedError):
            open_collection(location, mode)  # type: ignore[arg-type]
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("what", SETTINGS)
def test_settings_and_counters_that_cannot_be_are_refused(location: Path, what: str) -> None:
    change(location, SETTINGS[what])
    with pytest.raises(CollectionDamagedError, match=r"c\.rag"):
        open_collection(location)


def test_each_language_and_what_optimize_leaves_are_ours(tmp_path: Path) -> None:
    for language in ("english", "german", "none"):
        opened = create_collection(tmp_path / language, CollectionSettings("test", "test-1", DIM, language=language))
        opened.add([chunk(f"c{n}", a=n) for n in range(50)], embeddings(50))
        opened.optimize()
        change(tmp_path / language, "ANALYZE")
        opened.close()
        open_collection(tmp_path / language).close()


def forge(location: Path, rng: random.Random) -> str:
    """One value of a row that the maker of the database chose, with a right checksum in half of the cases."""
    table = rng.choice(sorted(COLUMNS))
    column, value = rng.choice(COLUMNS[table]), rng.choice(VALUES)
    if isinstance(value, bytes) and rng.random() < 0.5:
        change(location, f"UPDATE OR IGNORE {table} SET {column} = CAST(? AS TEXT)", value)
    else:
        try:
            change(location, f"UPDATE OR IGNORE {table} SET {column} = ?", value)
        except sqlite3.Error:
            return "nothing"
    if rng.random() < 0.5:
        sign(location)
    return f"{table}.{column} = {str(value)[:60]!r}"


def sign(location: Path) -> None:
    """Right checksums for whatever stands in the rows."""
    connection = sqlite3.connect(location / "collection.sqlite", isolation_level=None)
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    for table, columns in (
        ("chunks", rows.CHUNK_COLUMNS),
        ("documents", rows.DOCUMENT_COLUMNS),
        ("sources", rows.SOURCE_COLUMNS),
    ):
        for key, *values, _ in connection.execute(f"SELECT rowid, {columns} FROM {table}").fetchall():
            try:
                signed = rows._checksum(values)
            except UnicodeEncodeError:
                continue
            connection.execute(f"UPDATE {table} SET checksum = ? WHERE rowid = ?", (signed, key))
    found = connection.execute(f"SELECT row, {embedding_rows.COLUMNS} FROM embeddings").fetchall()
    for row, tokens, scale, norm, blob, _ in found:
        if isinstance(blob, bytes) and all(isinstance(x, float) for x in (scale, norm)) and isinstance(tokens, int):
            signed = embedding_rows._checksum(row, tokens, scale, norm, int(embedding_rows._sums([blob])[0]))
            connection.execute("UPDATE embeddings SET checksum = ? WHERE row = ?", (signed, row))
    connection.close()


def forge_and_try(location: Path, times: int, seed: int) -> None:
    rng = random.Random(seed)
    pristine = location.with_name("pristine")
    shutil.copytree(location, pristine)
    for number in range(times):
        what = forge(location, rng)
        began = time.monotonic()
        try:
            try_everything(location)
        except Exception as error:  # noqa: BLE001
            pytest.fail(f"forgery {number}, {what}: {error!r}")
        assert time.monotonic() - began < 20, what
        shutil.rmtree(location)
        shutil.copytree(pristine, location)


def test_forged_values_are_errors_of_ours(location: Path) -> None:
    forge_and_try(location, 60, seed=1)


def test_an_owner_with_nul_which_no_list_of_ids_can_name_can_be_deleted(location: Path) -> None:
    change(location, "UPDATE chunks SET document_id = ?", "a\0b")
    sign(location)
    with open_collection(location) as opened:  # type: ignore[attr-defined]
        opened.update_metadata(Selection(), {"x": 1})
        (first, _), *_ = next(opened.iterate())
        assert opened.delete(Selection(ids=(first.id,))) == 1
        assert opened.get([first.id]) == []


@pytest.mark.parametrize("tokens", [-1, "x", 1.5, -(2**63)])
def test_a_forged_counter_of_an_open_collection_is_found_and_repaired(location: Path, tokens: object) -> None:
    with open_collection(location) as opened:  # type: ignore[attr-defined]
        before = opened.info().tokens
        change(location, "UPDATE state SET tokens = ?, version = version + 1", tokens)
        assert any("tokens" in problem for problem in opened.verify().problems)
        assert opened.repair().ok
        assert opened.info().tokens == before


@pytest.mark.slow
def test_a_thousand_forged_values(location: Path) -> None:
    forge_and_try(location, 1000, seed=2)


def journal(victim: Path, pages: int) -> bytes:
    """A rollback journal that names a file, which SQLite removes once it is done."""
    magic, name = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", str(victim).encode()
    header = (magic + struct.pack(">IIIII", 0, 1, pages, 512, 4096)).ljust(512, b"\0")
    return header + struct.pack(">I", 0x40000000 // 4096 + 1) + name + struct.pack(">II", len(name), sum(name)) + magic


@pytest.mark.parametrize("header", [2, 1])
@pytest.mark.parametrize("mode", ["read", "write"])
def test_a_journal_that_names_a_file_removes_nothing(location: Path, tmp_path: Path, header: int, mode: str) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("precious", encoding="utf-8")
    database = location / "collection.sqlite"
    content = bytearray(database.read_bytes())
    content[18:20] = bytes([header, header])
    database.write_bytes(content)
    database.with_name("collection.sqlite-journal").write_bytes(journal(victim, len(content) // 4096))
    with pytest.raises(CollectionDamagedError, match="journal"):
        open_collection(location, mode)  # type: ignore[arg-type]
    with pytest.raises(LateRAGError):
        create_collection(location, CollectionSettings("test", "test-1", DIM))
    assert victim.read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize(
    "name", ["collection.sqlite", "collection.sqlite-wal", "collection.sqlite-shm", "collection.sqlite-journal"]
)
def test_links_to_other_files_are_not_written(location: Path, tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim.txt"
    path = location / name
    if name == "collection.sqlite":
        path.rename(victim)
    else:
        victim.write_bytes(b"precious" * 100)
    before = victim.read_bytes()
    path.symlink_to(victim)
    try_everything(location)
    assert victim.read_bytes() == before


def test_creating_and_opening_at_once_still_works(tmp_path: Path) -> None:
    script = (
        "import sys; from late_rag import Retriever; from late_rag.testing import HashEncoder\n"
        "Retriever.open(sys.argv[1], model=HashEncoder(dim=32), create=True).add(['a text'])"
    )
    for number in range(2):
        command = [sys.executable, "-c", script, str(tmp_path / f"c{number}")]
        running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
        for process in running:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors


@pytest.mark.parametrize(
    ("forged", "read"),
    [
        ("UPDATE chunks SET metadata = '['", lambda opened: opened.get(["c0"])),
        ("UPDATE chunks SET metadata = '['", lambda opened: list(opened.iterate())),
        ("UPDATE documents SET metadata = '['", lambda opened: opened.get_documents(["doc-c0"])),
        ("UPDATE documents SET metadata = '['", lambda opened: list(opened.iterate_documents())),
        ("UPDATE embeddings SET checksum = 1", lambda opened: opened.embeddings(["c0"])),
        ("UPDATE sources SET mtime = 'never'", lambda opened: opened.sources()),
        ("UPDATE facets SET type = -1", lambda opened: opened.fields()),
        ("UPDATE state SET chunks = 'many'", lambda opened: opened.count()),
        ("UPDATE state SET last_row = 'many'", lambda opened: list(opened.iterate())),
    ],
)
def test_every_read_tells_where_the_damage_is(tmp_path: Path, forged: str, read: Callable[[Any], object]) -> None:
    settings = CollectionSettings(model="m", model_id="m", dim=DIM)
    with create_collection(tmp_path / "c.rag", settings) as collection:
        state = source("a.txt")
        collection.replace(state, [document("doc-c0")], [chunk("c0", year=2020)], embeddings(1))
        with sqlite3.connect(tmp_path / "c.rag" / "collection.sqlite") as connection:
            connection.execute("PRAGMA ignore_check_constraints = 1")
            connection.execute(forged)
        connection.close()
        with pytest.raises(CollectionDamagedError, match=re.escape(str(tmp_path / "c.rag"))):
            read(collection)
