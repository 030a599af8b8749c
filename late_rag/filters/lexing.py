"""The words, numbers, texts and signs of a filter's text form."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from late_rag.errors import FilterError
from late_rag.filters.times import read_datetime

Kind = Literal["literal", "name", "quoted", "operator", "mark", "end"]

BARE_NAME = re.compile(r"\$?\$?[^\W\d][\w.-]*")
"""Field names that need no quotes."""

_TOKEN = re.compile(
    rf"""\s*+(?:
    (?P<time>\d{{4}}-\d\d-\d\d(?:T[\d:.]++(?:Z|[+-][\d:.]++)?+)?+(?![\w-]))
  | (?P<number>[+-]?(?:\d++\.?+\d*+|\.\d++)(?:[eE][+-]?\d++)?+(?![\w.]))
  | (?P<infinite>[+-]inf\b)
  | (?P<text>"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+')
  | (?P<quoted>`(?:[^`]|``)*+`)
  | (?P<name>{BARE_NAME.pattern})
  | (?P<operator>[=!<>~&|^*%/+?@]+)
  | (?P<mark>[()\[\]{{}},:])
  | (?P<end>\Z))""",
    re.VERBOSE | re.DOTALL,
)
"""Nothing that was taken is given back: a pattern that may try each length of a run is quadratic."""

_MOST_DIGITS = 1000
_SHOWN = 60  # characters of a word that an error shows
_SPACE = re.compile(r"\s*+")
_WORD = re.compile(rf"\S[\w.+-]{{,{_SHOWN}}}")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text: what it is, how it stands there, its value if a literal, and its place (from 1)."""

    kind: Kind
    text: str
    place: int
    value: Any = None


def tokens(text: str) -> list[Token]:
    """All tokens, the last one of kind "end".

    Raises:
        FilterError: a character or literal that means nothing.
    """
    found: list[Token] = []
    position = 0
    while not found or found[-1].kind != "end":
        match = _TOKEN.match(text, position)
        if match is None:
            raise _unreadable(text, position)
        found.append(_token(match))
        position = match.end()
    return found


def _token(match: re.Match[str]) -> Token:
    group = match.lastgroup or "end"
    text, place = match[group], match.start(group) + 1
    if group == "time":
        return Token("literal", text, place, _time(text, place))
    if group == "number":
        return Token("literal", text, place, _number(text, place))
    if group == "infinite":
        return Token("literal", text, place, float(text))
    if group == "text":
        return Token("literal", text, place, _unescaped(text[1:-1]))
    if group == "quoted":
        return Token("quoted", text, place, text[1:-1].replace("``", "`"))
    kinds: dict[str, Kind] = {"name": "name", "operator": "operator", "mark": "mark"}
    return Token(kinds.get(group, "end"), text, place)


def _number(text: str, place: int) -> int | float:
    if not text.lstrip("+-").isdecimal():
        return float(text)
    if len(text) > _MOST_DIGITS:
        raise FilterError(f"the integer at character {place} does not fit into 64 bits; write it as a text")
    return int(text)


def _time(text: str, place: int) -> date:
    moment = read_datetime(text)
    if moment is None:
        raise FilterError(f"{text} at character {place} is no date or time")
    return moment if "T" in text else moment.date()


def _unescaped(text: str) -> str:
    plain = _ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else _ESCAPED.get(match[2], match[2]), text)
    # Two \u escapes may be the halves of one character, as in JSON; a half alone is refused with the other texts.
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _unreadable(text: str, position: int) -> FilterError:
    start = _SPACE.match(text, position).end()  # type: ignore[union-attr]  # it always matches
    if text[start] in "\"'`":
        return FilterError(f"the quote {text[start]} at character {start + 1} is never closed")
    word = _WORD.match(text, start)
    return FilterError(f"{word[0] if word else text[start]!r} at character {start + 1} means nothing here")


def quoted_text(text: str) -> str:
    """The text as a literal that reads back as it."""
    escapes = {value: f"\\{key}" for key, value in _ESCAPED.items()} | {'"': '\\"', "\\": "\\\\"}
    return '"' + "".join(escapes.get(character, character) for character in text) + '"'


def quoted_name(name: str) -> str:
    """The field's name as it must be written: bare where that reads back as it."""
    bare = BARE_NAME.fullmatch(name) is not None and name.lower() not in ("and", "or", "not")
    return name if bare else "`" + name.replace("`", "``") + "`"
