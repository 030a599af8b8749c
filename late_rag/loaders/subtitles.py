"""Subtitles and transcripts (SubRip, WebVTT, SubViewer, SubStation Alpha): what is said, and when, in seconds.

Every cue is a mark of the text, so that a chunk knows the time from its first cue to its last.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

from late_rag.loaders.decoding import read_text
from late_rag.loading import LoadOptions
from late_rag.types import Document, Mark, Omission

_TIME = r"(?:(\d{1,6}):)?(\d{1,3}):(\d{1,2})(?:[.,](\d{1,9}))?"
_ARROW = re.compile(rf"\s{{0,9}}{_TIME}\s{{0,9}}-->\s{{0,9}}{_TIME}(?:\s|$)")
_COMMA = re.compile(rf"\s{{0,9}}{_TIME}\s{{0,9}},\s{{0,9}}{_TIME}\s{{0,9}}$")
_NUMBER = re.compile(r"\s{0,9}\d{1,9}\s{0,9}$")
_UNREAD_BLOCK = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)(?:\s|$)")
_TAGS = re.compile(
    r"</?(?:[biuscv]|font|ruby|rt|lang|span)(?:[.\s][^<>]*)?>|<\d[\d:.]*>|\{\\[^{}]*\}|\{[yfscp]:[^{}]*\}",
    re.IGNORECASE,
)
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^<>]*)>", re.IGNORECASE)
_OVERRIDES = re.compile(r"\{[^{}]*\}")
_DRAWING = re.compile(r"\{[^{}]*\\p[1-9][^{}]*\}")
_TOUCHING = 0.1
"""Seconds between two captions of which the second repeats the first because the lines roll."""


@dataclass(slots=True)
class _Cue:
    """What is shown from ``start`` to ``end``; the line of the file where it begins."""

    line: int
    start: float
    end: float
    lines: list[str]


class SubtitleLoader:
    """One document for the file; captions that roll on are told once."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:  # noqa: ARG002
        (text, omissions), web = read_text(path), path.suffix.lower() == ".vtt"
        yield from omissions
        metadata: dict[str, Any] = {"mime_type": "text/vtt" if web else "application/x-subrip"}
        if web:
            metadata |= _header(text)
        yield from _document(_cues(text, web=web), metadata)


class SubStationLoader:
    """One document for the file: its dialogue, without comments, styles and drawings."""

    records: ClassVar[bool] = False

    def __call__(self, path: Path, options: LoadOptions) -> Iterator[tuple[str, Document] | Omission]:  # noqa: ARG002
        text, omissions = read_text(path)
        yield from omissions
        yield from _document(_dialogue(text), {"mime_type": "text/x-ssa"})


def _document(found: Iterable[_Cue | Omission], metadata: dict[str, Any]) -> Iterator[tuple[str, Document] | Omission]:
    cues: list[_Cue] = []
    for item in found:
        if isinstance(item, Omission):
            yield item
        else:
            cues.append(item)
    cues.sort(key=lambda cue: cue.start)
    text, marks = _join(cues)
    yield "", Document(text=text, metadata=metadata, marks=marks)


def _join(cues: Iterable[_Cue]) -> tuple[str, tuple[Mark, ...]]:
    """The cues' lines, those that only roll on left out, and where each cue stands in them."""
    parts: list[str] = []
    marks: list[Mark] = []
    position, before = 0, _Cue(0, 0, float("-inf"), [])
    for cue in cues:
        shown = [line for line in map(_plain, cue.lines) if line]
        new = shown[_repeated(before.lines, shown) :] if cue.start <= before.end + _TOUCHING else shown
        if new:
            part = "\n".join(new)
            marks.append(_mark(position, part, cue))
            parts.append(part)
            position += len(part) + 1
        elif shown:
            marks[-1] = _mark(marks[-1].start, parts[-1], _Cue(0, marks[-1].metadata["start"], cue.end, []))
        before = _Cue(cue.line, cue.start, cue.end, shown or before.lines)
    return "\n".join(parts), tuple(marks)


def _mark(position: int, part: str, cue: _Cue) -> Mark:
    return Mark(position, position + len(part), {"start": cue.start, "end": max(cue.start, cue.end)})


def _repeated(before: list[str], lines: list[str]) -> int:
    """How many of the first lines are the last of those before."""
    most = min(len(before), len(lines), 8)
    return next((count for count in range(most, 0, -1) if before[-count:] == lines[:count]), 0)


def _plain(line: str) -> str:
    """A line without styles; who speaks stands in front."""
    if "<" in line or "{" in line:
        line = _TAGS.sub("", _VOICE.sub(lambda found: f"{found[1].strip()}: " if found[1].strip() else "", line))
    if "&" in line:
        line = html.unescape(line)
    return " ".join(line.split())


def _header(text: str) -> dict[str, str]:
    """Title and language, where the lines in front of the first cue tell them."""
    lines = text[:4096].partition("\n\n")[0].split("\n")
    known = {"title": lines[0].removeprefix("WEBVTT").strip(" \t-–—")} if lines[0].startswith("WEBVTT") else {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() in ("title", "language"):
            known[name.strip().lower()] = value.strip()
    return {name: value for name, value in known.items() if value}


def _cues(text: str, *, web: bool) -> Iterator[_Cue | Omission]:
    """The cues of the blocks between empty lines; a block without a time goes on with the cue before it in SubRip."""
    last: _Cue | None = None
    for number, block in _blocks(text, web=web):
        timed = [at for at, line in enumerate(block) if _times(line)]
        loose = block[: timed[0]] if timed else block
        if timed and loose and (web or _NUMBER.match(loose[-1])):
            loose = loose[:-1]
        yield from _loose(number, loose, last, web=web)
        for at, following in pairwise([*timed, len(block)]):
            if last:
                yield last
            last = _cue(number + at, block[at:following], more=following < len(block))
    if last:
        yield last


def _loose(number: int, lines: list[str], last: _Cue | None, *, web: bool) -> Iterator[Omission]:
    """What to do with lines that have no time."""
    broken = next((at for at, line in enumerate(lines) if "-->" in line), None)
    if broken is not None:
        yield Omission(f"line {number + broken}: no times of a cue can be read in {lines[broken].strip()[:60]!r}")
    elif web and lines and _UNREAD_BLOCK.match(lines[0]):
        return
    elif last and not web:
        last.lines += [line for line in lines if not _NUMBER.match(line)]
    elif not all(_NUMBER.match(line) for line in lines):
        yield Omission(f"line {number}: no times stand before {lines[0].strip()[:60]!r}")


def _blocks(text: str, *, web: bool) -> Iterator[tuple[int, list[str]]]:
    """Lines between empty ones, with the number of the first; in WebVTT a line of spaces is not empty."""
    block: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line if web else line.strip():
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []
    if block:
        yield text.count("\n") + 2 - len(block), block


def _times(line: str) -> tuple[float, float] | None:
    found = _ARROW.match(line) if "-->" in line else _COMMA.match(line) if "," in line else None
    return (_seconds(*found.groups()[:4]), _seconds(*found.groups()[4:])) if found else None


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> float:
    milliseconds = round(float(f"0.{fraction or 0}") * 1000)
    return (int(hours or 0) * 3_600_000 + int(minutes) * 60_000 + int(seconds) * 1000 + milliseconds) / 1000


def _cue(number: int, lines: list[str], *, more: bool) -> _Cue:
    """A cue whose first line is its times; where another follows at once, its number is no text of this one."""
    start, end = _times(lines[0]) or (0.0, 0.0)
    shown = lines[1:]
    if more and shown and _NUMBER.match(shown[-1]):
        shown = shown[:-1]
    return _Cue(number, start, end, shown)


def _dialogue(text: str) -> Iterator[_Cue | Omission]:
    """The lines ``Dialogue: layer, start, end, style, name, three margins, effect, text``."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.startswith("Dialogue:"):
            continue
        fields = line.split(",", 9)
        times = _times(",".join(fields[1:3]))
        if len(fields) < 10 or times is None:
            yield Omission(f"line {number}: no dialogue can be read in {line.strip()[:60]!r}")
        elif not _DRAWING.search(fields[9]):
            shown = _OVERRIDES.sub("", fields[9]).replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
            yield _Cue(number, *times, shown.split("\n"))
