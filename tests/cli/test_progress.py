from __future__ import annotations

import io
import signal

import pytest

from late_rag.cli import progress as shown
from late_rag.cli.output import plain, printable
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
