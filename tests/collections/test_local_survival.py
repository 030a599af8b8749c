"""What a local collection survives: full disks, missing permissions, damage, other formats, forks."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from late_rag.collections import create_collection, open_collection
from late_rag.collections.local import LocalCollection
from late_rag.errors import (
    CollectionBusyError,
    CollectionDamagedError,
    CollectionError,
    CollectionExistsError,
    CollectionNotFoundError,
    InputError,
)
from late_rag.filters.selection import Selection
from late_rag.protocols import CollectionSettings
from late_rag.testing.collection_base import DIM, chunk, fill, rows

SETTINGS = CollectionSettings(model="test", model_id="test-1", dim=DIM)
OTHER_USER = 65534


def run(script: str, *arguments: object, user: int | None = None) -> subprocess.CompletedProcess[str]:
    """A script in a process of its own, as another user where one is given."""
    prelude = """
        import os, resource, signal, sys
        from late_rag.collections import open_collection
        from late_rag.protocols import CollectionSettings
        from late_rag.collections import create_collection
        from late_rag.testing.collection_base import DIM, chunk, rows
        # another user may not be able to read the interpreter's own files, so all is loaded before
        warm = create_collection(None, CollectionSettings("test", "test-1", DIM))
        warm.add([chunk("warm")], rows(1)), warm.search(rows(1), 1), warm.text_search(["warm"], 1), warm.close()
        """
    code = textwrap.dedent(prelude) + (f"os.setgid({user}); os.setuid({user})\n" if user else "")
    command = [sys.executable, "-c", code + textwrap.dedent(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_create_needs_a_place_of_its_own(tmp_path: Path, collection: LocalCollection) -> None:
    with pytest.raises(CollectionExistsError, match="open it"):
        create_collection(collection.location, SETTINGS)
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.txt").write_text("a")
    with pytest.raises(InputError, match="not empty"):
        create_collection(tmp_path / "documents", SETTINGS)
    with pytest.raises(CollectionNotFoundError, match="no collection"):
        open_collection(tmp_path / "nowhere")
    with pytest.raises(InputError, match="unknown collection scheme 'ftp'"):
        open_collection("ftp://host/collection")
    with pytest.raises(InputError, match="mode"):
        open_collection(collection.location, "append")  # type: ignore[arg-type]


def test_a_creator_killed_before_its_commit_leaves_no_collection(tmp_path: Path) -> None:
    (tmp_path / "c.rag").mkdir()
    sqlite3.connect(tmp_path / "c.rag" / "collection.sqlite").close()
    (tmp_path / "c.rag" / "collection.sqlite").touch()
    with pytest.raises(CollectionNotFoundError, match="empty"):
        open_collection(tmp_path / "c.rag")
    create_collection(tmp_path / "c.rag", SETTINGS).close()


@pytest.mark.parametrize("kind", ["wal", "shm", "journal"])
def test_no_collection_is_made_beside_the_log_of_a_former_one(tmp_path: Path, kind: str) -> None:
    left = tmp_path / "c.rag" / f"collection.sqlite-{kind}"
    left.parent.mkdir()
    left.write_bytes(b"what was written last")
    with pytest.raises(CollectionError, match=f"collection.sqlite-{kind} is left there of a database that is gone"):
        create_collection(left.parent, SETTINGS)
    assert [path.name for path in left.parent.iterdir()] == [left.name]
    left.unlink()
    create_collection(left.parent, SETTINGS).close()


def test_a_temporary_collection_goes_when_it_is_closed() -> None:
    collection = create_collection(None, SETTINGS)
    folder = Path(collection.location)
    assert folder.is_dir()
    with pytest.raises(CollectionError, match="copy it"):
        pickle.dumps(collection)
    collection.close()
    collection.close()
    assert not folder.exists()
    with pytest.raises(CollectionError, match="closed"):
        collection.count()


def test_a_collection_pickles_as_its_location(collection: LocalCollection) -> None:
    copy = pickle.loads(pickle.dumps(collection))
    assert copy.location == collection.location
    assert copy is pickle.loads(pickle.dumps(collection))
    assert copy.count() == 30
    copy.close()
    assert pickle.loads(pickle.dumps(collection)).count() == 30


@pytest.mark.parametrize("limit", [40_000, 120_000, 400_000])
def test_a_full_disk_loses_nothing(collection: LocalCollection, limit: int) -> None:
    before = collection.search(rows(1), 30)
    result = run(
        """
        collection = open_collection(sys.argv[1])
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
        try:
            for n in range(1000):
                collection.add([chunk(f"more{n}", "x" * 2000)], rows(1))
        except Exception as error:
            print(type(error).__name__, error)
        """,
        collection.location,
        limit,
    )
    assert result.stdout.startswith("CollectionFullError"), result
    assert "no room" in result.stdout
    assert collection.verify().ok
    kept = [c.id for batch in collection.iterate() for c, _ in batch]
    more = [identity for identity in kept if identity.startswith("more")]
    assert kept == [f"c{n}" for n in range(30)] + [f"more{n}" for n in range(len(more))]
    assert collection.search(rows(1), 30, Selection(ids=tuple(f"c{n}" for n in range(30)))) == before
    collection.add([chunk("after")], rows(1))


def _lock_folder(folder: Path) -> None:
    for path in folder.rglob("*"):
        path.chmod(0o444 if path.is_file() else 0o555)
    folder.chmod(0o555)


READ = """
    try:
        collection = open_collection(sys.argv[1], "read")
        found = collection.text_search(["text"], 3)[0][0].chunk.id
        print(collection.count(), len(collection.search(rows(1), 100)[0]), found)
        collection.add([chunk("x")], rows(1))
    except Exception as error:
        print(type(error).__name__, error)
    """


@pytest.fixture
def open_path(tmp_path: Path) -> None:
    """Other users may walk down to the test's folder."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)


@pytest.mark.skipif(os.getuid() != 0, reason="dropping to another user takes root")
@pytest.mark.usefixtures("open_path")
class TestReadOnlyFolder:
    def test_clean(self, collection: LocalCollection) -> None:
        collection.close()
        _lock_folder(Path(collection.location))
        result = run(READ, collection.location, user=OTHER_USER)
        lines = result.stdout.splitlines()
        assert lines[0] == "30 30 c0", result
        assert lines[1].startswith("CollectionReadOnlyError"), result
        assert not list(Path(collection.location).glob("*-wal"))

    def test_writing_needs_permission(self, collection: LocalCollection) -> None:
        collection.close()
        _lock_folder(Path(collection.location))
        result = run(
            """
            try:
                open_collection(sys.argv[1])
            except Exception as error:
                print(type(error).__name__, error)
            """,
            collection.location,
            user=OTHER_USER,
        )
        assert result.stdout.startswith("CollectionReadOnlyError"), result
        assert "mode='read'" in result.stdout

    def test_after_a_kill_shows_all_that_was_committed_or_says_why_not(self, collection: LocalCollection) -> None:
        folder = Path(collection.location)
        collection.close()
        killed = run(
            """
            collection = open_collection(sys.argv[1])
            collection.add([chunk("last")], rows(1))
            os.kill(os.getpid(), signal.SIGKILL)
            """,
            folder,
        )
        assert killed.returncode == -signal.SIGKILL
        assert (folder / "collection.sqlite-wal").stat().st_size
        for shared_memory in (True, False):
            if not shared_memory:
                (folder / "collection.sqlite-shm").unlink(missing_ok=True)
            _lock_folder(folder)
            line = run(READ, folder, user=OTHER_USER).stdout.splitlines()[0]
            expected = "31 31 c0" if shared_memory else "CollectionReadOnlyError"
            assert line.startswith(expected), line
            assert shared_memory or "open it once as a user who may write" in line
        folder.chmod(0o755)
        for path in folder.iterdir():
            path.chmod(0o644)
        with open_collection(folder) as opened:  # type: ignore[attr-defined]
            assert opened.count() == 31

    def test_beside_a_writer(self, collection: LocalCollection) -> None:
        collection.add([chunk("new")], rows(1))
        for path in Path(collection.location).iterdir():
            path.chmod(0o644)
        result = run(READ, collection.location, user=OTHER_USER)
        assert result.stdout.startswith("31 31 c0"), result


def read_everything(folder: Path) -> None:
    opened = open_collection(folder)
    try:
        opened.search(rows(1), 5)
        list(opened.iterate(with_embeddings=True))
    finally:
        opened.close()


@pytest.mark.parametrize("kind", ["truncated", "overwritten", "holes", "emptied"])
def test_a_damaged_database_is_told(
    collection: LocalCollection, damage: Callable[[Path, str], None], kind: str
) -> None:
    collection.close()
    path = Path(collection.location) / "collection.sqlite"
    damage(path, kind)
    error = CollectionNotFoundError if kind == "emptied" else CollectionDamagedError
    with pytest.raises(error, match=str(path.parent)):
        read_everything(path.parent)


def test_verify_names_what_is_wrong(collection: LocalCollection) -> None:
    connection = sqlite3.connect(Path(collection.location) / "collection.sqlite")
    connection.execute("UPDATE embeddings SET \"values\" = x'00' WHERE row = 1")
    connection.execute("UPDATE chunks SET text = 'forged' WHERE row = 2")
    connection.execute("DELETE FROM embeddings WHERE row = 3")
    connection.commit()
    connection.close()
    problems = "\n".join(collection.verify().problems)
    assert "'c0'" in problems
    assert "'c1'" in problems
    assert "embeddings: 0 without a chunk, 1 chunks without" in problems


def test_another_format_is_named(collection: LocalCollection) -> None:
    collection.close()
    connection = sqlite3.connect(Path(collection.location) / "collection.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(CollectionDamagedError, match="format 99, this version of late_rag reads format 3"):
        open_collection(collection.location)


def test_a_writer_that_waits_too_long_says_so(collection: LocalCollection) -> None:
    waiting = LocalCollection(Path(collection.location), "write", timeout=0.2)
    holder = sqlite3.connect(Path(collection.location) / "collection.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(CollectionBusyError, match=r"0\.2 s"):
        waiting.add([chunk("x")], rows(1))
    assert len(waiting.search(rows(1), 100)[0]) == 30
    holder.execute("ROLLBACK")
    holder.close()
    waiting.add([chunk("x")], rows(1))
    waiting.close()


def _child(collection: LocalCollection, answers: multiprocessing.Queue[object]) -> None:
    hits = collection.search(rows(1), 5)[0]
    collection.add([chunk("from-child")], rows(1, seed=5))
    answers.put([hit.chunk.id for hit in hits])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_gets_connections_of_its_own(collection: LocalCollection) -> None:
    expected = [hit.chunk.id for hit in collection.search(rows(1), 5)[0]]
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[object] = context.Queue()
    child = context.Process(target=_child, args=(collection, answers))
    child.start()
    assert answers.get(timeout=30) == expected
    child.join(30)
    assert child.exitcode == 0
    assert collection.count() == 31
    assert collection.search(rows(1, seed=5), 1)[0][0].chunk.id == "from-child"
    collection.add([chunk("from-parent")], rows(1))
    assert collection.verify().ok


def test_removals_that_were_forgotten_make_a_view_look_anew(
    collection: LocalCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from late_rag.collections.local import writer

    monkeypatch.setattr(writer, "_REMOVED_KEPT", 3)
    other = open_collection(collection.location)
    other.search(rows(1), 5)
    chunks, embeddings = fill(collection, 30, seed=1)
    collection.delete(Selection(ids=tuple(c.id for c in chunks[:10])))
    for _ in range(3):
        collection.add(chunks[10:], embeddings[10:])
    assert {hit.chunk.id for hit in other.search(rows(1), 100)[0]} == {c.id for c in chunks[10:]}
    other.close()


def test_memory_stays_bounded_for_many_queries(collection: LocalCollection) -> None:
    queries = rows(700, seed=6)
    assert [[h.chunk.id for h in hits] for hits in collection.search(queries, 3)] == [
        [h.chunk.id for h in collection.search([query], 3)[0]] for query in queries
    ]


def test_info_counts(collection: LocalCollection) -> None:
    info = collection.info()
    assert (info.chunks, info.documents, info.sources, info.index) == (30, 0, 0, "exact")
    assert info.tokens == sum(len(found) for found in collection.embeddings([f"c{n}" for n in range(30)]).values())
    assert info.bytes_on_disk > 10_000
    assert np.isfinite(info.bytes_on_disk)
