"""The process that reads in place of this one: started from anything, ended with it, and shared with no child."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from late_rag import Retriever
from late_rag.loaders import Isolation, isolation, load
from late_rag.testing import HashEncoder
from tests.loaders.pdf_parts import deep_tree, inflating, self_drawing
from tests.loaders.test_isolation import ABORTED, is_gone

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and forks")

READ = """
import os, sys
from late_rag.loaders import Isolation, load

def read(path, **options):
    (file,) = load(path, **options)
    return [document.text.strip() for document in file.documents]
"""

ODD = """
from late_rag import backends, loaders
loaders.LOADERS = {**backends.LOADERS, ".odd": backends.Format("tests.loaders.odd_loaders", "OddLoader", isolated=True)}
(file,) = load(sys.argv[1])
documents = iter(file.documents)
print(next(documents).text, flush=True)
list(documents)
"""


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts Python with a code and arguments."""
    started = []

    def start(code: str, *arguments: object, **options: object) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(ROOT), *sys.path])
        process = subprocess.Popen(
            [sys.executable, "-c", READ + textwrap.dedent(code), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            **options,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def sleeping(tmp_path: Path) -> Path:
    """A file of which one document comes, and then nothing."""
    path = tmp_path / "a.odd"
    path.write_text("sleeps")
    return path


def test_hostile_pdfs_among_others(tmp_path, make_pdf):
    if sys.platform != "linux":
        pytest.skip("memory is limited on Linux")
    make_pdf("a.pdf", ["the quick brown fox"])
    (tmp_path / "b_draws_itself.pdf").write_bytes(self_drawing())
    (tmp_path / "c_inflates.pdf").write_bytes(inflating(80 << 20))
    (tmp_path / "d_is_deep.pdf").write_bytes(deep_tree(2_000))
    make_pdf("e.pdf", ["a lazy dog"])
    with Retriever.create(None, HashEncoder()) as retriever:
        result = retriever.sync(tmp_path, isolated=Isolation(memory=64 << 20))
        found = [hit.chunk.text.strip() for hit in retriever.search("fox dog", 9)]
    assert [Path(location).name for location in result.added] == ["a.pdf", "e.pdf"]
    assert sorted(found) == ["a lazy dog", "the quick brown fox"]
    reasons = {Path(failed.location).name: failed.reason for failed in result.failed}
    assert reasons == {
        "b_draws_itself.pdf": f"{tmp_path}/b_draws_itself.pdf: {ABORTED}",
        "c_inflates.pdf": f"{tmp_path}/c_inflates.pdf: {ABORTED}",
        "d_is_deep.pdf": f"{tmp_path}/d_is_deep.pdf: page 1 cannot be read (Failed to load page.)",
    }


def test_a_script_without_a_main_block_runs_once(tmp_path, make_pdf):
    pdf = make_pdf("a.pdf", ["words"])
    script = tmp_path / "script.py"
    script.write_text(f"{READ}\nprint('runs', read({str(pdf)!r}))\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env={**os.environ}, check=False)
    assert (done.stdout, done.stderr) == ("runs ['words']\n", "")


def test_from_standard_input(make_pdf):
    code = f"{READ}\nprint(read({str(make_pdf('a.pdf', ['words']))!r}))\n"
    done = subprocess.run([sys.executable, "-"], input=code, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("['words']\n", "")


def test_a_file_of_the_same_name_in_the_folder_is_not_run(tmp_path, make_pdf):
    (tmp_path / "pypdfium2.py").write_text("raise SystemExit('mine')")
    (tmp_path / "json.py").write_text("raise SystemExit('mine')")
    pdf = make_pdf("a.pdf", ["words"])
    script = tmp_path / "programs" / "script.py"
    script.parent.mkdir()
    script.write_text(f"{READ}\nprint('runs', read({str(pdf)!r}))\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.stdout, done.stderr) == ("runs ['words']\n", "")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_ends_with_its_parent(program, sleeping, number):
    running = program(ODD, sleeping)
    worker = int(running.stdout.readline())
    running.send_signal(number)
    assert running.wait() == -number
    assert is_gone(worker)


def test_an_idle_worker_ends_with_its_parent(program, make_pdf):
    running = program(
        """
        from late_rag.loaders import isolation
        read(sys.argv[1])
        print(isolation._workers._idle[0]._process.pid)
        """,
        make_pdf("a.pdf", ["words"]),
    )
    out, err = running.communicate()
    assert err == ""
    assert is_gone(int(out))


def test_control_c_ends_both_and_the_worker_says_nothing(program, sleeping):
    running = program(ODD, sleeping, start_new_session=True)
    worker = int(running.stdout.readline())
    os.killpg(running.pid, signal.SIGINT)
    _, err = running.communicate()
    assert is_gone(worker)
    assert err.count("Traceback") == 1
    assert err.endswith("KeyboardInterrupt\n")


def test_a_child_of_a_fork_starts_its_own(program, make_pdf):
    running = program(
        """
        import warnings
        from late_rag.loaders import isolation
        warnings.simplefilter("error", ResourceWarning)
        pid = lambda: isolation._workers._idle[-1]._process.pid
        read(sys.argv[1])
        before = pid()
        child = os.fork()
        if not child:
            assert read(sys.argv[1]) == ["words"] and pid() != before
            isolation._workers.end()
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert read(sys.argv[1]) == ["words"] and pid() == before
        """,
        make_pdf("a.pdf", ["words"]),
    )
    assert running.communicate() == ("", "")
    assert running.returncode == 0


def test_a_child_of_a_fork_neither_goes_on_with_a_file_nor_ends_it(program, make_pdf):
    running = program(
        """
        from late_rag import backends, loaders
        row = backends.Format("tests.loaders.odd_loaders", "OddLoader", isolated=True)
        loaders.LOADERS = {**backends.LOADERS, ".odd": row}
        with open("a.odd", "w") as file:
            file.write("many")
        (file,) = load("a.odd")
        documents = iter(file.documents)
        next(documents)
        child = os.fork()
        if not child:
            assert list(documents) == []
            assert str(file.error).endswith("it was being read when this process was forked"), file.error
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert len(list(documents)) == 50 and file.error is None
        """
    )
    out, err = running.communicate()
    assert (running.returncode, out) == (0, ""), err


def test_a_worker_that_waits_for_long_ends_and_another_is_started(program, make_pdf):
    running = program(
        """
        from late_rag.loaders import isolation
        from late_rag.loaders.isolation import process
        process._CODE = process._CODE.replace("main()", "sys.modules[main.__module__]._PATIENCE = 0.05; main()")
        read(sys.argv[1])
        (worker,) = isolation._workers._idle
        os.waitid(os.P_PID, worker._process.pid, os.WEXITED | os.WNOWAIT)
        assert read(sys.argv[1]) == ["words"]
        assert isolation._workers._idle[0] is not worker and worker._process.returncode == 0
        """,
        make_pdf("a.pdf", ["words"]),
    )
    assert running.communicate() == ("", "")
    assert running.returncode == 0


def test_the_memory_of_the_parent_does_not_count(program, make_pdf):
    running = program(
        """
        from late_rag.loaders import isolation
        held = b"x" * (300 << 20)
        read(sys.argv[1])
        (worker,) = isolation._workers._idle
        assert read(sys.argv[1], isolated=Isolation(memory=64 << 20)) == ["words"]
        assert isolation._workers._idle[0] is worker
        """,
        make_pdf("a.pdf", ["words"]),
    )
    assert running.communicate() == ("", "")
    assert running.returncode == 0


def test_memory_is_watched_where_the_system_does_not_limit_it(program):
    running = program(
        """
        from late_rag.loaders.isolation.limits import Limits
        limits = Limits()
        limits.watch()
        limits._lower = lambda *_: None
        limits.set(64 << 20, 60)
        held = b"x" * (100 << 20)
        import time
        time.sleep(10)
        """
    )
    started = time.monotonic()
    assert running.wait() == 77
    assert time.monotonic() - started < 5


def test_a_worker_is_the_first_that_linux_ends(make_pdf):
    if sys.platform != "linux":
        pytest.skip("Linux")
    (file,) = load(make_pdf("a.pdf", ["words"]))
    assert len(list(file.documents)) == 1
    worker = isolation._workers._idle[-1]._process.pid
    assert Path(f"/proc/{worker}/oom_score_adj").read_text() == "1000\n"
