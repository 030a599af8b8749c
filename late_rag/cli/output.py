"""Writing to the terminal: results to stdout, messages to stderr, both in UTF-8 whatever the locale says.

Texts of documents, names and the database come from anybody. Nothing in them commands a terminal: what people read is
without such characters (:func:`printable`), what machines read has them as escapes of JSON where it goes to a terminal,
and as they are where it goes to a file or another program.
"""

import io
import json
import math
import os
import re
import sys
import traceback
import unicodedata
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, TextIO


def use_utf8() -> None:
    """Makes stdout and stderr take every text; what UTF-8 cannot hold (lone surrogates) is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def write(text: str) -> None:
    """A line of the result for people, on stdout."""
    sys.stdout.write(printable(text) + "\n")


def note_traceback() -> None:
    """The error that is being handled, on stderr; indented, as a line of its message could look like one of ours."""
    note("\n  ".join(traceback.format_exc().splitlines()))


def json_stream() -> "TextIO | EscapingStream":
    """Stdout for JSON: to a terminal what could command it is escaped, which means the same in JSON."""
    return EscapingStream(sys.stdout) if interactive(sys.stdout) else sys.stdout


class EscapingStream:
    """A stream of JSON to a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """JSON text: whole values, or lines of them."""
        return self._stream.write(_COMMANDING.sub(_escaped, text))


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def note(text: str) -> None:
    """A line for people, on stderr."""
    sys.stdout.flush()
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def write_json(value: Any) -> None:
    """One JSON document on stdout, with dates as ISO 8601 texts and numbers that JSON lacks as null."""
    json_stream().write(json.dumps(plain(value), ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def counted(count: int, noun: str) -> str:
    """Such as ``1 chunk`` or ``1,200 chunks``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def plain(value: Any) -> Any:
    """The value in JSON's own types."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def printable(text: str) -> str:
    """The text without what could command the terminal, or turn what is shown around; line ends and tabs stay.

    Each such character becomes one other, so that places in the text stay.
    """
    return text if text.isprintable() else _COMMANDING.sub(_replaced, text)


def _replaced(match: re.Match[str]) -> str:
    return "\N{WORD JOINER}" if unicodedata.category(match[0]) == "Cf" else " "


_COMMANDING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Controls (C0 without tab and line feed, C1), separators of lines, and what sets the direction of text."""


def single_line(text: str) -> str:
    """A name, or a message about one, as one line: a line break in it would look like another message."""
    return " ".join(printable(text).splitlines())


def nearest(location: str) -> str:
    """The path as seen from the working folder, where it is below that; below the root it is whole already."""
    path, here = Path(location), Path.cwd()
    return str(path.relative_to(here)) if here != here.parent and path.is_relative_to(here) else location


def interactive(stream: TextIO | None) -> bool:
    """Whether a person sits at the other end."""
    return stream is not None and not stream.closed and stream.isatty()


def silence_stdout() -> None:
    """Sends what is still to be written nowhere: its reader has gone."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, sys.stdout.fileno())
    os.close(descriptor)
