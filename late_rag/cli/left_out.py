"""What is left out of files on purpose, in a few lines: what is alike is told once, with how often and where."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from late_rag.cli.output import counted, nearest, single_line

if TYPE_CHECKING:
    from late_rag.retriever import FileOmission

_MOST_LINES = 10
_MOST_FILES = 3
_LONGEST = 200  # characters of what is left out
_PLACE = re.compile(r"""\d[\d.,]*|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
"""Numbers of lines and pages, and names in quotes: what differs between things that are left out for one reason."""


def lines_of(omissions: "Iterable[FileOmission]") -> list[str]:
    """A line for each kind of thing that is left out, the most frequent first, up to ten, and one for the rest."""
    groups: dict[str, list[FileOmission]] = {}
    for omission in omissions:
        groups.setdefault(_PLACE.sub("#", omission.what), []).append(omission)
    ordered = sorted(groups.values(), key=len, reverse=True)
    lines = [_line(alike) for alike in ordered[:_MOST_LINES]]
    if len(ordered) > _MOST_LINES:
        lines.append(f"{len(ordered) - _MOST_LINES:,} more kinds of things; --json names them")
    return lines


def _line(alike: "list[FileOmission]") -> str:
    """The first of them, how many there are like it, and the files."""
    files = list(dict.fromkeys(omission.location for omission in alike))
    what = alike[0].what if len(alike[0].what) <= _LONGEST else f"{alike[0].what[:_LONGEST]}…"
    more = f", and {len(alike) - 1:,} like it" if len(alike) > len(files) else ""
    names = ", ".join(map(nearest, files[:_MOST_FILES])) + (", …" if len(files) > _MOST_FILES else "")
    return single_line(f"{what}{more} ({counted(len(files), 'file')}: {names})")
