"""The command line on small folders: in this process, or in one of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from late_rag.cli.application import application

PROGRAM = (sys.executable, "-c", "from late_rag.cli import main; main()")

HANDBOOK = {
    "travel.md": "# Travel\n\n## Approval\n\nThe head of department approves travel abroad before it is booked.\n\n"
    "## Costs\n\nTrains are booked in second class; meals are paid by a daily rate.\n",
    "leave.txt": "Employees have thirty days of paid leave a year. Requests go to the team lead.\n",
    "faq.csv": "number,topic,text\n1,office,The office opens at seven in the morning.\n"
    "2,parking,Parking spaces are given out by lot every January.\n",
}


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture(scope="session")
def run() -> Run:
    """Runs a command in this process; stdin and stdout are no terminal."""

    def invoke(*arguments: object, stdin: str | None = None) -> Outcome:
        result = CliRunner().invoke(application, [str(argument) for argument in arguments], input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return invoke


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The variables of a process: those of this one, without what changes how the terminal is drawn."""
    hidden = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM", "PYTHONUTF8", "PYTHONIOENCODING")
    return {name: value for name, value in os.environ.items() if name not in hidden}


@pytest.fixture(scope="session")
def spawn(environment: dict[str, str]) -> Run:
    """Runs a command in a process of its own."""

    def start(*arguments: object, **variables: str) -> Outcome:
        done = subprocess.run(
            [*PROGRAM, *map(str, arguments)],
            env=environment | variables,
            capture_output=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Outcome(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))

    return start


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    """A folder with four documents in three formats."""
    folder = tmp_path / "handbook"
    folder.mkdir()
    for name, text in HANDBOOK.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def indexed(run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same folder, and a collection made of it; neither may be changed."""
    folder = tmp_path_factory.mktemp("indexed") / "handbook"
    folder.mkdir()
    for name, text in HANDBOOK.items():
        (folder / name).write_text(text, encoding="utf-8")
    collection = folder.with_suffix(".rag")
    assert run("index", folder, "-c", collection).code == 0
    return folder, collection


@pytest.fixture
def collection(indexed: tuple[Path, Path], tmp_path: Path) -> Iterator[Path]:
    """A copy of the collection, which may be changed."""
    return shutil.copytree(indexed[1], tmp_path / "handbook.rag")
