"""What only shows in a process of its own: signals, pipes, terminals, imports."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

with contextlib.suppress(ImportError):  # POSIX only
    import fcntl
    import termios

PROGRAM = (sys.executable, "-c", "from late_rag.cli import main; main()")
FILES = 40
PARAGRAPH = "Words number {0} of a long report about the travel of employees and what it costs the department. " * 8


@pytest.fixture
def long_folder(tmp_path: Path) -> Path:
    """Files that take some seconds to encode."""
    folder = tmp_path / "reports"
    folder.mkdir()
    for number in range(FILES):
        text = "\n\n".join(PARAGRAPH.format(f"{number} {place}") for place in range(3))
        (folder / f"{number:03}.txt").write_text(text, encoding="utf-8")
    return folder


def start(*arguments: object, environment: dict[str, str], **options) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*PROGRAM, *map(str, arguments)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def wait_for_chunks(run, collection: Path, process: subprocess.Popen[bytes]) -> None:
    """Until the first file is in."""
    for _ in range(600):
        assert process.poll() is None, "it ended before it could be stopped"
        if (collection / "collection.sqlite").exists():
            told = run("info", "-c", collection, "--json")
            if told.code == 0 and told.json["chunks"]:
                return
        time.sleep(0.05)
    pytest.fail("nothing was written for 30 seconds")


def answered(process: subprocess.Popen[bytes], terminal: int, answer: bytes) -> None:
    """Answers until the process ends: Python misses a Ctrl-C that comes just as ``input`` begins to wait."""
    for _ in range(10):
        os.write(terminal, answer)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=3)
            return
    process.kill()
    process.communicate()
    pytest.fail("it did not end for 30 seconds")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_cleanly_and_the_next_run_goes_on(run, environment, long_folder, tmp_path, number, code):
    collection = tmp_path / "a.rag"
    process = start("index", long_folder, "-c", collection, environment=environment)
    wait_for_chunks(run, collection, process)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    message = err.decode().splitlines()[-1]
    assert process.returncode == code, err.decode()
    assert out == b""
    assert message.startswith("stopped; the collection holds ")
    assert message.endswith("The same command goes on from here")
    assert b"Traceback" not in err
    assert run("verify", "-c", collection).code == 0
    before = run("info", "-c", collection, "--json").json
    assert 0 < before["sources"] < FILES
    rest = run("index", long_folder, "-c", collection, "--json").json
    assert rest["files"]["unchanged"] == before["sources"]
    assert rest["files"]["added"] == FILES - before["sources"]
    assert rest["chunks"]["encoded"] < 3 * FILES - before["chunks"] + 1
    assert run("info", "-c", collection, "--json").json["sources"] == FILES


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_second_ctrl_c_stops_at_once(run, environment, long_folder, tmp_path):
    collection = tmp_path / "a.rag"
    process = start("index", long_folder, "-c", collection, environment=environment)
    wait_for_chunks(run, collection, process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err.decode()
    assert b"Traceback" not in err
    assert run("verify", "-c", collection).code == 0


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("moments", [4, pytest.param(64, marks=pytest.mark.slow)])
def test_a_signal_at_any_moment_is_a_word_and_one_code(environment, indexed, number, code, moments):
    """While modules are imported, too, which may turn an exception into another one."""
    watching = "import sys; from late_rag.cli import stopping, main; stopping.watch(); print('up', flush=True); main()"
    endings = set()
    for moment in range(moments):
        process = subprocess.Popen(
            [sys.executable, "-c", watching, "search", "travel", "-c", str(indexed[1])],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        time.sleep(moment * 0.4 / moments)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        if err or process.returncode not in (0, -number):  # else it had ended, or Python had let go of signals
            assert (process.returncode, err) == (code, b"stopped\n")
        endings.add(process.returncode)
    assert code in endings


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
@pytest.mark.parametrize("command", [("export", "--embeddings"), ("search", "travel"), ("info", "--json")])
def test_a_reader_that_goes_away_is_no_error(environment, indexed, command):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(
            [*PROGRAM, *command, "-c", str(indexed[1])],
            env=environment, stdout=gone, stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    assert done.stderr == b""
    assert done.returncode == 141


@pytest.mark.skipif(os.name == "nt", reason="terminals of POSIX")
def test_on_a_terminal_there_is_a_bar_with_rate_and_time_left(environment, long_folder, tmp_path):
    import pty

    ours, theirs = pty.openpty()
    command = [*PROGRAM, "index", str(long_folder), "-c", str(tmp_path / "a.rag")]
    size = {"TERM": "xterm", "COLUMNS": "120", "LINES": "30"}
    process = subprocess.Popen(command, env=environment | size, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    text = shown.decode()
    assert process.returncode == 0, text
    assert out == b""
    assert "encode" in text
    assert "chunks" in text
    assert "/s" in text
    assert f"files: {FILES} added" in text


def test_usage_errors_are_2_and_help_has_examples(run, spawn):
    assert run("index").code == 2
    assert run("nothing").code == 2
    assert run("search", "x", "--unknown").code == 2
    done = spawn("--version")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("late-rag ")


@pytest.mark.parametrize(
    "command",
    [
        "index",
        "search",
        "delete",
        "info",
        "verify",
        "repair",
        "optimize",
        "export",
        "import",
        "copy",
        "models",
        "compile",
        "eval",
        "demo",
    ],
)
def test_each_command_has_help_with_examples(run, command):
    done = run(command, "--help")
    assert done.code == 0
    examples = done.out.split("Examples:")[1].strip().splitlines()
    assert all(f"late-rag {command} " in f"{line} " for line in examples)


def test_a_command_imports_only_what_it_needs(environment, indexed):
    code = (
        "import sys\n"
        "from late_rag.cli.application import application\n"
        f"sys.argv = ['late-rag', 'search', 'travel', '-c', {str(indexed[1])!r}, '--json']\n"
        "try: application()\n"
        "except SystemExit: pass\n"
        "print(*sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, timeout=60)
    modules = set(done.stderr.decode().split())
    assert "late_rag.cli.search" in modules
    for unwanted in (
        "rich",
        "torch",
        "late_rag.cli.index",
        "late_rag.transfer",
        "late_rag.loaders.pdf",
        "pypdfium2",
        "bs4",
    ):
        assert unwanted not in modules, unwanted


def test_read_only_commands_work_beside_a_writer(run, environment, long_folder, tmp_path):
    collection = tmp_path / "a.rag"
    process = start("index", long_folder, "-c", collection, environment=environment)
    try:
        wait_for_chunks(run, collection, process)
        for command in (("search", "travel"), ("info",), ("verify",)):
            assert run(*command, "-c", collection).code == 0
    finally:
        process.kill()
        process.communicate()
    assert run("search", "travel", "-c", collection).code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full of Linux")
def test_no_room_for_the_result_is_an_error_of_one_line(environment, indexed):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, "export", "--quiet", "-c", str(indexed[1])],
            env=environment, stdout=full, stderr=subprocess.PIPE, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.decode() == "error: [Errno 28] No space left on device\n"


@pytest.mark.skipif(os.name == "nt", reason="terminals of POSIX")
@pytest.mark.parametrize(("answer", "code", "removed"), [(b"y\n", 0, True), (b"n\n", 1, False), (b"\x03", 130, False)])
def test_on_a_terminal_delete_asks(run, environment, collection, answer, code, removed):
    import pty

    before = run("info", "-c", collection, "--json").json["chunks"]
    ours, theirs = pty.openpty()

    def foreground() -> None:
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    command = [*PROGRAM, "delete", "--all", "-c", str(collection)]
    process = subprocess.Popen(
        command, env=environment, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, start_new_session=True,
        preexec_fn=foreground,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while b"?" not in shown:
        shown += os.read(ours, 65536)
    assert f"Remove everything: {before} of {before} chunks?".encode() in shown
    answered(process, ours, answer)
    os.close(ours)
    assert process.returncode == code
    assert run("info", "-c", collection, "--json").json["chunks"] == (0 if removed else before)
