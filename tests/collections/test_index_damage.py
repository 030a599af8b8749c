"""Index files that are damaged, hostile or cut: a warning and right answers, and nothing outside is touched."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from late_rag.collections import open_collection
from late_rag.collections.local import LocalCollection, index_files
from late_rag.errors import CollectionError
from late_rag.filters.selection import Selection
from late_rag.indexes import exact_files
from late_rag.testing.collection_base import chunk, fill, rows
from tests.collections.damages import damaged

Answers = list[list[tuple[str, float]]]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_files, "TAIL_CHUNKS", 50)


@pytest.fixture
def indexed(collection: LocalCollection) -> LocalCollection:
    """300 chunks of which most are in index files; closed."""
    fill(collection, 300, seed=1)
    collection.close()
    return collection


def version_of(collection: LocalCollection) -> Path:
    (folder,) = (Path(collection.location) / "index").iterdir()
    return folder


def answers(location: str | Path) -> Answers:
    with open_collection(location, "read") as opened:  # type: ignore[attr-defined]
        return [[(hit.chunk.id, hit.score) for hit in hits] for hits in opened.search(rows(5, seed=3), 20)]


def sql(location: str, *statement: object) -> None:
    connection = sqlite3.connect(Path(location) / "collection.sqlite")
    connection.execute(*statement)  # type: ignore[arg-type]
    connection.commit()
    connection.close()


def damage_and_look(location: Path, times: int, caplog: pytest.LogCaptureFixture) -> None:
    expected = answers(location)
    rng = random.Random(5)
    pristine = location.with_name("pristine")
    shutil.copytree(location, pristine)
    for _ in range(times):
        (folder,) = (location / "index").iterdir()
        path = rng.choice(sorted(folder.iterdir()))
        changed = damaged(path, rng)
        caplog.clear()
        assert answers(location) == expected, f"{path.name}: {changed}"
        assert "index files cannot be used" in caplog.text, f"{path.name}: {changed}"
        shutil.rmtree(location)
        shutil.copytree(pristine, location)


def test_damage_at_any_offset_is_noticed(indexed: LocalCollection, caplog: pytest.LogCaptureFixture) -> None:
    damage_and_look(Path(indexed.location), 60, caplog)


@pytest.mark.slow
def test_five_hundred_damages_of_index_files(indexed: LocalCollection, caplog: pytest.LogCaptureFixture) -> None:
    damage_and_look(Path(indexed.location), 500, caplog)


def test_damage_is_told_by_verify_and_gone_after_the_next_write(indexed: LocalCollection) -> None:
    values = version_of(indexed) / "values.u8"
    values.write_bytes(bytes(values.stat().st_size))
    with open_collection(indexed.location) as opened:  # type: ignore[attr-defined]
        assert "values.u8: its content is not what was written" in " ".join(opened.verify().problems)
        opened.search(rows(1), 1)
        opened.add([chunk("new")], rows(1, seed=9))
        assert opened.verify().ok


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder that no collection may touch; fails the test if one did."""
    folder = tmp_path / "precious"
    (folder / "version-precious").mkdir(parents=True)
    for place in (folder, folder / "version-precious"):
        (place / "thesis.txt").write_text("all my work", encoding="utf-8")
    os.utime(folder / "version-precious", (0, 0))
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    yield folder
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before


def use(location: str) -> None:
    """Everything that reads, writes or removes index files."""
    with open_collection(location) as opened:  # type: ignore[attr-defined]
        assert len(opened.search(rows(1), 1000)[0]) == 300
        fill(opened, 200, seed=4)
        opened.delete(Selection(ids=("c1",)))
        opened.verify()
        try:
            opened.optimize()
        except CollectionError as error:
            assert "is a link" in str(error)  # noqa: PT017


@pytest.mark.parametrize(
    "name", ["../precious", "..", ".", "", "/tmp", "version-a/../../../precious", "version-\0", "precious"]
)
def test_a_published_name_leads_nowhere_else(indexed: LocalCollection, outside: Path, name: str) -> None:
    shutil.copytree(outside, Path(indexed.location) / "precious")
    sql(indexed.location, "UPDATE indexes SET folder = ?", (name.replace("/outside", str(outside)),))
    use(indexed.location)
    assert (Path(indexed.location) / "precious" / "thesis.txt").exists()


@pytest.mark.parametrize("place", ["index", "version"])
def test_links_are_not_followed(indexed: LocalCollection, outside: Path, place: str) -> None:
    link = Path(indexed.location) / "index" if place == "index" else version_of(indexed)
    shutil.rmtree(link)
    link.symlink_to(outside, target_is_directory=True)
    use(indexed.location)
    if place == "index":
        assert link.is_symlink()


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_plain_file_is_not_opened(
    indexed: LocalCollection, outside: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = version_of(indexed) / "values.u8"
    content = path.read_bytes()
    path.unlink()
    if kind == "link":
        (outside.parent / "same.u8").write_bytes(content)
        path.symlink_to(outside.parent / "same.u8")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert len(answers(indexed.location)[0]) == 20
    assert "index files cannot be used" in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        "version = 9223372036854775807",
        "mark = 4611686018427387904",
        "mark = 'many'",
        "size = -1",
        "size = 7",
        "folder = x'00'",
        "manifest = ''",
        "manifest = NULL || 'x'",
    ],
)
def test_impossible_versions_are_built_anew(indexed: LocalCollection, change: str) -> None:
    expected = answers(indexed.location)
    connection = sqlite3.connect(Path(indexed.location) / "collection.sqlite")
    connection.execute("PRAGMA ignore_check_constraints = 1")
    try:
        connection.execute(f"UPDATE indexes SET {change}")
    except sqlite3.IntegrityError:
        pytest.skip("SQLite refuses it")
    connection.commit()
    connection.close()
    assert answers(indexed.location) == expected
    with open_collection(indexed.location) as opened:  # type: ignore[attr-defined]
        opened.search(rows(1), 1)
        opened.delete(Selection(ids=("unknown",)))
        assert opened.verify().ok
    assert answers(indexed.location) == expected


def test_a_file_that_is_cut_while_it_is_mapped_does_not_end_the_process(indexed: LocalCollection) -> None:
    script = """
        import os, sys
        from late_rag.collections import open_collection
        from late_rag.errors import CollectionDamagedError
        from late_rag.indexes import exact_files
        from late_rag.testing.collection_base import rows
        exact_files.MAPPED_BYTES = int(sys.argv[3])
        opened = open_collection(sys.argv[1], "read")
        before = opened.search(rows(1), 5)
        os.truncate(sys.argv[2], 0)
        try:
            print(opened.search(rows(1), 5) == before)
        except CollectionDamagedError as error:
            print(error)
        """
    path = version_of(indexed) / "values.u8"
    content = path.read_bytes()
    for mapped_bytes, expected in ((exact_files.MAPPED_BYTES, "True"), (0, "was cut from")):
        path.write_bytes(content)
        command = [sys.executable, "-c", textwrap.dedent(script), indexed.location, str(path), str(mapped_bytes)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert result.returncode != -signal.SIGBUS, result
        assert expected in result.stdout, result


def test_files_are_on_the_disk_before_the_commit_that_names_them(
    collection: LocalCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def recorded(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        connection = sqlite3.connect(Path(collection.location) / "collection.sqlite")
        assert connection.execute("SELECT count(*) FROM indexes").fetchone() == (0,)
        connection.close()
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    fill(collection, 300, seed=1)
    folder = version_of(collection)
    assert set(synced) == {str(path) for path in (*folder.iterdir(), folder, folder.parent, folder.parent.parent)}
