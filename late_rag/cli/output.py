"""Writing to the terminal: results to stdout, messages to stderr, both in UTF-8 whatever the locale says."""

import io
import json
import math
import os
import sys
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Any, TextIO


def use_utf8() -> None:
    """Makes stdout and stderr take every text; what UTF-8 cannot hold (lone surrogates) is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def write(text: str) -> None:
    """A line of the result, on stdout."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """A line for people, on stderr."""
    sys.stdout.flush()
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def write_json(value: Any) -> None:
    """One JSON document on stdout, with dates as ISO 8601 texts and numbers that JSON lacks as null."""
    write(json.dumps(plain(value), ensure_ascii=False, indent=2, allow_nan=False))


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
    """The text without control characters, which could command the terminal; line ends and tabs stay."""
    if text.isprintable():
        return text
    return "".join(" " if unicodedata.category(sign) == "Cc" and sign not in "\n\t" else sign for sign in text)


def interactive(stream: TextIO | None) -> bool:
    """Whether a person sits at the other end."""
    return stream is not None and not stream.closed and stream.isatty()


def silence_stdout() -> None:
    """Sends what is still to be written nowhere: its reader has gone."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, sys.stdout.fileno())
    os.close(descriptor)
