"""docs/command-line.md says what there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.main import get_command

from late_rag.cli.application import HOMES, application
from late_rag.cli.command import Ending

SHARED = {"--verbose", "--debug", "--collection"}


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "command-line.md").read_text(encoding="utf-8")


def section(page: str, name: str) -> str:
    return re.split(r"^## ", page.split(f"\n## {name}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]


def options(name: str) -> set[str]:
    command = get_command(application).get_command(None, name)
    long = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    return long - SHARED


@pytest.mark.parametrize("name", HOMES)
def test_every_option_is_described_and_none_that_is_not(page, name):
    told = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", section(page, name)))
    assert options(name) - told == set()
    assert told - SHARED - set().union(*map(options, HOMES)) == set()


def test_json_is_json(page):
    blocks = re.findall(r"```json\n(.*?)```", page, flags=re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        json.loads(block)


def test_every_exit_code_is_described(page):
    told = [int(code) for code in re.findall(r"^\| (\d+) \|", section(page, "Exit codes"), flags=re.MULTILINE)]
    assert told == sorted(Ending)
