"""Every example of README, CONTRIBUTING and docs/ runs, and says what comes out.

The blocks of a page run in order, in one folder and one namespace, as a reader would type them. Of a ``console`` block
the ``late-rag`` commands run; where the block shows output it must fit, but for numbers, and ``…`` stands for any
lines. The names on the other command lines (make targets, extras) are looked up.
"""

from __future__ import annotations

import logging
import re
import shlex
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from late_rag.cli.application import application
from tests.docs.pages import CONTRIBUTING, PAGES, REPOSITORY, Block, blocks, commands, name_of, path_of, prose

NOT_RUN = ("json", "jsonl", "text", "toml")
_PROGRESS = re.compile(r"^(scan|encode|ask|check|export|import|copy): .*\n", re.MULTILINE)
_LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)

every_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


@every_page
def test_every_example_runs(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    try:
        for block in blocks(page):
            if path_of(block) is not None and page == CONTRIBUTING:  # test_contributing.py writes it
                continue
            if block.language == "python":
                run_python(block, module)
            elif block.language == "console":
                run_console(block)
    finally:
        close_what_is_open(module)


def run_python(block: Block, module: ModuleType) -> None:
    lines = "\n" * (block.line - 1)
    exec(compile(lines + block.text, str(block.page), "exec"), vars(module))


def run_console(block: Block) -> None:
    for command in commands(block):
        words = shlex.split(command.text, comments=True)
        if words[:1] != ["late-rag"]:
            continue
        result = CliRunner().invoke(application, words[1:])
        assert result.exit_code == 0, f"{name_of(block.page)}: {command.text}: {result.output}{result.exception!r}"
        if command.output:
            assert fits(command.output, result.output), f"{command.text} printed:\n{result.output}"


def close_what_is_open(module: ModuleType) -> None:
    """A script that ends need not close what it used; this process goes on."""
    for value in list(vars(module).values()):
        if not isinstance(value, type) and callable(close := getattr(value, "close", None)):
            close()
    logging.getLogger("late_rag").setLevel(logging.NOTSET)


def fits(shown: str, printed: str) -> bool:
    """Whether output is as shown: any numbers and white space, and any lines for ``…``."""
    pattern = re.escape(normalised(shown)).replace("…", ".*")
    return re.fullmatch(pattern, normalised(_PROGRESS.sub("", printed))) is not None


def normalised(output: str) -> str:
    return " ".join(re.sub(r"\d[\d.,:]*", "0", output).split())


def test_output_that_does_not_fit_is_noticed() -> None:
    assert fits("a 0.71 b\n…\nc", "a  0.69 b\nx\ny\nc\n")
    assert not fits("a 0.71 b", "a 0.71 c")
    assert not fits("a", "a\nb")


@every_page
def test_blocks_are_of_a_kind_that_is_run_or_is_no_code(page: Path) -> None:
    for block in blocks(page):
        assert block.language in ("python", "console", *NOT_RUN), f"{name_of(page)}:{block.line}: {block.language!r}"
    assert prose(page).count("```") == 0, "a fence that is not closed, or begins in the middle of a line"


@every_page
def test_make_targets_and_extras_exist(page: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    content = page.read_text(encoding="utf-8")
    assert set(re.findall(r"(?:^\$ |`)make ([\w-]+)", content, re.MULTILINE)) <= targets
    named = {extra for group in re.findall(r"late-rag\[([\w,-]+)\]", content) for extra in group.split(",")}
    assert named <= set(extras["optional-dependencies"])


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in (link for pair in _LINK.findall(prose(page)) for link in pair if link):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{name_of(page)}: {target}"
        if anchor:
            assert anchor in anchors(there), f"{name_of(page)}: {target}"


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    found = set()
    for heading in _HEADING.findall(prose(page)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        found.add(re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-"))
    return found


def test_the_index_leads_to_every_page() -> None:
    linked = {first for first, _ in _LINK.findall((REPOSITORY / "docs" / "README.md").read_text(encoding="utf-8"))}
    pages = {page.name for page in (REPOSITORY / "docs").glob("*.md")} - {"README.md"}
    assert pages <= linked
