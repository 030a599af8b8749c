r"""The values of a JSON text one after another, in memory bounded by the longest of them.

Python's parser does the parsing, value by value. Where it refuses one, the end of that value is found by its brackets
and lines, so that the others are read.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import IO, Any

LONGEST_VALUE = 2**28
"""Characters of one value; a bracket that is open for longer was never closed."""

_BLOCK = 1 << 16
_DEEPEST_INDENT = 400
_LONGEST_INTEGER = 20
_LONGEST_WORD = 16
_NUMBER = "0123456789.eE+-"
_TOO_DEEP = "has lists and objects that are nested too deep"
_SPACE = re.compile(r"[ \t\r\n]*+")
_MARKS = r'"(?:[^"\\\n]++|\\.?)*+"?|[\[\]{},\n]'


class NotJsonError(ValueError):
    """Why a text is no JSON value."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value, or the reason why it cannot be read, and the line on which it begins.

    ``text`` is that of a member of an object which is broken, so that what is in it can be looked through.
    """

    line: int
    value: Any = None
    problem: str = ""
    text: str = ""


def _integer(digits: str) -> int | str:
    """Longer ones fit into no 64 bits, and are read in quadratic time."""
    return int(digits) if len(digits) <= _LONGEST_INTEGER else digits


_DECODER = json.JSONDecoder(parse_int=_integer)


def parse(text: str) -> Any:
    """The value that is the whole text; integers of more than 64 bits may be texts.

    Raises:
        NotJsonError: it is no JSON, or nested too deep to be read.
    """
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotJsonError(f"is not JSON: {_said(error)} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise NotJsonError(_TOO_DEEP) from error


def _said(error: json.JSONDecodeError) -> str:
    return error.msg.removesuffix(" at")


class Values:
    r"""Reads values from an open text, whose line ends are ``\n``; ``line`` is the number of the line it has reached.

    Args:
        file: is read on as it is needed.
        in_lines: whether a value that is broken ends with its line, unless a bracket is open.
        line: the number of the first line.
    """

    def __init__(self, file: IO[str], *, in_lines: bool = True, line: int = 1) -> None:
        self.line = line
        self.in_lines = in_lines
        self._sources: list[IO[str]] = [file]
        self._text = ""
        self._place = 0
        self._indent: str | None = ""
        self._opening = "{"
        self._closing = "]"

    def peek(self) -> str:
        """The next character that is no white space; "" at the end."""
        while True:
            found = _SPACE.match(self._text, self._place)
            self._pass_space(found[0] if found else "")
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._fill():
                return ""

    def skip(self) -> None:
        """Passes over the character that :meth:`peek` gave."""
        self._pass(self._place + 1)

    def elements(self) -> Iterator[Value]:
        """The elements of a list whose bracket was passed over; what is wrong with the list is one more of them."""
        begin, comma = self.line, False
        while (character := self.peek()) not in ("]", ""):
            broken = character == ","
            if broken:
                yield Value(self.line, problem="is not JSON: there is nothing in front of a comma")
            else:
                value = self.value()
                broken = bool(value.problem)
                yield value
            comma = self.peek() == ","
            if comma:
                self.skip()
            elif not broken and self.peek() not in ("]", ""):
                yield Value(self.line, problem="is not JSON: a comma is missing in front of it")
        if not character:
            yield Value(self.line, problem=f"is not JSON: the list that begins in line {begin} is never closed")
        elif comma:
            yield Value(self.line, problem="is not JSON: there is nothing behind the last comma")
        self.skip()

    def members(self) -> Iterator[tuple[str, Value | list[Value]]]:
        """Names and values of an object whose brace was passed over; a list is that of its elements.

        What is wrong with the object itself is a value without a name.
        """
        begin = self.line
        while (character := self.peek()) not in ("}", ""):
            indent, self._closing = self._indent, "}"
            name = self._name(character)
            if self.peek() == ":":
                self.skip()
            if self.peek() not in ("", ",", "}"):
                inner = self._elements_or_value(indent)
                yield (name.value, inner) if isinstance(name.value, str) else ("", name)
            else:
                yield "", Value(name.line, problem=name.problem or "is not JSON: a value is missing")
            if self.peek() == ",":
                self.skip()
        if not character:
            yield "", Value(self.line, problem=f"is not JSON: the object that begins in line {begin} is never closed")
        self.skip()

    def _name(self, character: str) -> Value:
        line = self.line
        found = self.value() if character != "," else None
        return found if found and character == '"' else Value(line, problem="is not JSON: a name is missing")

    def _elements_or_value(self, indent: str | None) -> Value | list[Value]:
        """What stands behind a name whose line has this indent: one that is broken may end at the next such name."""
        if self.peek() == "[":
            self.skip()
            self._closing = "]"
            return list(self.elements())
        self._indent, self._opening = indent, '"'
        found = self.value(keep=True)
        self._opening = "{"
        return found

    def sequence(self) -> Iterator[Value]:
        """All that is left, as values with white space between them."""
        while self.peek():
            yield self.value()

    def value(self, *, keep: bool = False) -> Value:
        """The next value, which may be a broken one, with its text if that is to be kept; there must be something."""
        while True:
            value, end, problem = self._decoded()
            if not self._may_go_on(end) or not self._fill():
                break
        while problem and (end := self._end_of_broken()) < 0 and self._fill():
            pass
        end = end if end >= 0 else len(self._text)
        found = Value(self.line, value, problem, self._text[self._place : end] if keep and problem else "")
        self._pass(end)
        if problem:
            self._shorten()
        return found

    def _decoded(self) -> tuple[Any, int, str]:
        """The value and its end; else the reason, and -1, or -2 where more text may mend it."""
        try:
            return *_DECODER.raw_decode(self._text, self._place), ""
        except json.JSONDecodeError as error:
            lines = self._text.count("\n", self._place, error.pos)
            where = f"in line {self.line + lines}" if lines else f"at character {error.pos - self._place + 1} of it"
            cut = error.msg.startswith("Unterminated") or error.pos > len(self._text) - _LONGEST_WORD
            return None, -2 if cut else -1, f"is not JSON: {_said(error)} {where}"
        except RecursionError:
            return None, -1, _TOO_DEEP

    def _may_go_on(self, end: int) -> bool:
        """Whether the value may only seem to end, or to be broken, because no more of it is read yet."""
        return end == -2 or (end >= 0 and not self._text[end : end + _LONGEST_WORD].lstrip(_NUMBER))

    def _end_of_broken(self) -> int:
        """Where the value ends by its brackets, or the next one begins by its line; -1 where that is not read yet."""
        depth = 0
        for token in _tokens(self._indent, self._opening).finditer(self._text, self._place):
            mark = token[0]
            if mark in "[{":
                depth += 1
            elif mark[0] == "\n":
                if len(mark) > 1 or (self.in_lines and depth == 0):
                    return token.start()
            elif depth == 0 and mark in (self._closing, ",") and not self.in_lines:
                return max(token.start(), self._place + 1)
            elif mark in "]}":
                depth = max(0, depth - 1)
        return -1

    def _pass(self, place: int) -> None:
        self.line += self._text.count("\n", self._place, place)
        self._place = place
        self._indent = None

    def _pass_space(self, space: str) -> None:
        before, line_end, after = space.rpartition("\n")
        indent = after if line_end else None if self._indent is None else self._indent + before + after
        self._pass(self._place + len(space))
        self._indent = indent if indent is not None and len(indent) <= _DEEPEST_INDENT else None

    def _fill(self) -> bool:
        """Reads on, as much as there is already of the value, so that all attempts together take linear time."""
        held = len(self._text) - self._place
        more = self._read(max(_BLOCK, held)) if held < LONGEST_VALUE else ""
        self._text = self._text[self._place :] + more.replace("\0", " ")
        self._place = 0
        return bool(more)

    def _read(self, size: int) -> str:
        while not (more := self._sources[-1].read(size)) and len(self._sources) > 1:
            self._sources.pop()
        return more

    def _shorten(self) -> None:
        """Keeps little text at hand: Python's parser counts the lines of an error from the beginning of that."""
        if self._place > _BLOCK or len(self._text) > 3 * _BLOCK:
            middle = self._place + _BLOCK
            self._sources.append(io.StringIO(self._text[middle:]))
            self._text, self._place = self._text[self._place : middle], 0


@lru_cache(maxsize=64)
def _tokens(indent: str | None, opening: str) -> re.Pattern[str]:
    """Finds strings, brackets, commas and line ends; with these what opens a value as far to the right."""
    return re.compile(_MARKS if indent is None else rf"\n{indent}{re.escape(opening)}|{_MARKS}")
