"""A small file system that is full, and few open files, during each operation: told, nothing lost, and it goes on."""

from __future__ import annotations

import io
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from late_rag.collections import create_collection, open_collection
from late_rag.collections.local import LocalCollection, index_files
from late_rag.errors import CollectionFullError, CollectionNotFoundError
from late_rag.filters.selection import Selection
from late_rag.protocols import CollectionSettings
from late_rag.testing.collection_base import DIM, fill, rows
from late_rag.transfer import copy_collection, export_jsonl, import_jsonl

SETTINGS = CollectionSettings(model="test", model_id="test-1", dim=DIM)
KIB = 1024


class Disk:
    """A mounted tmpfs whose size can be set."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.place)], check=True)

    def fill(self, free: int) -> None:
        """Leaves so many bytes."""
        (self.place / "ballast").unlink(missing_ok=True)
        state = os.statvfs(self.place)
        (self.place / "ballast").write_bytes(bytes(max(0, state.f_bavail * state.f_bsize - free)))

    def empty(self) -> None:
        (self.place / "ballast").unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={8 * KIB * KIB}", "tmpfs", str(place)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system takes root on Linux")
    try:
        yield Disk(place)
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[LocalCollection]:
    """On a disk with room: what is copied and exported."""
    made = create_collection(tmp_path / "origin.rag", SETTINGS)
    assert isinstance(made, LocalCollection)
    fill(made, 700)
    yield made
    made.close()


@pytest.fixture
def carry(request: pytest.FixtureRequest, origin: LocalCollection, tmp_path: Path) -> Callable[[Path], object]:
    """Carries the origin to a place, as copy or as import."""
    if request.param == "copy":
        return lambda place: copy_collection(origin, place, merge=True)
    lines = tmp_path / "lines.jsonl"
    with lines.open("w", encoding="utf-8") as stream:
        export_jsonl(origin, stream.write, embeddings=True)
    return lambda place: import_jsonl(io.BytesIO(lines.read_bytes()), place, merge=True)


def answers(collection: LocalCollection) -> list[list[tuple[str, float]]]:
    return [[(hit.chunk.id, hit.score) for hit in hits] for hits in collection.search(rows(3, seed=5), 20)]


@pytest.mark.parametrize("carry", ["copy", "import"], indirect=True)
@pytest.mark.parametrize("size", [20, 100, 200, 240, 600])
def test_copy_and_import_on_a_full_disk(
    disk: Disk, origin: LocalCollection, carry: Callable[[Path], object], size: int
) -> None:
    """Also while the collection is made: of 200 KiB there is room for its log and none for the whole database."""
    disk.resize(size * KIB)
    target = disk.place / "t.rag"
    with pytest.raises(CollectionFullError, match=r"/t\.rag: no room left to ") as told:
        carry(target)
    begun = 0
    try:
        with open_collection(target) as part:  # type: ignore[attr-defined]
            begun = part.count()
            assert part.verify().ok
        assert f"{target} holds a part, the first {begun:,} chunks: run this again with merge" in str(told.value)
    except CollectionNotFoundError:
        assert "no room left to make the collection" in str(told.value)
    assert begun in (0, 512)
    disk.resize(8 * KIB * KIB)
    carry(target)
    with open_collection(target) as whole:
        assert isinstance(whole, LocalCollection)
        assert answers(whole) == answers(origin)
        assert whole.count() == 700
        assert whole.verify().ok


def test_an_export_from_a_pipe_finds_no_room_for_temporary_files(
    disk: Disk, origin: LocalCollection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    lines: list[str] = []
    export_jsonl(origin, lines.append, embeddings=True)
    disk.fill(100 * KIB)
    monkeypatch.setattr(tempfile, "tempdir", str(disk.place))
    stream = Pipe("".join(lines).encode())
    with pytest.raises(CollectionFullError, match=rf"^stdin: no room left to keep it in {disk.place} .* as a file"):
        import_jsonl(stream, tmp_path / "t.rag", name="stdin")
    assert not (tmp_path / "t.rag").exists()


@pytest.fixture
def kept(disk: Disk) -> Iterator[LocalCollection]:
    """On the small disk, with as many deleted chunks as there are others."""
    made = create_collection(disk.place / "c.rag", SETTINGS)
    assert isinstance(made, LocalCollection)
    fill(made, 600, turn=1)
    made.delete(Selection(ids=tuple(f"c{number}" for number in range(300))))
    made.close()  # and the log is empty
    opened = open_collection(made.location)
    assert isinstance(opened, LocalCollection)
    yield opened
    opened.close()


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("free", [0, 8, 50, 150, 300])
def test_optimize_on_a_full_disk(
    disk: Disk, kept: LocalCollection, monkeypatch: pytest.MonkeyPatch, free: int, indexed: bool
) -> None:
    if indexed:
        monkeypatch.setattr(index_files, "TAIL_CHUNKS", 5)
    before = answers(kept)
    disk.fill(free * KIB)
    with pytest.raises(CollectionFullError, match=r"/c\.rag.*: no room left to .*nothing was lost; optimize was sto"):
        kept.optimize()
    assert answers(kept) == before
    with open_collection(kept.location) as other:
        assert isinstance(other, LocalCollection)
        assert answers(other) == before
    assert kept.verify().ok
    disk.empty()
    kept.optimize()
    assert answers(kept) == before
    assert kept.verify().ok
    assert kept.info().indexed == (300 if indexed else 0)


def damage(collection: LocalCollection) -> None:
    with sqlite3.connect(Path(collection.location) / "collection.sqlite") as database:
        database.execute("DELETE FROM facets")
        database.execute("DELETE FROM fulltext")
    database.close()


@pytest.mark.parametrize("free", [0, 8, 50])
def test_repair_on_a_full_disk(disk: Disk, kept: LocalCollection, free: int) -> None:
    before = answers(kept)
    damage(kept)
    found = kept.verify().problems
    disk.fill(free * KIB)
    with pytest.raises(CollectionFullError, match=r"/c\.rag: no room left to write .*nothing was lost$"):
        kept.repair()
    assert answers(kept) == before
    assert kept.verify().problems == found
    disk.empty()
    assert kept.repair().mended == found
    assert answers(kept) == before
    assert kept.verify().ok
    assert kept.count(Selection(filter="turn == 1")) == 300


def test_repair_finds_no_room_for_index_files(
    disk: Disk, kept: LocalCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_files, "TAIL_CHUNKS", 5)
    kept.optimize()
    before = answers(kept)
    damage(kept)
    (values,) = Path(kept.location).glob("index/*/values.u8")
    values.write_bytes(b"cut")
    disk.fill(200 * KIB)
    with pytest.raises(CollectionFullError, match=r"/c\.rag/index: no room left to write index files .*nothing was lo"):
        kept.repair()
    assert answers(kept) == before
    assert len(kept.verify().problems) == 1, "all but the index is made anew"
    disk.empty()
    assert kept.repair().ok
    assert answers(kept) == before


@pytest.mark.parametrize("free", [0, 16, 40])
def test_verify_does_not_take_full_temporary_files_for_damage(
    disk: Disk, origin: LocalCollection, monkeypatch: pytest.MonkeyPatch, free: int
) -> None:
    disk.fill(free * KIB)
    monkeypatch.setattr(tempfile, "tempdir", str(disk.place))
    with pytest.raises(CollectionFullError, match=rf"no room left .*{disk.place}|{disk.place}: no room left .*TMPDIR$"):
        origin.verify()
    disk.empty()
    assert origin.verify().ok


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
class TestFewOpenFiles:
    """In a process that may have 64 files open."""

    @pytest.fixture
    def origin(self, tmp_path: Path) -> Iterator[LocalCollection]:
        made = create_collection(tmp_path / "origin.rag", SETTINGS)
        assert isinstance(made, LocalCollection)
        fill(made, 150)
        yield made
        made.close()

    def run(self, script: str, *arguments: object) -> None:
        prelude = """
import os, resource, sys, threading
from late_rag.collections import open_collection
from late_rag.collections.local import database, index_files
from late_rag.errors import CollectionError
from late_rag.testing.collection_base import rows
from late_rag.transfer import copy_collection, import_jsonl
index_files.TAIL_CHUNKS = 100
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
collection = open_collection(sys.argv[1])
"""
        done = subprocess.run(
            [sys.executable, "-c", prelude + script, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def test_searches_of_thirty_threads_wait_for_each_other(self, origin: LocalCollection) -> None:
        script = """
expected, begun, wrong = collection.search(rows(2), 5), threading.Barrier(30), []
def work():
    begun.wait()
    for _ in range(3):
        try:
            if collection.search(rows(2), 5) != expected:
                wrong.append("another answer")
        except BaseException as error:
            wrong.append(repr(error))
threads = [threading.Thread(target=work) for _ in range(30)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
assert not wrong, wrong
"""
        self.run(script, origin.location)

    def test_import_copy_and_optimize_tell_that_too_many_are_open(
        self, origin: LocalCollection, tmp_path: Path
    ) -> None:
        """With 64 they do their work; with none or 2 more than what others hold, they tell, and go on later."""
        script = """
def take(free):
    held = []
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
    for _ in range(free):
        os.close(held.pop())
    return held
def copy(place):
    copy_collection(collection, place + "-copy.rag", merge=True)
def load(place):
    with open(sys.argv[2], "rb") as lines:
        held = take(int(place[-1]))
        try:
            import_jsonl(lines, place + "-import.rag", merge=True)
        finally:
            [os.close(file) for file in held]
expected = [(hit.chunk.id, hit.score) for hit in collection.search(rows(1), 20)[0]]
copy(sys.argv[3] + "/9"), load(sys.argv[3] + "/9"), collection.optimize()  # all modules are imported
told, database._FILES_SECONDS = 0, 0.05
for free in (0, 2):
    place = f"{sys.argv[3]}/{free}"
    for work in (copy, load, lambda place: collection.optimize(), lambda place: collection.verify()):
        held = take(free) if work is not load else []
        try:
            work(place)
        except CollectionError as error:
            told += 1
            assert any(why in str(error) for why in ("oo many", "unable to open", "temporary directory")), error
        [os.close(file) for file in held]
    copy(place), collection.optimize()
    with open(sys.argv[2], "rb") as lines:
        import_jsonl(lines, place + "-import.rag", merge=True)
    for kind in ("copy", "import"):
        made = open_collection(f"{place}-{kind}.rag")
        assert [(hit.chunk.id, hit.score) for hit in made.search(rows(1), 20)[0]] == expected
        assert made.verify().ok
        made.close()
assert collection.verify().ok
assert told > 2, told
"""
        lines = tmp_path / "lines.jsonl"
        with lines.open("w", encoding="utf-8") as stream:
            export_jsonl(origin, stream.write, embeddings=True)
        self.run(script, origin.location, lines, tmp_path)
