"""Whatever a parser raises, or leaves out, is told of its file, and the run goes on."""

from __future__ import annotations

import builtins
import logging
from pathlib import Path

import pytest

from late_rag.backends import LOADERS, Format
from late_rag.errors import InputError, LoadError, MissingExtraError
from late_rag.loaders import MOST_OMISSIONS, load
from late_rag.loading import LoadOptions
from late_rag.types import Document, Omission

CASES = Path(__file__).parents[1] / "cases"
KINDS = [
    kind
    for kind in vars(builtins).values()
    if isinstance(kind, type) and issubclass(kind, Exception) and kind not in (ExceptionGroup, BaseExceptionGroup)
]


class Raising:
    """Reads a file whose text is the name of what is raised behind its first document."""

    records = True

    def __call__(self, path, options):
        yield "1", Document(text="before")
        name = path.read_text()
        kind = getattr(builtins, name)
        raise kind("utf-8", b"x", 0, 1, "odd") if kind is UnicodeDecodeError else _made(kind)


def _made(kind: type[Exception]) -> Exception:
    if kind is UnicodeEncodeError:
        return UnicodeEncodeError("utf-8", "x", 0, 1, "odd")
    if kind is UnicodeTranslateError:
        return UnicodeTranslateError("x", 0, 1, "odd")
    return kind("odd")


class Gaps:
    """Reads lines: "ok" is a document, "bad" a record that cannot be read, "left" is left out on purpose."""

    records = True

    def __call__(self, path, options):
        for number, line in enumerate(path.read_text().split(), start=1):
            if line == "ok":
                yield str(number), Document(text=f"record {number}")
            else:
                yield Omission(f"line {number}: is {line}", lost=line == "bad")


@pytest.fixture(autouse=True)
def _loaders(monkeypatch):
    table = dict(LOADERS)
    table[".raise"] = Format(__name__, "Raising", title="raising")
    table[".gaps"] = Format(__name__, "Gaps", title="gaps")
    monkeypatch.setattr("late_rag.loaders.LOADERS", table)
    monkeypatch.setattr("late_rag.loaders.resolve", lambda _table, suffix, _what: _CLASSES[suffix])


_CLASSES = {".raise": Raising, ".gaps": Gaps}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_exception_of_a_parser_is_its_files_reason(tmp_path, kind):
    path = tmp_path / "a.raise"
    path.write_text(kind.__name__)
    (file,) = load(path)
    assert [document.text for document in file.documents] == ["before"]
    assert isinstance(file.error, LoadError)
    message = str(file.error)
    assert message.startswith(f"{path}: ")
    assert ("StopIteration" if kind is StopIteration else "odd") in message
    if not issubclass(kind, OSError):
        assert kind.__name__ in message
    with pytest.raises(LoadError, match=r"odd|StopIteration"):
        list(next(load(path, strict=True)).documents)


def test_an_exception_whose_message_raises(tmp_path, problem_of, monkeypatch):
    class OddError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def odd(self, path, options):
        raise OddError
        yield

    monkeypatch.setattr(Gaps, "__call__", odd)
    assert problem_of(gaps(tmp_path, "ok")) == "cannot be read as GAPS (OddError: its message raises RuntimeError)"


def test_the_run_goes_on(tmp_path):
    for number, kind in enumerate(KINDS):
        (tmp_path / f"{number}.raise").write_text(kind.__name__)
    files = list(load(tmp_path))
    assert sum(len(list(file.documents)) for file in files) == len(KINDS)
    assert all(file.error for file in files)


def test_what_is_no_exception_ends_the_run(tmp_path):
    (tmp_path / "a.raise").write_text("KeyboardInterrupt")
    (file,) = load(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        list(file.documents)


def gaps(tmp_path: Path, lines: str) -> Path:
    path = tmp_path / "a.gaps"
    path.write_text(lines)
    return path


def test_the_others_are_there_and_the_bad_ones_are_named(tmp_path, caplog):
    caplog.set_level(logging.INFO, "late_rag")
    path = gaps(tmp_path, "ok bad ok left")
    (file,) = load(path)
    assert [document.text for document in file.documents] == ["record 1", "record 3"]
    assert file.error is None
    assert file.omissions == [Omission("line 2: is bad"), Omission("line 4: is left", lost=False)]
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", f"left out: {path}: line 2: is bad"),
        ("INFO", f"left out: {path}: line 4: is left"),
    ]
    assert len(list(file.documents)) == 2
    assert len(file.omissions) == 2  # of the last time


def test_strict_raises_for_what_is_lost_alone(tmp_path):
    assert len(list(next(load(gaps(tmp_path, "ok left"), strict=True)).documents)) == 1
    with pytest.raises(LoadError, match=r"a\.gaps: line 2: is bad"):
        list(next(load(gaps(tmp_path, "ok bad"), strict=True)).documents)


def test_a_file_of_which_nothing_can_be_read_has_an_error(tmp_path, problem_of):
    assert problem_of(gaps(tmp_path, "bad")) == "line 1: is bad"
    assert problem_of(gaps(tmp_path, "bad bad")) == (
        "nothing of it can be read; the first of 2 reasons: line 1: is bad"
    )


def test_omissions_beyond_a_thousand_are_counted(tmp_path):
    (file,) = load(gaps(tmp_path, "ok " + "bad " * (MOST_OMISSIONS + 1234)))
    assert len(list(file.documents)) == 1
    assert len(file.omissions) == MOST_OMISSIONS + 1
    assert file.omissions[-1].what == "1,234 more things that cannot be read"


def test_nothing_is_lost_where_more_than_a_thousand_things_are_left_out_on_purpose(tmp_path):
    (file,) = load(gaps(tmp_path, "ok " + "left " * (MOST_OMISSIONS + 2)))
    assert len(list(file.documents)) == 1
    assert file.omissions[-1] == Omission("2 more things that are left out", lost=False)


def test_a_missing_extra_is_the_files_reason(tmp_path, problem_of, monkeypatch):
    def missing(self, path, options):
        raise MissingExtraError("a library", "office")
        yield

    monkeypatch.setattr(Gaps, "__call__", missing)
    assert problem_of(gaps(tmp_path, "ok")).endswith('pip install "late-rag[office]"')


def test_options_are_checked_before_anything_is_loaded(tmp_path):
    with pytest.raises(InputError, match='content must be "all" or "main", not \'most\''):
        load(tmp_path, content="most")  # type: ignore[arg-type]
    for include in ("comments", ["footers"]):
        with pytest.raises(InputError, match="include takes a list of 'comments', 'headers', 'hidden', 'outputs'"):
            load(tmp_path, include=include)
    assert LoadOptions(include=["outputs", "headers", "outputs"]).include == ("headers", "outputs")
