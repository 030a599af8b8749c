from __future__ import annotations

import io
import logging
import re
import signal
import sys

import pytest

from late_rag.cli import progress as shown
from late_rag.cli.command import _logging_to_stderr
from late_rag.cli.output import note, plain, printable
from late_rag.cli.stopping import stoppable
from late_rag.errors import CancelledError
from late_rag.types import Progress


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (12.3, "12 s"), (60, "1:00"), (3599.6, "1:00:00"), (3909, "1:05:09")],
)
def test_duration(seconds, text):
    assert shown.duration(seconds) == text


def test_without_a_terminal_there_is_a_line_every_few_seconds(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(shown.time, "monotonic", lambda: now[0])
    with shown.reporting() as report:
        for done in range(0, 130, 10):
            report(Progress("encode", done, 240, "chunks", "a.txt"))
            now[0] += 1
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "encode: 50 of 240 chunks, 10/s, 19 s left",
        "encode: 100 of 240 chunks, 10/s, 14 s left",
    ]


def test_quiet_shows_nothing(capsys):
    with shown.reporting(quiet=True) as report:
        report(Progress("encode", 1, 2, "chunks"))
    assert capsys.readouterr() == ("", "")


def test_ctrl_c_once_stops_at_the_next_step_and_twice_at_once(capfd):
    before = signal.getsignal(signal.SIGINT)
    with stoppable() as check:
        check()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(CancelledError):
            check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    assert "Ctrl-C again" in capfd.readouterr().err


def test_values_that_json_has_not():
    import datetime as dt

    value = {"day": dt.date(2020, 1, 31), "at": dt.datetime(2020, 1, 31, 10), "bad": float("nan"), "kinds": {"b", "a"}}
    assert plain(value) == {"day": "2020-01-31", "at": "2020-01-31T10:00:00", "bad": None, "kinds": ["a", "b"]}


def test_control_characters_are_not_printed():
    assert printable("a\x1b[31mb\x00c\x9bd\te\nf") == "a [31mb c d\te\nf"


def test_output_that_is_no_file_stays_as_it_is(monkeypatch):
    from late_rag.cli.output import use_utf8

    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    use_utf8()
    assert stream.write("ä") == 1


class Terminal(io.StringIO):
    """Keeps what a terminal is sent."""

    def isatty(self) -> bool:
        return True


def test_nothing_commands_the_terminal_while_a_bar_is_drawn(monkeypatch):
    """rich takes stderr then, and draws what is written there by its own rules."""
    hostile = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\r[bold red]:smile: [/nothing]"
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "60", "LINES": "20"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    with _logging_to_stderr(logging.WARNING), shown.reporting() as report:
        report(Progress("scan", 1, 2, "files", f"/here/{hostile}".replace("/nothing", "")))
        assert sys.stderr is not terminal
        logging.getLogger("late_rag").warning("not loaded: %s", hostile)
        note(f"told: {hostile}")
        report(Progress("encode", 1, 2, "chunks", hostile))
    sent = terminal.getvalue()
    assert "\x1b[?25l" in sent  # the bar's own: it hides the cursor, moves it and draws in colours
    ours = re.sub(r"\x1b\[\??[\d;]*[A-Kmhl]", "", sent.replace("\x1b[2J", "CLEARED"))
    assert "CLEARED" not in ours
    assert set(ours) & {chr(code) for code in (*range(9), *range(11, 13), *range(14, 32), *range(127, 160))} == set()
    assert "\u202e" not in ours
    for words in ("warning: not loaded: ", "told: "):
        begin = ours.index(words)
        assert "[bold red]:smile: [/nothing]" in re.sub(r"\s+", " ", ours[begin : begin + 300])
