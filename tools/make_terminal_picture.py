"""Draws docs/picture/terminal.svg, the terminal after ``make demo``, from what ``late-rag demo`` really prints.

    python tools/make_terminal_picture.py [--questions 1 2] [--output docs/picture/terminal.svg]

Run it where the library and the model are installed. Some of the example questions are shown, and how good all were.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.text import Text

REPOSITORY = Path(__file__).resolve().parent.parent
OUTPUT = REPOSITORY / "docs" / "picture" / "terminal.svg"
WIDTH = 100
COMMAND = "make demo"
QUALITY = "How good"
"""How the heading of the last section begins that is shown."""

_HEADING = re.compile(r"(?<!\x1b\[0m\n)(?=^\x1b\[1;36m)", re.MULTILINE)  # a long one goes on in a second line
_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def demo_output() -> str:
    """What the demonstration prints on a terminal with colours."""
    variables = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": str(WIDTH)}
    program = (sys.executable, "-c", "from late_rag.cli import main; main()", "demo", "--quiet")
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLORTERM")}
    done = subprocess.run(program, env=environment | variables, cwd=REPOSITORY, capture_output=True, check=True)
    return done.stdout.decode("utf-8")


def sections(output: str, questions: Sequence[int]) -> list[Text]:
    """The parts of the output that are shown: the beginning, questions by their number from 1, and the quality."""
    parts = [Text.from_ansi(part) for part in _HEADING.split(output)]
    quality = next((number for number, part in enumerate(parts) if part.plain.startswith(QUALITY)), 0)
    if not all(0 < number < quality for number in questions):
        raise SystemExit(f"the demonstration printed {max(quality - 1, 0)} questions, asked for are {list(questions)}")
    return [parts[0], *(parts[number] for number in questions), parts[quality]]


def draw(parts: list[Text]) -> str:
    """The parts below the command line, as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.assemble(("$ ", "bold green"), COMMAND))
    lines = list(chain.from_iterable(part.split("\n") for part in parts))
    while lines and not lines[-1].plain.strip():
        lines.pop()
    for line in lines:
        line.rstrip()
        console.print(line, overflow="fold")
    return with_own_fonts(console.export_svg(title="late-rag", unique_id="late-rag"))


def with_own_fonts(picture: str) -> str:
    """The picture with fonts that the reader has: as an image it may not fetch any."""
    without_fonts = re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    return re.sub(r"font-family: (Fira Code, monospace|arial);", f"font-family: {_FONTS};", without_fonts)


def main() -> None:
    """Draws the picture that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, nargs="+", default=[1, 2], metavar="NUMBER")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    picture = draw(sections(demo_output(), options.questions))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(picture, encoding="utf-8", newline="\n")
    print(options.output)


if __name__ == "__main__":
    main()
