"""CONTRIBUTING's steps to add a loader, an encoder, an index and an engine, followed word by word.

In a copy of the package each block of the page becomes the file that its first line names, and each row stands in its
table. Then the tests that the page shows run there, in a process of their own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import late_rag
from late_rag import backends
from tests.docs.pages import CONTRIBUTING, REPOSITORY, blocks, path_of, prose

_STEP = re.compile(r"Add a row[^`]* to `(?P<table>[A-Z]+)` in .*?`(?P<row>\"[^`]+)`", re.DOTALL)
_KINDS = ("LOADERS", "ENCODERS", "INDEXES", "COLLECTIONS")


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package and tests as they are when all steps are done."""
    folder = tmp_path_factory.mktemp("contribution")
    shutil.copytree(Path(late_rag.__file__).parent, folder / "late_rag", ignore=shutil.ignore_patterns("__pycache__"))
    for page in (CONTRIBUTING, REPOSITORY / "docs" / "loading.md"):
        for block in blocks(page):
            if (path := path_of(block)) is not None:
                assert not (REPOSITORY / path).exists(), f"{path} is there already"
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_text(block.text, encoding="utf-8")
    tables = folder / "late_rag" / "backends.py"
    tables.write_text(with_rows(tables.read_text(encoding="utf-8")), encoding="utf-8")
    return folder


def with_rows(code: str) -> str:
    """The tables with the page's rows, each in front of its table's others."""
    steps = {match["table"]: " ".join(match["row"].split()) for match in _STEP.finditer(prose(CONTRIBUTING))}
    assert set(steps) == set(_KINDS)
    for table, row in steps.items():
        code, found = re.subn(rf"^{table}: .* = {{$", rf"\g<0>\n    {row},", code, flags=re.MULTILINE)
        assert found == 1, table
    return code


@pytest.fixture
def run(followed: Path) -> Callable[..., str]:
    """Runs Python over the copy, and gives what it printed."""

    def run(*arguments: str) -> str:
        path = os.pathsep.join([str(followed), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=followed,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize(
    ("picked", "least"),
    [
        (["-k", "contacts or test_a_ or test_finds"], (3, 15, 2, 4)),
        pytest.param([], (3, 45, 14, 60), marks=pytest.mark.slow),
    ],
    ids=["a part", "all"],
)
def test_the_suites_that_the_page_shows_pass(
    run: Callable[..., str], followed: Path, picked: list[str], least: tuple[int, ...]
) -> None:
    shutil.copy(REPOSITORY / "pyproject.toml", followed)
    printed = run("-m", "pytest", "-vv", "-p", "no:cacheprovider", f"--basetemp={followed / 'temporary'}", *picked)
    passed = [line for line in printed.splitlines() if " PASSED" in line]
    for name, count in zip(("contact", "words", "thorough", "passing"), least, strict=True):
        assert sum(f"test_{name}.py" in line for line in passed) >= count, printed


def test_what_is_added_goes_all_the_way(run: Callable[..., str], followed: Path) -> None:
    for name, content in (("model/dim.txt", "48"), ("files/a.vcf", "BEGIN:VCARD\nFN:Zoë Day\nEND:VCARD\n")):
        (followed / name).parent.mkdir()
        (followed / name).write_text(content, encoding="utf-8")
    printed = run(
        "-c",
        """if True:
        from late_rag import Retriever, backends
        print(backends.__file__)
        with Retriever.create("passing://a", "model", index="thorough") as retriever:
            print(type(retriever.collection).__name__, retriever.encoder.dim, retriever.collection.settings.index)
            print(retriever.sync("files").chunks, retriever.search("zoë")[0].chunk.text)
        """,
    )
    assert printed.splitlines() == [
        str(followed / "late_rag" / "backends.py"),
        "PassingCollection 48 thorough",
        "1 Zoë Day",
    ]


def test_the_page_tells_how_to_add_what_there_are_contracts_for() -> None:
    assert all(isinstance(getattr(backends, table), dict) for table in _KINDS)
    headings = re.findall(r"^## Add an? (\w+)", prose(CONTRIBUTING), re.MULTILINE)
    assert headings == ["loader", "encoder", "index", "adapter", "collection"]
