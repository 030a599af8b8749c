"""Passages as people read them: where they come from, the text to the width of the terminal, matches in colour."""

import os
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from late_rag.cli.origin import origin
from late_rag.cli.output import interactive, printable, write
from late_rag.cli.wrapping import Line, passage_lines

if TYPE_CHECKING:
    from late_rag.cli.tables import Screen
    from late_rag.retriever import Retriever
    from late_rag.types import Hit, TextSpan

_INDENT = 5
_LEAST_WIDTH = 20
_MATCH = "bold yellow"
_OF_LINES = ("text/x-", "text/vtt", "application/x-subrip", "application/yaml", "application/toml")
"""How mime types begin of what is read by lines."""


def draw(retriever: "Retriever", question: str, hits: "Sequence[Hit]", lines: int | None = None) -> None:
    """Prints hits, best first; words that matched the question are highlighted where there are colours.

    Args:
        retriever: encodes them again, to find what matched.
        question: that they are hits of.
        hits: in their order.
        lines: how many of each passage, those with the most matches; None is all.
    """
    screen = _screen()
    width = max(shutil.get_terminal_size().columns - _INDENT, _LEAST_WIDTH)
    for rank, hit in enumerate(hits, 1):
        spans = _matched(retriever, question, hit) if screen or lines else []
        text, spans = _in_context(hit, spans)
        shown = passage_lines(printable(text), spans, width, lines, by_lines=_has_lines(hit))
        if screen:
            _draw(screen, rank, hit, shown)
        else:
            _write(rank, hit, shown)


def _screen() -> "Screen | None":
    """Where there are colours; to find out more exactly, and to draw, costs the start-up of rich."""
    if not (interactive(sys.stdout) or os.environ.get("FORCE_COLOR")):
        return None
    from late_rag.cli.tables import Screen

    screen = Screen()
    return screen if screen.color_system else None


def _matched(retriever: "Retriever", question: str, hit: "Hit") -> "Sequence[TextSpan]":
    from late_rag.explain import matched_words

    return matched_words(retriever.explain(question, hit), hit.chunk.text)


def _in_context(hit: "Hit", spans: "Sequence[TextSpan]") -> "tuple[str, Sequence[TextSpan]]":
    """The context where there is one, with the spans where the hit stands in it."""
    from late_rag.types import TextSpan

    start = -1 if hit.context is None else hit.context.find(hit.chunk.text)
    if hit.context is None or start < 0:
        return hit.chunk.text, spans
    return hit.context, [TextSpan(start + span.start, start + span.end) for span in spans]


def _has_lines(hit: "Hit") -> bool:
    """Whether it is code, subtitles or a log, where every line stands for itself."""
    mime_type = hit.chunk.metadata.get("mime_type")
    if isinstance(mime_type, str) and mime_type.startswith(_OF_LINES):
        return True
    return hit.source is not None and hit.source.lower().endswith(".log")


def _write(rank: int, hit: "Hit", lines: Sequence[Line]) -> None:
    write(f"{rank:>3}  {hit.similarity:.2f}  {origin(hit)}")
    for line in lines:
        write(" " * _INDENT + line.text)
    write("")


def _draw(screen: "Screen", rank: int, hit: "Hit", lines: Sequence[Line]) -> None:
    from rich.text import Text

    head = Text.assemble((f"{rank:>3}", "bold"), (f"  {hit.similarity:.2f}", "green"), f"  {origin(hit)}")
    screen.print(head, soft_wrap=True)
    for line in lines:
        indented = line.within(before=" " * _INDENT)
        shown = Text(indented.text)
        for start, stop in indented.matches:
            shown.stylize(_MATCH, start, stop)
        screen.print(shown, soft_wrap=True)
    screen.print()
