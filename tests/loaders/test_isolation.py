"""Files that may break their parser: the same is read in another process, and what goes wrong there is theirs alone."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from late_rag import loaders
from late_rag.backends import LOADERS, Format
from late_rag.errors import LoadError, NoTextError
from late_rag.loaders import Isolation, isolation, load
from late_rag.loaders.isolation import process
from late_rag.types import Document, Media, Omission, SourceFile
from tests.loaders.odd_loaders import ALL

CASES = Path(__file__).parents[1] / "cases"
ODD = "tests.loaders.odd_loaders"
MEMORY = 64 << 20

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="how memory is limited there")


@pytest.fixture(autouse=True)
def _loaders(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {
        **LOADERS,
        ".odd": Format(ODD, "OddLoader", isolated=True),
        ".here": Format(ODD, "OddLoader"),
        ".hostile": Format(ODD, "HostileLoader", isolated=True),
    }
    monkeypatch.setattr("late_rag.loaders.LOADERS", table)


@pytest.fixture
def no_workers() -> Iterator[None]:
    """No worker is there before, so that the first file starts one."""
    isolation._workers.end()
    yield
    isolation._workers.end()


@pytest.fixture
def odd(tmp_path: Path) -> Callable[..., SourceFile]:
    """A file whose loader does what its text says."""

    def make(what: str, suffix: str = ".odd", **options: object) -> SourceFile:
        path = tmp_path / f"{what}{suffix}" if what.isidentifier() else tmp_path / f"x{suffix}"
        path.write_text(what)
        (file,) = load(path, **options)
        return file

    return make


def texts(file: SourceFile) -> list[str]:
    return [document.text for document in file.documents]


def problem(file: SourceFile) -> str:
    """The error of a file, without its path."""
    list(file.documents)
    return str(file.error).removeprefix(f"{file.root}/{file.path}: ")


def worker_of(file: SourceFile) -> int:
    return int(next(iter(texts(file))))


ISOLATED = sorted(
    path for path in CASES.rglob("*") if (row := LOADERS.get(path.suffix)) and row.isolated and path.is_file()
)


@pytest.mark.parametrize("path", ISOLATED, ids=lambda path: path.relative_to(CASES).as_posix())
def test_the_same_is_read_as_in_this_process(path):
    def outcome(isolated: bool) -> object:
        (file,) = load(path, isolated=isolated, include=("comments", "headers", "hidden"))
        documents = [(document, document.content_hash, document.marks) for document in file.documents]
        return documents, file.omissions, type(file.error), str(file.error)

    assert outcome(isolated=True) == outcome(isolated=False)


def test_everything_that_documents_have_comes_through(odd, caplog):
    file = odd("everything")
    _, document, page = file.documents
    assert document.id != ALL.id
    assert (document.text, document.media, document.extra, document.marks) == (
        ALL.text,
        ALL.media,
        ALL.extra,
        ALL.marks,
    )
    assert document.metadata == ALL.metadata
    assert [type(value) for value in document.metadata.values()] == [type(value) for value in ALL.metadata.values()]
    assert page.media == (Media(f"{file.root}/{file.path}", "application/pdf", page=7),)
    assert file.omissions == [Omission("a part", lost=False)]
    assert [(record.name, record.levelname, record.message) for record in caplog.records] == [
        ("late_rag.loaders", "WARNING", f"{file.root}/{file.path}: odd")
    ]


def test_what_is_told_at_a_lower_level_comes_if_it_is_asked_for(odd, caplog):
    caplog.set_level(logging.DEBUG, "late_rag")
    file = odd("fails")
    assert problem(file) == "cannot be read as ODD (KeyError: 'odd')"
    (told,) = (record.message for record in caplog.records if "what its loader raised" in record.message)
    assert told.endswith("KeyError: 'odd'")


def test_which_process_reads(odd, no_workers):
    first = worker_of(odd("pid"))
    assert first != os.getpid()
    assert worker_of(odd("pid")) == first
    assert worker_of(odd("pid", isolated=False)) == os.getpid()
    assert worker_of(odd("pid", ".here")) == os.getpid()


def test_a_loader_that_no_other_process_can_import_reads_here(monkeypatch, odd):
    class Local:
        records = False

        def __call__(self, path, options):
            yield "", Document(text=str(os.getpid()))

    monkeypatch.setattr("late_rag.loaders.resolve", lambda *_: Local)
    assert worker_of(odd("pid")) == os.getpid()


def test_a_loader_from_a_folder_on_the_path_of_this_process(tmp_path, monkeypatch):
    code = (Path(__file__).parent / "odd_loaders.py").read_text(encoding="utf-8")
    (tmp_path / "somebodys_loaders.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    isolation._workers.end()
    monkeypatch.setitem(loaders.LOADERS, ".some", Format("somebodys_loaders", "OddLoader", isolated=True))
    (tmp_path / "a.some").write_text("pid")
    (file,) = load(tmp_path / "a.some")
    assert worker_of(file) != os.getpid()


@pytest.mark.parametrize("what", ["spins", "sleeps"])
def test_time(odd, what):
    started = time.monotonic()
    assert problem(odd(what, isolated=Isolation(seconds=0.2))) == (
        "reading it took more than 0.2 s, which is the limit for files that are not trusted"
    )
    assert time.monotonic() - started < 5


def test_what_the_caller_does_meanwhile_takes_no_time_of_the_file(odd):
    file = odd("many", isolated=Isolation(seconds=0.5))
    for _ in file.documents:
        time.sleep(0.012)
    assert file.error is None


TOO_MUCH = "took more than 64 MiB of memory, which is the limit for files that are not trusted"
ABORTED = f"reading it ended the process that read it (signal 6, SIGABRT), most likely because it {TOO_MUCH}"


@needs_linux
@pytest.mark.parametrize(("what", "reason"), [("allocates", f"reading it {TOO_MUCH}"), ("allocates_in_c", ABORTED)])
def test_memory(odd, what, reason):
    assert problem(odd(what, isolated=Isolation(memory=MEMORY))) == reason


@needs_linux
def test_a_file_that_there_is_no_room_to_map(tmp_path):
    path = tmp_path / "a.pdf"
    with path.open("wb") as file:
        file.truncate(200 << 20)
    (file,) = load(path, isolated=Isolation(memory=MEMORY))
    assert problem(file) == f"reading it {TOO_MUCH}"


@needs_linux
def test_a_worker_that_keeps_much_memory_reads_no_other_file(odd, no_workers):
    first = worker_of(odd("keeps_much"))
    assert worker_of(odd("pid")) != first


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("crashes", "(signal 11, SIGSEGV)"),
        ("is_killed", "(signal 9, SIGKILL), most likely because the machine had no more memory"),
        ("exits", "(exit code 3)"),
        ("leaves", "(exit code 1)"),
    ],
)
def test_a_parser_that_ends_its_process(odd, what, reason):
    assert problem(odd(what)) == f"reading it ended the process that read it {reason}"
    assert len(texts(odd("pid"))) == 1


def test_what_a_loader_raises_is_said_as_in_this_process(odd):
    file = odd("has_no_text")
    assert problem(file) == "has no text, it says"
    assert isinstance(file.error, NoTextError)
    with pytest.raises(NoTextError, match="has no text, it says"):
        texts(odd("has_no_text", strict=True))


def test_a_loader_may_print_and_has_no_input(odd, capfd):
    assert texts(odd("prints"))[1:] == ["''"]
    assert capfd.readouterr() == ("", "")


def test_a_worker_writes_no_files(odd, tmp_path):
    assert problem(odd("writes")) == "File too large"
    more = tmp_path / "writes.more"
    assert not more.exists() or not more.read_bytes()


@pytest.mark.parametrize("what", ["names_another", "cannot_be_sent"])
def test_a_loader_that_cannot_be_isolated_says_so(odd, what):
    assert problem(odd(what)).startswith("its loader cannot be isolated (")


@needs_linux
@pytest.mark.parametrize(
    "message",
    [
        '["document", "", {"media": [["/etc/passwd", "image/png"]]}]',
        '["document", "", {"media": [[7, "image/png", null]]}]',
        '["document", "", {"media": [[null, "image/png", "7"]]}]',
        '["document", "", {"text": 7}]',
        '["document", 7, {}]',
        '["document", "", []]',
        '["document", "", {"metadata": []}]',
        '["document", "", {"metadata": {"$date": "yesterday"}}]',
        '["document", "", {"extra": 7}]',
        '["document", "", {"marks": [[1]]}]',
        '["document"]',
        '["omission", null, true]',
        '["end", 7]',
        '["error", true, 7, false]',
        '["log", "late_rag", "high", "x"]',
        "7",
        "{",
        "[" * 100_000,
        "raw " + r"\xff" * 8,
        "raw " + r"\x02\x00\x00\x00\x00\x00\x00\x00\xff\xff",
    ],
    ids=lambda message: message[:40],
)
def test_answers_that_a_hostile_file_may_send(odd, message):
    assert problem(odd(message, ".hostile")) == (
        "the process that read it answered what it never should; is the file hostile?"
    )


def test_a_logger_that_a_hostile_file_names_is_not_made(odd, caplog):
    message = json.dumps(["log", "evil.logger", logging.ERROR, "100 %s"])
    problem(odd(message, ".hostile", isolated=Isolation(seconds=0.3)))
    assert ("late_rag.loaders.isolation", logging.ERROR, "100 %s") in caplog.record_tuples
    assert "evil.logger" not in logging.Logger.manager.loggerDict


def test_files_that_are_read_at_the_same_time(odd):
    one, other = odd("many"), odd("many")
    pairs = list(zip(one.documents, other.documents, strict=True))
    assert len(pairs) == 51
    assert pairs[0][0].text != pairs[0][1].text
    assert [first.text for first, _ in pairs[1:]] == [second.text for _, second in pairs[1:]]


def test_threads(tmp_path, make_pdf):
    paths = [make_pdf(f"{number}.pdf", [f"page of {number}"]) for number in range(8)]

    def read(path: Path) -> str:
        (file,) = load(path)
        return texts(file)[0].strip()

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(read, paths)) == [f"page of {number}" for number in range(8)]


def test_a_file_that_is_not_read_to_its_end(odd):
    documents = iter(odd("many").documents)
    left = int(next(documents).text)
    documents.close()  # type: ignore[attr-defined]
    assert is_gone(left)
    assert len(texts(odd("many"))) == 51


def test_a_worker_that_somebody_ended_meanwhile(odd):
    before = worker_of(odd("pid"))
    os.kill(before, signal.SIGKILL)
    assert worker_of(odd("pid")) != before


def test_a_file_does_not_pay_for_what_an_earlier_one_did_to_the_worker(odd, tmp_path):
    before = worker_of(odd("spoils"))
    file = odd("many")
    assert worker_of(file) != before
    assert file.error is None


def test_a_file_that_breaks_a_used_worker_breaks_another(odd, caplog):
    texts(odd("pid"))
    assert problem(odd("crashes_first")) == "reading it ended the process that read it (signal 11, SIGSEGV)"
    assert caplog.text.count("signal 11") == 1


def test_a_file_that_goes_meanwhile(odd, tmp_path):
    file = odd("pid")
    (tmp_path / "pid.odd").unlink()
    assert problem(file) == "No such file or directory"


def is_gone(pid: int) -> bool:
    """Whether a process ends within some seconds, be it that nobody has taken its exit code yet."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
            if sys.platform == "linux" and ") Z " in Path(f"/proc/{pid}/stat").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("executable", "reason"),
    [
        ("/bin/false", "exit code 1"),
        ("/nowhere/python", "No such file or directory"),
        ("", "this program is frozen, or embeds Python"),
    ],
)
def test_a_process_that_cannot_be_started(odd, no_workers, monkeypatch, executable, reason):
    monkeypatch.setattr(sys, "executable", executable)
    assert problem(odd("pid")) == (
        f"the process that reads such files could not be started ({reason}); read what you trust with isolated=False"
    )


def test_a_frozen_program_is_not_started_again(odd, no_workers, monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert "this program is frozen" in problem(odd("pid"))


def test_without_poll_a_timer_keeps_the_time(odd, monkeypatch):
    monkeypatch.setattr(process, "_CAN_POLL", False)
    assert problem(odd("sleeps", isolated=Isolation(seconds=0.2))).startswith("reading it took more than 0.2 s")
    assert len(texts(odd("many"))) == 51


def test_the_widest_limits(odd):
    widest = Isolation(memory=1 << 50, seconds=1e6, seconds_per_megabyte=1e6)
    assert len(texts(odd("many", isolated=widest))) == 51


def test_an_attachment_that_breaks_its_parser_costs_itself_alone(tmp_path, make_pdf):
    from email.message import EmailMessage

    from tests.loaders.pdf_parts import self_drawing

    mail = EmailMessage()
    mail["Subject"] = "Papers"
    mail.set_content("the papers are attached")
    good = make_pdf("good.pdf", ["a good paper"]).read_bytes()
    for name, data in (("bad.pdf", self_drawing()), ("good.pdf", good)):
        mail.add_attachment(data, maintype="application", subtype="pdf", filename=name)
    path = tmp_path / "a.eml"
    path.write_bytes(bytes(mail))
    (file,) = load(path, isolated=Isolation(memory=MEMORY))
    assert [text.strip() for text in texts(file)] == ["the papers are attached", "a good paper"]
    if sys.platform == "linux":
        assert [gap.what for gap in file.omissions] == [f"attachment 'bad.pdf': {ABORTED}"]


def test_strict_raises_what_a_broken_parser_costs(odd):
    with pytest.raises(LoadError, match="ended the process that read it"):
        texts(odd("crashes", strict=True))
