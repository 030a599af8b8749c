"""Which files are found, what each is called, and what is gone."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from late_rag.errors import InputError, LoadError
from late_rag.loaders import gone, load, scopes
from late_rag.types import Source, digest


def write(folder: Path, *names: str) -> Path:
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"words of {name}")
    return folder


def names(*paths: Path, **options: object) -> list[tuple[str, str]]:
    return [(file.root, file.path) for file in load(paths, **options)]


def paths_of(*paths: Path, **options: object) -> list[str]:
    return [path for _, path in names(*paths, **options)]


def test_fixed_order_and_hidden_files(tmp_path):
    write(tmp_path, "b.txt", "a/z.txt", "a/b/c.txt", "C.txt", ".hidden.txt", ".git/config.txt", "a/~$lock.txt")
    assert names(tmp_path) == [(tmp_path.as_posix(), path) for path in ("C.txt", "a/b/c.txt", "a/z.txt", "b.txt")]


def test_state_of_a_file(tmp_path):
    file = write(tmp_path, "a.txt") / "a.txt"
    os.utime(file, ns=(1_700_000_000_123_456_789, 1_700_000_000_123_456_789))
    (source,) = load(tmp_path)
    assert (source.size, source.mtime) == (file.stat().st_size, file.stat().st_mtime)
    before = source.hash
    file.write_text("words of b.txt")
    assert next(load(tmp_path)).hash != before
    file.write_text("words of a.txt")
    assert next(load(tmp_path)).hash == before


def test_root_of_a_file_alone_is_its_folder(tmp_path):
    write(tmp_path, "docs/sub/a.txt", "docs/sub/b.txt")
    assert names(tmp_path / "docs/sub/a.txt") == [((tmp_path / "docs/sub").as_posix(), "a.txt")]


def test_a_relative_path_gives_a_resolved_root(tmp_path, monkeypatch):
    write(tmp_path, "docs/a.txt")
    monkeypatch.chdir(tmp_path)
    assert names(Path("docs/../docs")) == names(tmp_path / "docs") == [((tmp_path / "docs").as_posix(), "a.txt")]
    (tmp_path / "shortcut").symlink_to("docs")
    assert names(Path("shortcut")) == names(tmp_path / "docs")


def test_overlapping_paths_give_a_file_once(tmp_path):
    write(tmp_path, "a.txt", "sub/b.txt", "sub/deep/c.txt")
    expected = [(tmp_path.as_posix(), path) for path in ("a.txt", "sub/b.txt", "sub/deep/c.txt")]
    given = [tmp_path / "sub/deep/c.txt", tmp_path / "sub", tmp_path, tmp_path / "sub/deep", tmp_path / "a.txt"]
    assert names(*given) == expected
    assert names(*reversed(given)) == expected


def test_a_file_inside_a_folder_that_was_indexed_before(tmp_path):
    write(tmp_path, "docs/a.txt", "docs/sub/b.txt")
    docs = (tmp_path / "docs").as_posix()
    assert names(tmp_path / "docs/sub/b.txt", known_roots=[docs]) == [(docs, "sub/b.txt")]
    assert names(tmp_path / "docs/sub", known_roots=[docs]) == [(docs, "sub/b.txt")]
    assert names(tmp_path / "docs", known_roots=[docs, "handbook"]) == [(docs, "a.txt"), (docs, "sub/b.txt")]


def test_a_folder_around_one_that_was_indexed_before(tmp_path):
    write(tmp_path, "docs/a.txt", "docs/sub/b.txt")
    docs, sub = (tmp_path / "docs").as_posix(), (tmp_path / "docs/sub").as_posix()
    assert names(tmp_path / "docs", known_roots=[sub]) == [(docs, "a.txt"), (sub, "b.txt")]
    assert names(tmp_path / "docs/sub/b.txt", known_roots=[docs, sub]) == [(sub, "b.txt")]


def test_two_folders_with_the_same_file_names(tmp_path):
    write(tmp_path, "one/a.txt", "two/a.txt")
    (tmp_path / "two/a.txt").write_text("words of a.txt")
    (tmp_path / "one/a.txt").write_text("words of a.txt")
    files = list(load([tmp_path / "one", tmp_path / "two"]))
    assert [file.path for file in files] == ["a.txt", "a.txt"]
    identifiers = [document.id for file in files for document in file.documents]
    assert len(set(identifiers)) == 2
    assert identifiers == [digest(file.root, "a.txt", "") for file in files]


def test_as_names_the_root(tmp_path):
    write(tmp_path, "docs/a.txt", "docs/sub/b.txt", "other/c.txt")
    docs = tmp_path / "docs"
    assert names(docs, as_="handbook") == [("handbook", "a.txt"), ("handbook", "sub/b.txt")]
    assert names(docs / "sub/b.txt", docs, as_="handbook") == names(docs, as_="handbook")
    assert names(docs, as_="handbook", known_roots=[docs.as_posix()]) == names(docs, as_="handbook")
    with pytest.raises(InputError, match=r"as_='handbook' names one root, but the paths belong to 2: .*docs, .*other"):
        load([docs, tmp_path / "other"], as_="handbook")
    with pytest.raises(InputError, match="as_ names the root"):
        load(docs, as_=" ")


def test_the_same_files_under_one_name_have_the_same_ids(tmp_path):
    write(tmp_path, "here/a.txt", "there/a.txt")
    identifiers = [
        document.id
        for place in ("here", "there")
        for f in load(tmp_path / place, as_="docs")
        for document in f.documents
    ]
    assert identifiers[0] == identifiers[1] == digest("docs", "a.txt", "")


def test_missing_paths_are_named_before_anything_is_loaded(tmp_path):
    write(tmp_path, "a.txt")
    with pytest.raises(InputError) as caught:
        load([tmp_path / "a.txt", tmp_path / "gone.txt", tmp_path / "lost"])
    assert str(caught.value) == f"there is no file or folder '{tmp_path}/gone.txt', '{tmp_path}/lost'"
    with pytest.raises(InputError, match=r"no file or folder 'https:/+example.com/a'; fetch what is at a URL first"):
        load("https://example.com/a")
    with pytest.raises(InputError, match=r"paths\[0\] is 7; a path is a text or a Path"):
        load([7])
    with pytest.raises(InputError, match=r"paths\[0\] is ''; name a file or folder"):
        load("")
    assert list(load([])) == []


def test_links_to_what_is_found_anyway_are_passed_over(tmp_path):
    write(tmp_path, "real/a.txt")
    (tmp_path / "again.txt").symlink_to("real/a.txt")
    (tmp_path / "folder").symlink_to("real")
    assert paths_of(tmp_path) == ["real/a.txt"]
    assert paths_of(tmp_path / "again.txt", tmp_path / "real/a.txt") == ["a.txt"]


def test_link_loops_end(tmp_path):
    docs, outside = write(tmp_path / "docs", "sub/a.txt"), write(tmp_path / "outside", "b.txt")
    (docs / "sub/up").symlink_to(docs)
    (docs / "all").symlink_to(tmp_path)
    (docs / "out").symlink_to(outside)
    (outside / "back").symlink_to(docs)
    (outside / "round").symlink_to(outside)
    (docs / "self.txt").symlink_to("self.txt")
    files = list(load(docs))
    assert [file.path for file in files if not file.error] == ["out/b.txt", "sub/a.txt"]
    assert [(file.path, str(file.error)) for file in files if file.error] == [
        ("self.txt", f"{docs}/self.txt: a symbolic link that leads nowhere")
    ]


def test_links_to_the_outside_are_followed_under_their_own_name(tmp_path):
    write(tmp_path, "outside/a.txt", "outside/more/b.txt", "docs/.store/c.txt")
    docs = tmp_path / "docs"
    (docs / "linked").symlink_to(tmp_path / "outside")
    (docs / "twice").symlink_to(tmp_path / "outside")
    (docs / "annexed.txt").symlink_to(".store/c.txt")
    (docs / "one.txt").symlink_to(tmp_path / "outside/a.txt")
    (docs / "broken.txt").symlink_to("nowhere.txt")
    files = [file.path for file in load(docs) if not file.error]
    assert files == ["annexed.txt", "linked/a.txt", "linked/more/b.txt"]
    (only,) = load(docs / "annexed.txt")
    assert [document.text for document in only.documents] == ["words of docs/.store/c.txt"]
    assert (only.root, only.path) == (docs.as_posix(), "annexed.txt")


def test_a_link_into_a_known_root_has_the_name_that_it_has_there(tmp_path):
    write(tmp_path, "handbook/a.txt", "docs/b.txt")
    (tmp_path / "docs/link.txt").symlink_to(tmp_path / "handbook/a.txt")
    (tmp_path / "docs/all").symlink_to(tmp_path / "handbook")
    handbook, docs = (tmp_path / "handbook").as_posix(), (tmp_path / "docs").as_posix()
    assert names(tmp_path / "docs", known_roots=[handbook]) == [(handbook, "a.txt"), (docs, "b.txt")]


def test_hidden_files_that_are_given_by_name_are_loaded(tmp_path):
    write(tmp_path, ".notes/a.txt", ".secret.txt", "b.txt")
    assert paths_of(tmp_path / ".notes") == ["a.txt"]
    assert paths_of(tmp_path / ".secret.txt") == [".secret.txt"]
    assert paths_of(tmp_path, tmp_path / ".notes") == ["b.txt", ".notes/a.txt"]


def test_a_collection_among_the_documents_is_passed_over(tmp_path, caplog):
    write(tmp_path, "a.txt", "index.rag/collection.sqlite", "index.rag/index/1/x.txt")
    with caplog.at_level(logging.INFO):
        assert paths_of(tmp_path) == ["a.txt"]
    assert "index.rag: passed over" in caplog.text


def test_unknown_types_are_reported(tmp_path, caplog):
    write(tmp_path, "a.txt", "b.xyz", "Makefile")
    errors = {file.path: str(file.error) for file in load(tmp_path) if file.error}
    assert errors == {
        "Makefile": f"{tmp_path}/Makefile: there is no loader for files without an extension",
        "b.xyz": f"{tmp_path}/b.xyz: there is no loader for .xyz",
    }
    assert caplog.text.count("not loaded: ") == 2
    (file,) = load(tmp_path / "b.xyz")
    assert list(file.documents) == []
    with pytest.raises(LoadError, match="no loader"):
        list(load(tmp_path, strict=True))


def test_a_name_that_is_not_unicode(tmp_path, caplog):
    write(tmp_path, "a.txt")
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("words")
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    good, bad = load(tmp_path)
    assert good.error is None
    assert bad.path == "caf\\xe9.txt"
    assert str(bad.error) == rf"{tmp_path}/caf\xe9.txt: its name is not valid Unicode; rename it"
    assert r"caf\xe9.txt" in caplog.text  # and no lone surrogate, which no file can be written with


def test_what_is_gone(tmp_path):
    write(tmp_path, "docs/a.txt", "docs/sub/b.txt", "docs/sub/c.txt", "other/d.txt")
    before = [file.source for file in load([tmp_path / "docs", tmp_path / "other"])]
    (tmp_path / "docs/a.txt").unlink()
    (tmp_path / "docs/sub/b.txt").unlink()
    (tmp_path / "other/d.txt").unlink()

    def gone_below(path: Path) -> list[str]:
        known = [(tmp_path / "docs").as_posix(), (tmp_path / "other").as_posix()]
        found = list(load(path, known_roots=known))
        return [source.path for source in gone(before, found, scopes(path, known_roots=known))]

    assert gone_below(tmp_path / "docs") == ["a.txt", "sub/b.txt"]
    assert gone_below(tmp_path / "docs/sub") == ["sub/b.txt"]
    assert gone_below(tmp_path / "docs/sub/c.txt") == []
    assert gone_below(tmp_path) == ["a.txt", "sub/b.txt", "d.txt"]


def test_hidden_sources_are_not_gone_because_a_folder_does_not_show_them(tmp_path):
    write(tmp_path, "a.txt", ".notes/b.txt")
    stored = [Source(tmp_path.as_posix(), ".notes/b.txt", "", 0, 0)]
    assert gone(stored, list(load(tmp_path)), scopes(tmp_path)) == []
    given = [tmp_path, tmp_path / ".notes"]
    assert gone(stored, [], scopes(given)) == stored


def test_a_broken_link_takes_nothing_away(tmp_path):
    outside = write(tmp_path / "outside", "a.txt")
    docs = write(tmp_path / "docs", "b.txt")
    (docs / "link").symlink_to(outside)
    stored = [file.source for file in load(docs)]
    assert [source.path for source in stored] == ["b.txt", "link/a.txt"]
    (outside / "a.txt").unlink()
    outside.rmdir()
    assert gone(stored, list(load(docs)), scopes(docs)) == []


AS_ANOTHER_USER = textwrap.dedent(
    """
    import json, os, sys
    from late_rag.loaders import gone, load, scopes
    from late_rag.types import Source
    docs = sys.argv[1]
    for file in load(docs):  # Python itself may be out of reach for the other user: all modules must be there by then
        list(file.documents)
    if os.getuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    files = list(load(docs))
    stored = [Source(docs, path, "", 0, 0) for path in ("locked/x.txt", "listed/y.txt", "secret.txt", "gone.txt")]
    missing = gone(stored, files, scopes(docs))
    print(json.dumps([{f.path: str(f.error) if f.error else "ok" for f in files}, [s.path for s in missing]]))
    try:
        list(load(docs, strict=True))
    except Exception as error:
        print(type(error).__name__)
    """
)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter, as they may not enter pytest's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        folder.chmod(0o755)
        yield folder


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_unreadable_files_and_folders(open_folder):
    docs = write(open_folder / "docs", "a.txt", "secret.txt", "locked/x.txt", "listed/y.txt")
    (docs / "secret.txt").chmod(0)
    (docs / "locked").chmod(0)
    (docs / "listed").chmod(0o444)
    try:
        command = [sys.executable, "-c", AS_ANOTHER_USER, docs.as_posix()]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        (docs / "locked").chmod(0o755)
        (docs / "listed").chmod(0o755)
    assert run.returncode == 0, run.stderr
    result, strict = run.stdout.splitlines()
    files, missing = json.loads(result)
    assert files == {
        "a.txt": "ok",
        "listed/y.txt": f"{docs}/listed/y.txt: Permission denied",
        "locked/": f"{docs}/locked: folder cannot be read: Permission denied",
        "secret.txt": f"{docs}/secret.txt: Permission denied",
    }
    assert missing == ["gone.txt"]
    assert strict == "LoadError"


@contextmanager
def deep_folder(folder: Path, depth: int) -> Iterator[Path]:
    """Folders inside each other, the innermost with a file; step by step: neither a path nor rmtree goes so deep."""
    before = Path.cwd()
    try:
        os.chdir(folder)
        for _ in range(depth):
            Path("d").mkdir()
            os.chdir("d")
        Path("deep.txt").write_text("deep words")
        os.chdir(before)
        yield folder
        os.chdir(folder)
        for _ in range(depth):
            os.chdir("d")
        Path("deep.txt").unlink()
        for _ in range(depth):
            os.chdir("..")
            Path("d").rmdir()
    finally:
        os.chdir(before)


def test_folders_that_are_nested_deeper_than_calls_of_functions(tmp_path):
    write(tmp_path, "z.txt")
    with deep_folder(tmp_path, 900):
        deep, flat = load(tmp_path)
        assert [document.text for document in deep.documents] == ["deep words"]
        assert (deep.path, deep.error) == ("d/" * 900 + "deep.txt", None)
        assert flat.path == "z.txt"
        stored = [deep.source, flat.source, replace(deep.source, path="d/gone.txt")]
        assert gone(stored, [deep, flat], scopes(tmp_path)) == stored[2:]


@pytest.mark.skipif(sys.platform != "linux", reason="how long a path may be there")
def test_folders_that_are_nested_deeper_than_a_path_may_be_long(tmp_path):
    write(tmp_path, "z.txt")
    with deep_folder(tmp_path, 2200):
        deep, flat = load(tmp_path)
    assert str(deep.error).endswith(": File name too long")
    assert (flat.path, flat.error) == ("z.txt", None)
    below = replace(flat.source, path=f"{deep.path}/d/deep.txt")
    assert gone([below], [deep, flat], scopes(tmp_path)) == []


@pytest.mark.skipif(os.name != "posix", reason="pipes, sockets and devices as POSIX has them")
def test_what_is_no_file_is_told_and_never_opened():
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as listener:  # a socket's path is short
        folder = write(Path(name).resolve(), "a.txt", "z.pdf")
        os.mkfifo(folder / "pipe.txt")
        os.mkfifo(folder / "pipe.pdf")
        listener.bind(str(folder / "socket.txt"))
        (folder / "endless.csv").symlink_to("/dev/zero")
        (folder / "null.pdf").symlink_to("/dev/null")
        errors = {file.path: str(file.error) for file in load(folder) if file.error}
        assert errors == {
            path: f"{folder}/{path}: is not a regular file"
            for path in ("endless.csv", "null.pdf", "pipe.pdf", "pipe.txt", "socket.txt")
        }
