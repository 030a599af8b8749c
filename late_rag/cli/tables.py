"""Tables on stdout, drawn to the width of the terminal."""

from collections.abc import Iterable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from late_rag.cli.output import printable

_UNBOUNDED = 1_000
"""Columns of what is no terminal: a file or a pipe has no width to wrap at."""


class Screen(Console):
    """Stdout as rich draws on it, with nothing marked up that was not asked to be."""

    def __init__(self) -> None:
        super().__init__(highlight=False, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """Leaves it to the command how it ends; rich would exit with 1."""
        raise BrokenPipeError


def draw_facts(facts: Mapping[str, str]) -> None:
    """Names and values in two columns."""
    screen, width = Screen(), max(map(len, facts), default=0) + 2
    for name, value in facts.items():
        lines = printable(value).replace("\n", "\n" + " " * width)
        screen.print(Text.assemble((printable(name).ljust(width), "bold"), lines), soft_wrap=True)


def draw_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table with its first column to the left and the others, numbers, to the right."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(header):
        table.add_column(name, justify="right" if place else "left")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    screen = Screen()
    if not screen.is_terminal:
        screen.width = _UNBOUNDED
    screen.print(table)


def draw_heading(text: str) -> None:
    """A line that stands out."""
    Screen().print(Text(printable(text), style="bold cyan"))
