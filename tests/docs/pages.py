"""The pages of the documentation, and the blocks of code and commands on them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CONTRIBUTING = REPOSITORY / "CONTRIBUTING.md"
PAGES = (REPOSITORY / "README.md", CONTRIBUTING, *sorted((REPOSITORY / "docs").glob("*.md")))

_FENCED = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>[^\s`]*)[^\n]*\n(?P<body>.*?)^ *(?P=fence)[^\S\n]*$",
    re.MULTILINE | re.DOTALL,
)
_FILE = re.compile(r"# (?P<path>[\w/]+\.py)\n")
_COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the line of the page on which the text begins."""

    page: Path
    language: str
    text: str
    line: int


@dataclass(frozen=True)
class Command:
    """A line of a console block behind ``$``, and what the block says that it prints ("" where it says nothing)."""

    text: str
    output: str


def name_of(page: Path) -> str:
    """The page's path in the repository."""
    return page.relative_to(REPOSITORY).as_posix()


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    content = page.read_text(encoding="utf-8")
    for match in _FENCED.finditer(content):
        line = content.count("\n", 0, match.start("body")) + 1
        yield Block(page, match["language"], textwrap.dedent(match["body"]), line)


def path_of(block: Block) -> Path | None:
    """The file of the repository that the block shows, if its first line names one."""
    match = _FILE.match(block.text)
    return Path(match["path"]) if match else None


def commands(block: Block) -> list[Command]:
    """The commands of a console block."""
    pieces = _COMMAND.split(block.text)[1:]
    return [
        Command(text.replace("\\\n", " "), output.strip())
        for text, output in zip(pieces[::2], pieces[1::2], strict=True)
    ]


def prose(page: Path) -> str:
    """The page without its fenced blocks."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))
